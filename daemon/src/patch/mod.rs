//! From an answer's text to a patch that is proven to be in scope and to apply, without touching
//! a disk.
//!
//! The grammar, line by line:
//!
//! ```text
//! HYPOTHESIS: one sentence
//! DESCRIPTION: short text for the results table
//! WORKED: note            (any number of these four, anywhere before the edits)
//! FAILED: note
//! NEXT: idea
//! OBSERVED: note
//!
//! path/to/file.rs
//! <<<<<<< SEARCH
//! exact old lines
//! =======
//! new lines
//! >>>>>>> REPLACE
//!
//! path/to/other.rs
//! <<<<<<< FILE
//! whole new content
//! >>>>>>> FILE
//! ```
//!
//! Other lines around blocks are prose and mean nothing, as do fence lines. Several SEARCH blocks
//! may follow one path line; a FILE block needs its own. The path line may be a heading (`### `),
//! bold or in backticks. Matching is exact: nothing is guessed, because an experiment's record
//! must say what was asked for.

use std::collections::BTreeMap;

use crate::experiment::Notes;

mod apply;
mod diff;
mod error;
mod near;
mod parse;
mod scope;

pub use apply::{FILE_BYTES, apply};
pub use diff::{Look, render};
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
    /// Notes for STATE.md.
    pub notes: Notes,
    /// Changes, in order.
    pub edits: Vec<Edit>,
}

/// One change to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Replace the one place where `search` stands, exactly.
    Replace {
        /// Path relative to the repository.
        path: String,
        /// Line of the answer where the block begins, from 1.
        line: usize,
        /// Text that stands exactly once in the file.
        search: String,
        /// Text to put there.
        replace: String,
    },
    /// The whole new content of a file, new or not.
    Write {
        /// Path relative to the repository.
        path: String,
        /// Line of the answer where the block begins, from 1.
        line: usize,
        /// All of it.
        content: String,
    },
}

/// Edits proven in scope and applicable: the changed files' new content, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Path relative to the repository, complete new content. Never empty.
    pub files: BTreeMap<String, String>,
}

impl Edit {
    /// Path relative to the repository.
    pub fn path(&self) -> &str {
        match self {
            Self::Replace { path, .. } | Self::Write { path, .. } => path,
        }
    }

    /// Line of the answer where the block begins, from 1.
    pub fn line(&self) -> usize {
        match self {
            Self::Replace { line, .. } | Self::Write { line, .. } => *line,
        }
    }
}

#[cfg(test)]
mod tests;
