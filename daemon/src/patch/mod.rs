//! From an answer's text to a patch that is proven to be in scope and to apply, without touching
//! a disk.
//!
//! An answer has a head of lines and then edits, in any of the forms that models are good at:
//!
//! ```text
//! HYPOTHESIS: one sentence
//! DESCRIPTION: short text for the results table
//! THEME: a word or two    (may be left out)
//! WORKED: note            (any number of these four, anywhere before the edits)
//! FAILED: note
//! NEXT: idea
//! OBSERVED: note
//!
//! path/to/file.rs          SEARCH/REPLACE blocks: several may follow one path line
//! <<<<<<< SEARCH
//! exact old lines
//! =======
//! new lines
//! >>>>>>> REPLACE
//!
//! path/to/other.rs         a whole file: needs a path line of its own
//! <<<<<<< FILE
//! whole new content
//! >>>>>>> FILE
//!
//! --- a/path/to/file.rs    a unified diff; its counts are not believed, its line numbers only
//! +++ b/path/to/file.rs    where the old lines stand at several places
//! @@ -1,2 +1,2 @@
//!  kept
//! -old
//! +new
//!
//! *** Begin Patch          the grammar of OpenAI's apply_patch
//! *** Update File: path/to/file.rs
//! @@ fn name
//! -old
//! +new
//! *** End Patch
//! ```
//!
//! Other lines are prose and mean nothing. Nothing is guessed, because an experiment's record must
//! say what was asked for: old lines have to stand at one place, exactly or but for white space
//! that means nothing (see [`place`]), and an answer that seems cut short is refused.

use std::collections::BTreeMap;

use crate::experiment::Notes;

mod apply;
mod diff;
mod elision;
mod error;
mod near;
mod parse;
mod place;
mod scope;
mod text;

pub use apply::{FILE_BYTES, apply};
pub use diff::{Look, changed_lines, render};
pub use error::PatchError;
pub use parse::{DESCRIPTION_CHARS, REPLY_BYTES, parse};
pub use scope::{PathFault, Scope, ScopeError};

/// What a proposer said, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// One sentence: what is expected and why.
    pub hypothesis: String,
    /// The short text of the results row.
    pub description: String,
    /// What part of the work it is about, a word or two; empty where it is not named.
    pub theme: String,
    /// Notes for STATE.md.
    pub notes: Notes,
    /// Changes, in order.
    pub edits: Vec<Edit>,
}

/// One change to one file. Paths are relative to the repository; lines are those of the answer
/// where the edit begins, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Lines for other lines. All hunks speak of the file as it is before the first of them.
    Change {
        /// The file.
        path: String,
        /// Where it begins.
        line: usize,
        /// At least one.
        hunks: Vec<Hunk>,
    },
    /// The whole new content of a file.
    Write {
        /// The file.
        path: String,
        /// Where it begins.
        line: usize,
        /// All of it.
        content: String,
        /// How it is known to be all of it.
        whole: Whole,
    },
    /// The file goes.
    Delete {
        /// The file.
        path: String,
        /// Where it begins.
        line: usize,
    },
    /// The file has another name.
    Rename {
        /// The file.
        path: String,
        /// Where it begins.
        line: usize,
        /// Its new path.
        to: String,
    },
}

/// How a content is known to be a whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Its markers say so.
    Marked,
    /// The edit makes a new file.
    New,
    /// Not at all: a path and a fenced block, which may be an excerpt. A new file may be written so,
    /// and one that begins and ends as the old one does.
    Fenced,
}

/// Lines that stand together, and what becomes of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Line of the answer where it begins, from 1.
    pub line: usize,
    /// In the order of the file.
    pub lines: Vec<Line>,
    /// Which place is meant if the old lines stand at several.
    pub hint: Hint,
}

/// One line of a hunk, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What becomes of it.
    pub change: Change,
    /// Its text.
    pub text: String,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it stands in the file.
    Keep,
    /// It goes.
    Remove,
    /// It is new.
    Add,
}

/// What an answer says of a hunk's place, beside its old lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Hint {
    /// Nothing.
    #[default]
    None,
    /// The first old line has this number in the file, from 1.
    At(usize),
    /// It stands within what these lines begin: a type, then a function of it.
    Within(Vec<String>),
    /// The last old line is the file's last.
    End,
}

/// Edits proven in scope and applicable: what the changed files become, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Path relative to the repository; the complete new content, or none for a file that goes.
    /// Never empty.
    pub files: BTreeMap<String, Option<String>>,
}

impl Edit {
    /// Path relative to the repository.
    pub fn path(&self) -> &str {
        match self {
            Self::Change { path, .. }
            | Self::Write { path, .. }
            | Self::Delete { path, .. }
            | Self::Rename { path, .. } => path,
        }
    }

    /// Line of the answer where the edit begins, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Change { line, .. }
            | Self::Write { line, .. }
            | Self::Delete { line, .. }
            | Self::Rename { line, .. } => *line,
        }
    }
}

impl Hunk {
    /// The lines that have to stand in the file.
    fn old(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.change != Change::Add)
    }
}

#[cfg(test)]
mod tests;
