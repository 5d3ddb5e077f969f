//! The answer's text, line by line. Knows no files.

use super::{Edit, PatchError, Proposal};

/// The longest answer that is read: far above what any model writes, far below what hurts.
pub const REPLY_BYTES: usize = 1 << 20;

/// The results row is one line of a table.
pub const DESCRIPTION_CHARS: usize = 200;

/// Hypotheses and notes are one line of STATE.md each.
const NOTE_CHARS: usize = 600;

const SEARCH: &str = "<<<<<<< SEARCH";
const DIVIDER: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";
const FILE: &str = "<<<<<<< FILE";
const END_FILE: &str = ">>>>>>> FILE";

/// Reads an answer.
///
/// # Errors
/// The first thing that is wrong, with its line. A reply cut inside a block is always an error.
pub fn parse(reply: &str) -> Result<Proposal, PatchError> {
    if reply.len() > REPLY_BYTES {
        return Err(PatchError::ReplyTooLong { bytes: reply.len(), max: REPLY_BYTES });
    }
    let mut reader = Reader::default();
    for (at, line) in reply.split('\n').enumerate() {
        reader.take(at + 1, line.strip_suffix('\r').unwrap_or(line))?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    proposal: Proposal,
    place: Place,
    /// Named since the last block.
    path: Option<String>,
    /// Named for the last block; SEARCH blocks may share it.
    last_path: Option<String>,
}

/// Where the next line stands.
#[derive(Default)]
enum Place {
    #[default]
    Outside,
    Search {
        line: usize,
        path: String,
        search: String,
    },
    Replace {
        line: usize,
        path: String,
        search: String,
        replace: String,
    },
    File {
        line: usize,
        path: String,
        content: String,
    },
}

impl Place {
    /// The marker that ends this part of a block, and the line where the block begins.
    fn awaits(&self) -> Option<(&'static str, usize)> {
        match self {
            Self::Outside => None,
            Self::Search { line, .. } => Some((DIVIDER, *line)),
            Self::Replace { line, .. } => Some((REPLACE, *line)),
            Self::File { line, .. } => Some((END_FILE, *line)),
        }
    }

    fn text(&mut self) -> Option<&mut String> {
        match self {
            Self::Outside => None,
            Self::Search { search: text, .. }
            | Self::Replace { replace: text, .. }
            | Self::File { content: text, .. } => Some(text),
        }
    }
}

impl Reader {
    fn take(&mut self, line: usize, text: &str) -> Result<(), PatchError> {
        let Some((expected, begun)) = self.place.awaits() else {
            return self.take_outside(line, text);
        };
        let marker = text.trim_end();
        if marker == expected {
            self.advance();
        } else if [SEARCH, DIVIDER, REPLACE, FILE, END_FILE].contains(&marker) {
            let expected = format!("`{expected}`, which the block begun on line {begun} needs");
            return Err(PatchError::Marker { line, found: marker.to_owned(), expected });
        } else if let Some(block) = self.place.text() {
            block.push_str(text);
            block.push('\n');
        }
        Ok(())
    }

    /// A block's marker was found: on to its next part, or out of it.
    fn advance(&mut self) {
        self.place = match std::mem::take(&mut self.place) {
            Place::Outside => Place::Outside,
            Place::Search { line, path, search } => {
                Place::Replace { line, path, search, replace: String::new() }
            }
            Place::Replace { line, path, search, replace } => {
                self.proposal.edits.push(Edit::Replace { path, line, search, replace });
                Place::Outside
            }
            Place::File { line, path, content } => {
                self.proposal.edits.push(Edit::Write { path, line, content });
                Place::Outside
            }
        };
    }

    fn take_outside(&mut self, line: usize, text: &str) -> Result<(), PatchError> {
        let text = text.trim();
        match text {
            SEARCH => {
                let path = self.path.take().or_else(|| self.last_path.take());
                let path = path.ok_or(PatchError::NoPath { line })?;
                self.last_path = Some(path.clone());
                self.place = Place::Search { line, path, search: String::new() };
            }
            FILE => {
                let path = self.path.take().ok_or(PatchError::NoPath { line })?;
                self.last_path = Some(path.clone());
                self.place = Place::File { line, path, content: String::new() };
            }
            // Fewer signs than a marker has: the answer may end in the middle of one.
            _ if text.starts_with("<<<") || text.starts_with(">>>>>>>") => {
                let expected = format!("`{SEARCH}` or `{FILE}` to begin a block");
                return Err(PatchError::Marker { line, found: one_line(text, 80), expected });
            }
            _ => return self.take_prose(line, text),
        }
        Ok(())
    }

    fn take_prose(&mut self, line: usize, text: &str) -> Result<(), PatchError> {
        let notes = &mut self.proposal.notes;
        let list = match text.split_once(':') {
            Some(("HYPOTHESIS", said)) => {
                let said = one_line(said, NOTE_CHARS);
                return once(&mut self.proposal.hypothesis, said, ("HYPOTHESIS", line));
            }
            Some(("DESCRIPTION", said)) => {
                let said = one_line(said, DESCRIPTION_CHARS);
                return once(&mut self.proposal.description, said, ("DESCRIPTION", line));
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
            None => self.path = path_line(text).or(self.path.take()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Proposal, PatchError> {
        if let Some((expected, line)) = self.place.awaits() {
            return Err(PatchError::Unclosed { line, expected });
        }
        if self.proposal.hypothesis.is_empty() {
            return Err(PatchError::Missing { field: "HYPOTHESIS" });
        }
        if self.proposal.description.is_empty() {
            return Err(PatchError::Missing { field: "DESCRIPTION" });
        }
        if self.proposal.edits.is_empty() {
            return Err(PatchError::NoEdits);
        }
        Ok(self.proposal)
    }
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

/// The path on a line of its own, without heading, bold and backticks; none for prose and fences.
fn path_line(text: &str) -> Option<String> {
    let bare = text.trim_start_matches('#').trim();
    let bare = unwrapped(unwrapped(bare, "**"), "`");
    let is_path = !bare.is_empty()
        && !bare.starts_with("```")
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
