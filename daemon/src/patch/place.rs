//! Where a hunk stands in a file: at the one place that has its old lines.
//!
//! First to the letter. Where no place has them so, white space that means nothing is looked past,
//! one kind after the other, and again only one place will do:
//!
//! - blanks at the ends of lines;
//! - one indentation that all lines have too much or lack (the new lines get the same);
//! - one blank that an unchanged line lacks, because its own first one was read as a diff's mark;
//! - unchanged blank lines at the hunk's two ends.
//!
//! Where several places have them, what the answer says of the place may decide.

use super::near::nearest;
use super::{Change, Hint, Hunk, Line};

/// Where a hunk begins, from 0, and what its new lines need.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: usize,
    /// The hunk's lines that are taken: without blank ones at its ends where that was needed.
    pub(super) taken: std::ops::Range<usize>,
    shift: Shift,
}

/// How all lines of a hunk are indented otherwise than the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shift {
    Same,
    Lacks(String),
    Exceeds(String),
}

/// Why a hunk has no one place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Empty,
    /// With the nearest lines.
    Nowhere(String),
    /// The lines where it could begin, from 1.
    Several(Vec<usize>),
}

/// What is looked past.
#[derive(Clone, Copy)]
enum Leniency {
    Nothing,
    Ends,
    Indentation,
    Mark,
}

const LENIENCIES: [Leniency; 4] =
    [Leniency::Nothing, Leniency::Ends, Leniency::Indentation, Leniency::Mark];

impl Place {
    /// A new line as it stands in the file then.
    pub(super) fn shifted(&self, text: &str) -> String {
        match &self.shift {
            Shift::Lacks(more) if !text.trim().is_empty() => format!("{more}{text}"),
            Shift::Exceeds(less) => text.strip_prefix(less.as_str()).unwrap_or(text).to_owned(),
            _ => text.to_owned(),
        }
    }
}

/// The one place of a hunk.
pub(super) fn place(hunk: &Hunk, lines: &[&str]) -> Result<Place, Miss> {
    let all = 0..hunk.lines.len();
    if hunk.old().next().is_none() {
        return match hunk.hint {
            Hint::End => Ok(Place { start: lines.len(), taken: all, shift: Shift::Same }),
            _ => Err(Miss::Empty),
        };
    }
    for taken in [all, without_blank_ends(&hunk.lines)] {
        for leniency in LENIENCIES {
            let found = places(hunk, taken.clone(), lines, leniency);
            if !found.is_empty() {
                return the_one(found, hunk, lines);
            }
        }
    }
    let wanted: Vec<&str> = hunk.old().map(|line| line.text.as_str()).collect();
    Err(Miss::Nowhere(nearest(&wanted, lines)))
}

/// The lines between unchanged blank ones.
fn without_blank_ends(lines: &[Line]) -> std::ops::Range<usize> {
    let matters = |line: &Line| line.change != Change::Keep || !line.text.trim().is_empty();
    match (lines.iter().position(matters), lines.iter().rposition(matters)) {
        (Some(first), Some(last)) => first..last + 1,
        _ => 0..lines.len(),
    }
}

fn places(
    hunk: &Hunk,
    taken: std::ops::Range<usize>,
    lines: &[&str],
    leniency: Leniency,
) -> Vec<Place> {
    let old: Vec<&Line> =
        hunk.lines[taken.clone()].iter().filter(|line| line.change != Change::Add).collect();
    let new = || hunk.lines[taken.clone()].iter().filter(|line| line.change == Change::Add);
    if old.is_empty() {
        return Vec::new();
    }
    let windows = lines.windows(old.len()).enumerate();
    let fitting = windows.filter_map(|(start, window)| {
        let shift = fits(window, &old, leniency)?;
        let place = Place { start, taken: taken.clone(), shift };
        new().all(|line| place.can_shift(&line.text)).then_some(place)
    });
    fitting.collect()
}

