//! SEARCH/REPLACE blocks and whole files, between markers.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Lines;
use crate::patch::{Change, Edit, Hint, Hunk, Line, PatchError, Whole};

const SEARCH: &str = "<<<<<<< SEARCH";
const DIVIDER: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";
const FILE: &str = "<<<<<<< FILE";
const END_FILE: &str = ">>>>>>> FILE";

/// How many signs a marker may have instead of seven.
const SIGNS: std::ops::RangeInclusive<usize> = 5..=9;

/// What a line begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Block,
    File,
    /// It looks like a marker and is none, or not here.
    Nothing,
}

/// What a line outside of blocks begins, if it looks like a marker.
pub(super) fn begins(text: &str) -> Option<Begins> {
    match marker(text) {
        Some(SEARCH) => Some(Begins::Block),
        Some(FILE) => Some(Begins::File),
        // Fewer signs than a marker has: the answer may end in the middle of one.
        _ if text.starts_with("<<<") || text.starts_with(">>>>>>>") => Some(Begins::Nothing),
        _ => None,
    }
}

/// The error for a line that begins nothing.
pub(super) fn misplaced(line: usize, text: &str) -> PatchError {
    let expected = format!("`{SEARCH}` or `{FILE}` to begin a block");
    PatchError::Marker { line, found: super::one_line(text, 80), expected }
}

/// Reads a SEARCH block, from its first marker on.
pub(super) fn search(lines: &mut Lines<'_>, path: String) -> Result<Edit, PatchError> {
    let line = lines.number();
    lines.step();
    let old = until(DIVIDER, lines, line)?;
    let new = until(REPLACE, lines, line)?;
    let hunk = Hunk { line, lines: difference(&old, &new), hint: Hint::None };
    Ok(Edit::Change { path, line, hunks: vec![hunk] })
}

/// Reads a FILE block, from its first marker on.
pub(super) fn file(lines: &mut Lines<'_>, path: String) -> Result<Edit, PatchError> {
    let line = lines.number();
    lines.step();
    let content = until(END_FILE, lines, line)?.iter().map(|text| format!("{text}\n")).collect();
    Ok(Edit::Write { path, line, content, whole: Whole::Marked })
}

/// The lines up to a marker, which is read too.
fn until<'a>(
    expected: &'static str,
    lines: &mut Lines<'a>,
    begun: usize,
) -> Result<Vec<&'a str>, PatchError> {
    let mut read = Vec::new();
    while let Some(text) = lines.peek(0) {
        match marker(text) {
            Some(found) if found == expected => {
                lines.step();
                return Ok(read);
            }
            Some(_) => {
                let (line, found) = (lines.number(), text.trim_end().to_owned());
                let expected = format!("`{expected}`, which the block begun on line {begun} needs");
                return Err(PatchError::Marker { line, found, expected });
            }
            None => read.push(text),
        }
        lines.step();
    }
    Err(PatchError::Unclosed { line: begun, expected })
}

/// Which marker a line is, with a sign too many or too few.
fn marker(text: &str) -> Option<&'static str> {
    let text = text.trim_end();
    // A line of these signs underlines a heading in some languages: no other number will do.
    if text == DIVIDER {
        return Some(DIVIDER);
    }
    [SEARCH, REPLACE, FILE, END_FILE].into_iter().find(|marker| {
        let (signs, word) = marker.split_at(DIVIDER.len());
        let sign = &signs[..1];
        let rest = text.trim_start_matches(sign);
        rest == word && SIGNS.contains(&(text.len() - rest.len()))
    })
}

/// The lines of both texts, where the same ones are kept.
fn difference(old: &[&str], new: &[&str]) -> Vec<Line> {
    let line = |change, text: &&str| Line { change, text: (*text).to_owned() };
    let mut lines = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        let (from, to) = (&old[op.old_range()], &new[op.new_range()]);
        if let DiffOp::Equal { .. } = op {
            lines.extend(from.iter().map(|text| line(Change::Keep, text)));
        } else {
            lines.extend(from.iter().map(|text| line(Change::Remove, text)));
            lines.extend(to.iter().map(|text| line(Change::Add, text)));
        }
    }
    lines
}
