//! The grammar of OpenAI's `apply_patch`: `*** Begin Patch` to `*** End Patch`.

use super::Lines;
use super::hunk::{body, head};
use crate::patch::{Edit, Hint, Hunk, PatchError, Whole};

pub(super) const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File: ";
const DELETE: &str = "*** Delete File: ";
const UPDATE: &str = "*** Update File: ";
const MOVE: &str = "*** Move to: ";
const END_OF_FILE: &str = "*** End of File";

/// Reads a patch, from its first line on.
pub(super) fn read(lines: &mut Lines<'_>) -> Result<Vec<Edit>, PatchError> {
    let begun = lines.number();
    lines.step();
    let mut edits = Vec::new();
    while let Some(text) = lines.peek(0) {
        let (line, text) = (lines.number(), text.trim_end());
        lines.step();
        if text == END {
            return Ok(edits);
        } else if let Some(path) = text.strip_prefix(ADD) {
            let content = added(lines, line)?;
            let path = path.trim().to_owned();
            edits.push(Edit::Write { path, line, content, whole: Whole::Marked });
        } else if let Some(path) = text.strip_prefix(DELETE) {
            edits.push(Edit::Delete { path: path.trim().to_owned(), line });
        } else if let Some(path) = text.strip_prefix(UPDATE) {
            edits.extend(updated(lines, line, path.trim().to_owned())?);
        } else if !text.is_empty() {
            let expected = format!("`{UPDATE}…`, `{ADD}…`, `{DELETE}…` or `{END}`");
            return Err(PatchError::Marker { line, found: super::one_line(text, 80), expected });
        }
    }
    Err(PatchError::Unclosed { line: begun, expected: END })
}

/// The lines of a new file, each behind a `+`; models forget it before blank ones.
fn added(lines: &mut Lines<'_>, begun: usize) -> Result<String, PatchError> {
    let mut content = String::new();
    while let Some(text) = lines.peek(0).filter(|text| !text.starts_with("***")) {
        match text.strip_prefix('+') {
            Some(text) => content.push_str(text),
            None if text.trim().is_empty() => {}
            None => {
                let expected = format!("`+` before each line of the file begun on line {begun}");
                return Err(lines.misses(expected));
            }
        }
        content.push('\n');
        lines.step();
    }
    Ok(content)
}

fn updated(lines: &mut Lines<'_>, line: usize, path: String) -> Result<Vec<Edit>, PatchError> {
    let mut edits = Vec::new();
    let mut path = path;
    if let Some(to) = lines.peek(0).and_then(|text| text.strip_prefix(MOVE)) {
        let to = to.trim().to_owned();
        lines.step();
        edits.push(Edit::Rename { path, line, to: to.clone() });
        path = to;
    }
    let hunks = hunks(lines);
    if !hunks.is_empty() {
        edits.push(Edit::Change { path, line, hunks });
    } else if edits.is_empty() {
        let expected = format!("changed lines, which the file begun on line {line} needs");
        return Err(lines.misses(expected));
    }
    Ok(edits)
}

fn hunks(lines: &mut Lines<'_>) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    loop {
        let line = lines.number();
        let mut head = head(lines);
        let ends = |lines: &Lines<'_>| lines.peek(0).is_some_and(|text| text.starts_with("***"));
        let read = body(lines, &head, (true, ends)).lines;
        if lines.peek(0).is_some_and(|text| text.trim_end() == END_OF_FILE) {
            lines.step();
            head.hint = Hint::End;
        }
        if read.is_empty() {
            return hunks;
        }
        hunks.push(Hunk { line, lines: read, hint: head.hint });
    }
}