impl Place {
    fn can_shift(&self, text: &str) -> bool {
        match &self.shift {
            Shift::Exceeds(less) => text.trim().is_empty() || text.starts_with(less.as_str()),
            _ => true,
        }
    }
}

/// Whether the lines of a file are the old lines of a hunk, and how they are indented then.
fn fits(window: &[&str], old: &[&Line], leniency: Leniency) -> Option<Shift> {
    let mut pairs = window.iter().zip(old);
    let same_but_for_ends = |file: &str, line: &Line| file.trim_end() == line.text.trim_end();
    let all = match leniency {
        Leniency::Nothing => pairs.all(|(file, line)| *file == line.text),
        Leniency::Ends => pairs.all(|(file, line)| same_but_for_ends(file, line)),
        Leniency::Indentation => return shift(window, old),
        Leniency::Mark => pairs.all(|(file, line)| {
            let lacks_one =
                || file.strip_prefix(' ').map(str::trim_end) == Some(line.text.trim_end());
            same_but_for_ends(file, line) || line.change == Change::Keep && lacks_one()
        }),
    };
    all.then_some(Shift::Same)
}

/// The one indentation by which all lines that are not blank differ.
fn shift(window: &[&str], old: &[&Line]) -> Option<Shift> {
    let pairs = window.iter().zip(old).map(|(file, line)| (file.trim_end(), line.text.trim_end()));
    let mut shift = None;
    for (file, line) in pairs {
        if file.is_empty() && line.is_empty() {
            continue;
        }
        let this = one_shift(file, line)?;
        if *shift.get_or_insert_with(|| this.clone()) != this {
            return None;
        }
    }
    shift
}

fn one_shift(file: &str, line: &str) -> Option<Shift> {
    let blanks = |more: &str| more.chars().all(char::is_whitespace);
    if let Some(more) = file.strip_suffix(line).filter(|more| blanks(more)) {
        return Some(Shift::Lacks(more.to_owned()));
    }
    line.strip_suffix(file).filter(|less| blanks(less)).map(|less| Shift::Exceeds(less.to_owned()))
}

/// One place, or of several the one that the hint tells.
fn the_one(mut found: Vec<Place>, hunk: &Hunk, lines: &[&str]) -> Result<Place, Miss> {
    let starts: Vec<usize> = found.iter().map(|place| place.start + 1).collect();
    if found.len() > 1 {
        found.retain(|place| told(place, hunk, lines));
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        _ => Err(Miss::Several(starts)),
    }
}

fn told(place: &Place, hunk: &Hunk, lines: &[&str]) -> bool {
    let before = &hunk.lines[..place.taken.start];
    let taken = hunk.lines[place.taken.clone()].iter();
    let end = place.start + taken.filter(|line| line.change != Change::Add).count();
    match &hunk.hint {
        Hint::None => false,
        Hint::At(line) => place.start + 1 == line + before.len(),
        Hint::End => end == lines.len(),
        Hint::Within(heads) => {
            block(heads, lines).is_some_and(|block| block.start <= place.start && end <= block.end)
        }
    }
}

/// The lines that these heads begin, each within the one before it: a head stands once, and its
/// block goes on while lines are indented deeper, or close it.
fn block(heads: &[String], lines: &[&str]) -> Option<std::ops::Range<usize>> {
    let mut block = 0..lines.len();
    for head in heads {
        let mut found = block.clone().filter(|at| lines[*at].trim() == head.trim());
        let (Some(start), None) = (found.next(), found.next()) else { return None };
        let depth = indentation(lines[start]);
        let ends = |at: &usize| {
            let line = lines[*at];
            !line.trim().is_empty() && indentation(line) <= depth && !closes(line)
        };
        let end = (start + 1..block.end).find(ends).unwrap_or(block.end);
        block = start..end;
    }
    Some(block)
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A line that belongs to the block above it, though it is indented as its head: `}`, `) -> T {`.
fn closes(line: &str) -> bool {
    line.trim_start().starts_with(['}', ')', ']'])
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
