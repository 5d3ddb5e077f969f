//! The answer's text, line by line. Knows no files.

use super::{Edit, PatchError, Proposal};

mod blocks;
mod envelope;
mod hunk;
mod lines;
mod unified;
mod whole;

use blocks::Begins;
use lines::Lines;

/// The longest answer that is read: far above what any model writes, far below what hurts.
pub const REPLY_BYTES: usize = 1 << 20;

/// The results row is one line of a table.
pub const DESCRIPTION_CHARS: usize = 200;
/// Longest theme.
const THEME_CHARS: usize = 40;

/// Hypotheses and notes are one line of STATE.md each.
const NOTE_CHARS: usize = 600;

/// Reads an answer.
///
/// # Errors
/// The first thing that is wrong, with its line. A reply cut inside an edit is always an error.
pub fn parse(reply: &str) -> Result<Proposal, PatchError> {
    if reply.len() > REPLY_BYTES {
        return Err(PatchError::ReplyTooLong { bytes: reply.len(), max: REPLY_BYTES });
    }
    let mut lines = Lines::of(reply);
    let mut reader = Reader::default();
    while let Some(text) = lines.peek(0) {
        reader.take(text.trim(), &mut lines)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    proposal: Proposal,
    /// Named since the last edit.
    path: Option<String>,
    /// Whether it was named directly before the line that comes next, blank lines apart.
    is_path_fresh: bool,
    /// Named for the last edit; SEARCH blocks and hunks may share it.
    last_path: Option<String>,
    /// Texts that may be whole files; they are if there is no other edit.
    fenced: Vec<Edit>,
}

impl Reader {
    fn take(&mut self, text: &str, lines: &mut Lines<'_>) -> Result<(), PatchError> {
        let line = lines.number();
        if let Some(begins) = blocks::begins(text) {
            let edit = match begins {
                Begins::Block => blocks::search(lines, self.shared_path(line)?)?,
                Begins::File => blocks::file(lines, self.own_path(line)?)?,
                Begins::Nothing => return Err(blocks::misplaced(line, text)),
            };
            self.proposal.edits.push(edit);
        } else if text == envelope::BEGIN {
            self.proposal.edits.extend(envelope::read(lines)?);
        } else if unified::begins(lines, self.path.is_some()) {
            let path = self.path.take();
            self.proposal.edits.extend(unified::read(lines, path)?);
        } else if let Some(edit) = self.fresh_path().and_then(|path| whole::read(lines, path)) {
            self.path = None;
            self.fenced.push(edit);
        } else if !lines.take_fence() {
            lines.step();
            self.take_prose(line, text)?;
        }
        Ok(())
    }

    fn fresh_path(&self) -> Option<&str> {
        self.path.as_deref().filter(|_| self.is_path_fresh)
    }

    fn shared_path(&mut self, line: usize) -> Result<String, PatchError> {
        self.path = self.path.take().or_else(|| self.last_path.take());
        self.own_path(line)
    }

    fn own_path(&mut self, line: usize) -> Result<String, PatchError> {
        let path = self.path.take().ok_or(PatchError::NoPath { line })?;
        self.last_path = Some(path.clone());
        Ok(path)
    }

    fn take_prose(&mut self, line: usize, text: &str) -> Result<(), PatchError> {
        let notes = &mut self.proposal.notes;
        let list = match field(text) {
            Some(("HYPOTHESIS", said)) => {
                let said = one_line(said, NOTE_CHARS);
                return once(&mut self.proposal.hypothesis, said, ("HYPOTHESIS", line));
            }
            Some(("DESCRIPTION", said)) => {
                let said = one_line(said, DESCRIPTION_CHARS);
                return once(&mut self.proposal.description, said, ("DESCRIPTION", line));
            }
            Some(("THEME", said)) => {
                self.proposal.theme = one_line(said, THEME_CHARS);
                return Ok(());
            }
            Some(("WORKED", said)) => Some((&mut notes.worked, said)),
            Some(("FAILED", said)) => Some((&mut notes.failed, said)),
            Some(("NEXT", said)) => Some((&mut notes.next, said)),
            Some(("OBSERVED", said)) => Some((&mut notes.observations, said)),
            _ => None,
        };
        match list {
            Some((list, said)) => {
                list.extend(Some(one_line(said, NOTE_CHARS)).filter(|said| !said.is_empty()));
            }
            None if text.is_empty() => {}
            None => {
                let path = path_line(text);
                self.is_path_fresh = path.is_some();
                self.path = path.or(self.path.take());
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Proposal, PatchError> {
        if self.proposal.hypothesis.is_empty() {
            return Err(PatchError::Missing { field: "HYPOTHESIS" });
        }
        if self.proposal.description.is_empty() {
            return Err(PatchError::Missing { field: "DESCRIPTION" });
        }
        if self.proposal.edits.is_empty() {
            self.proposal.edits = self.fenced;
        }
        if self.proposal.edits.is_empty() {
            return Err(PatchError::NoEdits);
        }
        Ok(self.proposal)
    }
}

/// A line of the head: its name and what it says, without the signs of a heading, a list or bold.
fn field(text: &str) -> Option<(&str, &str)> {
    let (name, said) = text.trim_start_matches(['#', '*', '-', ' ']).split_once(':')?;
    let (name, bold) = (name.trim_end_matches('*'), text.starts_with("**"));
    Some((name, if bold { said.trim_start_matches('*').trim_end_matches("**") } else { said }))
}

fn once(
    slot: &mut String,
    said: String,
    (field, line): (&'static str, usize),
) -> Result<(), PatchError> {
    if !slot.is_empty() {
        return Err(PatchError::Repeated { line, field });
    }
    *slot = said;
    Ok(())
}

/// What people put before a path.
const BEFORE_PATHS: [&str; 4] = ["//", "File:", "file:", "Path:"];

/// The path on a line of its own, without the signs of a heading, a comment, bold, code and a colon;
/// none for prose.
fn path_line(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('#').trim().trim_end_matches(':');
    let said = BEFORE_PATHS.iter().find_map(|word| bare.strip_prefix(word));
    let bare = said.unwrap_or(bare).trim();
    let bare = unwrapped(unwrapped(bare, "**").trim_end_matches(':'), "`");
    let is_path = !bare.is_empty()
        && bare.contains(['/', '.'])
        && !bare.contains(|c: char| c.is_whitespace() || c.is_control());
    is_path.then(|| bare.to_owned())
}

fn unwrapped<'a>(text: &'a str, quote: &str) -> &'a str {
    text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)).unwrap_or(text)
}

/// One line for tables and terminals: no control or text-direction characters, no more than `max`
/// characters.
fn one_line(text: &str, max: usize) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = text.chars().map(|c| if steers(c) { ' ' } else { c }).collect();
    clean.trim().chars().take(max).collect::<String>().trim_end().to_owned()
}
