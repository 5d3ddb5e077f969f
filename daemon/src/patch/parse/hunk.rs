//! Lines with a mark each, as unified diffs and `apply_patch` have them.

use super::Lines;
use crate::patch::{Change, Hint, Line};

/// What stands behind `@@`.
#[derive(Default)]
pub(super) struct Head {
    pub(super) hint: Hint,
    /// How many old and new lines there should be. Models count badly: only the end of an answer
    /// that may be cut short is held against it.
    pub(super) counts: Option<(usize, usize)>,
}

/// Reads the lines behind `@@`, of which some grammars have several.
pub(super) fn head(lines: &mut Lines<'_>) -> Head {
    let mut within = Vec::new();
    while let Some(text) = lines.peek(0).and_then(|text| text.strip_prefix("@@")) {
        lines.step();
        if let Some(head) = numbered(text) {
            return head;
        }
        let text = text.trim().trim_end_matches("@@").trim();
        if !matches!(text, "" | "..." | "…") {
            within.push(text.to_owned());
        }
    }
    let hint = if within.is_empty() { Hint::None } else { Hint::Within(within) };
    Head { hint, counts: None }
}

/// `-1,2 +3,4 @@ and anything`.
fn numbered(text: &str) -> Option<Head> {
    let (ranges, _) = text.split_once("@@")?;
    let (old, new) = ranges.trim().strip_prefix('-')?.split_once(" +")?;
    let ((start, old), (_, new)) = (range(old)?, range(new)?);
    Some(Head { hint: Hint::At(start), counts: Some((old, new)) })
}

fn range(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.trim().split_once(',').unwrap_or((text.trim(), "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

/// The lines of a hunk.
pub(super) struct Body {
    pub(super) lines: Vec<Line>,
    /// Whether there are as many as the head says, if it says so.
    pub(super) is_full: Option<bool>,
}

/// Reads marked lines up to one that is none. Where only a diff can stand, or while the head wants
/// more, a line without a mark is an unchanged one.
pub(super) fn body(
    lines: &mut Lines<'_>,
    head: &Head,
    (is_enclosed, ends): (bool, impl Fn(&Lines<'_>) -> bool),
) -> Body {
    let mut read: Vec<Line> = Vec::new();
    // Blank lines without a mark may belong to the hunk, or to what comes after it.
    let mut blank = 0;
    while let Some(text) = lines.peek(0).filter(|text| !closes(text) && !ends(lines)) {
        let unmarked = || Line { change: Change::Keep, text: text.to_owned() };
        match marked(text) {
            Some(line) => {
                read.push(line);
                blank = 0;
            }
            None if text.is_empty() => {
                read.push(unmarked());
                blank += 1;
            }
            None if text.starts_with('\\') => {}
            None if is_enclosed || is_full(&read, head) == Some(false) => {
                read.push(unmarked());
                blank = 0;
            }
            None => break,
        }
        lines.step();
    }
    let is_full = is_full(&read, head);
    read.truncate(read.len() - blank);
    Body { lines: read, is_full }
}

/// A line that no hunk holds: every line of one has a mark before it.
fn closes(text: &str) -> bool {
    ["@@", "```", "~~~"].iter().any(|sign| text.starts_with(sign))
}

fn marked(text: &str) -> Option<Line> {
    let line = |change, text: &str| Some(Line { change, text: text.to_owned() });
    match text.split_at_checked(1)? {
        (" ", text) => line(Change::Keep, text),
        ("-", text) => line(Change::Remove, text),
        ("+", text) => line(Change::Add, text),
        _ => None,
    }
}

fn is_full(read: &[Line], head: &Head) -> Option<bool> {
    let (old, new) = head.counts?;
    let without = |change| read.iter().filter(|line| line.change != change).count();
    Some(without(Change::Add) >= old && without(Change::Remove) >= new)
}
