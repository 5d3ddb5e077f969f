//! Unified diffs, as `diff -u` and git write them and as models remember them.

use super::Lines;
use super::hunk::{body, head};
use crate::patch::{Change, Edit, Hunk, PatchError, Whole};

/// Whether a diff begins here. Where a path was named, its hunks are enough, and in a fence that is
/// said to hold a diff, one of them without its head.
pub(super) fn begins(lines: &Lines<'_>, has_path: bool) -> bool {
    let text = lines.peek(0).unwrap_or_default();
    let is_hunk = || text.starts_with("@@") || lines.begins_diff();
    text.starts_with("diff --git ") || names(lines) || has_path && is_hunk()
}

/// The two lines that name a file's sides.
fn names(lines: &Lines<'_>) -> bool {
    let starts = |ahead, sign| lines.peek(ahead).is_some_and(|text: &str| text.starts_with(sign));
    starts(0, "--- ") && starts(1, "+++ ")
}

/// Reads the diff of one file.
pub(super) fn read(lines: &mut Lines<'_>, path: Option<String>) -> Result<Vec<Edit>, PatchError> {
    let line = lines.number();
    let is_headless = path.is_some() && lines.begins_diff();
    let sides = sides(lines)?;
    let hunks = hunks(lines, is_headless && sides.is_none())?;
    match sides.or(path.map(|path| (Some(path.clone()), Some(path)))) {
        Some((Some(old), Some(new))) if hunks.is_empty() && old == new => {
            Err(expected_hunk(lines, line))
        }
        Some((Some(old), Some(new))) => Ok(changes(line, old, new, hunks)),
        Some((Some(path), None)) => Ok(vec![Edit::Delete { path, line }]),
        Some((None, Some(path))) => new_file(line, path, &hunks).map(|edit| vec![edit]),
        Some((None, None)) | None => Err(PatchError::NoPath { line }),
    }
}

fn expected_hunk(lines: &Lines<'_>, begun: usize) -> PatchError {
    lines.misses(format!("`@@ … @@`, which the diff begun on line {begun} needs"))
}

fn changes(line: usize, old: String, new: String, hunks: Vec<Hunk>) -> Vec<Edit> {
    let mut edits = Vec::new();
    if old != new {
        edits.push(Edit::Rename { path: old, line, to: new.clone() });
    }
    if !hunks.is_empty() {
        edits.push(Edit::Change { path: new, line, hunks });
    }
    edits
}

fn new_file(line: usize, path: String, hunks: &[Hunk]) -> Result<Edit, PatchError> {
    let lines = || hunks.iter().flat_map(|hunk| &hunk.lines);
    if lines().any(|line| line.change == Change::Remove) {
        return Err(PatchError::NoFile { line, path, near: None });
    }
    let content = lines().map(|line| format!("{}\n", line.text)).collect();
    Ok(Edit::Write { path, line, content, whole: Whole::New })
}

/// A side that is no file is none.
type Sides = (Option<String>, Option<String>);

/// Reads the lines above the hunks.
fn sides(lines: &mut Lines<'_>) -> Result<Option<Sides>, PatchError> {
    let mut sides = None;
    let begun = lines.number();
    while let Some(text) = lines.peek(0) {
        if names(lines) {
            let name = |ahead| lines.peek(ahead).and_then(|text| text.get(4..)).unwrap_or_default();
            sides = Some(pair(name(0), name(1)));
            lines.step();
            lines.step();
            return Ok(sides);
        } else if let Some(text) = text.strip_prefix("diff --git ") {
            if lines.number() != begun {
                return Ok(sides);
            }
            sides = text.split_once(' ').map(|(old, new)| pair(old, new));
        } else if text.starts_with("deleted file mode") {
            sides = sides.map(|(old, _)| (old, None));
        } else if text.starts_with("new file mode") {
            sides = sides.map(|(_, new)| (None, new));
        } else if text.starts_with("Binary files ") || text.starts_with("GIT binary patch") {
            return Err(expected_hunk(lines, begun));
        } else if !is_extension(text) {
            return Ok(sides);
        }
        lines.step();
    }
    Ok(sides)
}

/// Lines of git that say nothing which the others do not.
fn is_extension(text: &str) -> bool {
    let signs = ["index ", "old mode ", "new mode ", "similarity ", "dissimilarity ", "rename "];
    signs.iter().any(|sign| text.starts_with(sign))
}

/// `a/` and `b/` belong to the paths only where one side has another beginning.
fn pair(old: &str, new: &str) -> Sides {
    let name = |text: &str| {
        let text = text.split('\t').next().unwrap_or_default().trim().trim_matches('"');
        Some(text.to_owned()).filter(|text| text != "/dev/null")
    };
    let (old, new) = (name(old), name(new));
    let bare = |side: &Option<String>, sign| match side {
        None => Some(None),
        Some(path) => path.strip_prefix(sign).map(|path| Some(path.to_owned())),
    };
    match (bare(&old, "a/"), bare(&new, "b/")) {
        (Some(old), Some(new)) => (old, new),
        _ => (old, new),
    }
}

fn hunks(lines: &mut Lines<'_>, mut is_headless: bool) -> Result<Vec<Hunk>, PatchError> {
    let mut hunks = Vec::new();
    while is_headless || lines.peek(0).is_some_and(|text| text.starts_with("@@")) {
        let line = lines.number();
        let head = head(lines);
        let next_file = |lines: &Lines<'_>| {
            names(lines) || lines.peek(0).is_some_and(|text| text.starts_with("diff --git "))
        };
        let body = body(lines, &head, (lines.is_fenced(), next_file));
        let is_open = lines.is_fenced() || body.is_full != Some(true);
        if is_open && lines.is_at_end() {
            let expected = if lines.is_fenced() { "```" } else { "the rest of its lines" };
            return Err(PatchError::Unclosed { line, expected });
        }
        hunks.push(Hunk { line, lines: body.lines, hint: head.hint });
        is_headless = false;
    }
    Ok(hunks)
}
