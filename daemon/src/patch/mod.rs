//! From an answer's text to a patch that is proven to be in scope and to apply, without touching
//! a disk.

use std::collections::BTreeMap;

use crate::experiment::Notes;

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
