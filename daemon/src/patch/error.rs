//! What can be wrong with an answer: where, and what would have been valid.

use super::PathFault;

/// Why an answer is no patch. Lines are lines of the answer, from 1.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatchError {
    /// More text than anybody reads.
    #[error("the answer has {bytes} bytes; at most {max} are read: answer with less")]
    ReplyTooLong {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A required line is not there, or says nothing.
    #[error("the answer has no line `{field}: …`; put one before the edits, with text after it")]
    Missing {
        /// `HYPOTHESIS` or `DESCRIPTION`.
        field: &'static str,
    },
    /// A line that may stand once stands again.
    #[error("line {line}: a second `{field}:`; an answer has exactly one")]
    Repeated {
        /// Where the second stands.
        line: usize,
        /// `HYPOTHESIS` or `DESCRIPTION`.
        field: &'static str,
    },
    /// Nothing to apply.
    #[error(
        "the answer has no edits; put the path on a line of its own, then `<<<<<<< SEARCH`, exact \
         old lines, `=======`, new lines, `>>>>>>> REPLACE`; or `<<<<<<< FILE`, the whole new \
         content, `>>>>>>> FILE`; or give a unified diff in a fence"
    )]
    NoEdits,
    /// The answer ends inside a block.
    #[error(
        "line {line}: the block begun here is not closed: `{expected}` is missing at the end of \
         the answer (was it cut short?)"
    )]
    Unclosed {
        /// Where the block begins.
        line: usize,
        /// What would have been next.
        expected: &'static str,
    },
    /// A marker in the wrong place, or one that is none.
    #[error("line {line}: found `{found}`, expected {expected}")]
    Marker {
        /// Where it stands.
        line: usize,
        /// The line, shortened.
        found: String,
        /// What would have been valid.
        expected: String,
    },
    /// A block that belongs to no file.
    #[error(
        "line {line}: the block has no path; put the file's path, relative to the repository, on \
         a line of its own directly before it"
    )]
    NoPath {
        /// Where the block begins.
        line: usize,
    },
    /// A path that may not be written.
    #[error("line {line}: {path:?} may not be edited: {fault}; editable are: {editable}")]
    OutOfScope {
        /// Where the block begins.
        line: usize,
        /// The path.
        path: String,
        /// Why not.
        fault: PathFault,
        /// The editable globs.
        editable: String,
    },
    /// One path would be two things.
    #[error(
        "line {line}: {file:?} would be a file and, with {path:?} below it, a directory; choose \
         another path"
    )]
    UnderFile {
        /// Where the block begins.
        line: usize,
        /// The path below.
        path: String,
        /// The path above it.
        file: String,
    },
    /// Old lines of a file that is not there.
    #[error(
        "line {line}: {path:?} does not exist{}; to make a new file use `<<<<<<< FILE`",
        near.as_ref().map(|near| format!(", {near:?} does")).unwrap_or_default()
    )]
    NoFile {
        /// Where the edit begins.
        line: usize,
        /// The path.
        path: String,
        /// The file with the most similar path.
        near: Option<String>,
    },
    /// A new file where one is.
    #[error(
        "line {line}: {path:?} exists; write all of it anew with `<<<<<<< FILE`, or change lines"
    )]
    Exists {
        /// Where the edit begins.
        line: usize,
        /// The path.
        path: String,
    },
    /// No old lines in a file that is there.
    #[error(
        "line {line}: there are no old lines to find in {path:?}, which exists; quote the exact \
         lines to replace, or write the whole file with `<<<<<<< FILE`"
    )]
    NoOldLines {
        /// Where the hunk or block begins.
        line: usize,
        /// The path.
        path: String,
    },
    /// Old lines that are not in the file.
    #[error(
        "line {line}: the old lines do not stand in {path:?}; they must be whole lines, exact to \
         the space. {near}"
    )]
    NoMatch {
        /// Where the hunk or block begins.
        line: usize,
        /// The path.
        path: String,
        /// The nearest lines of the file, with their numbers.
        near: String,
    },
    /// Old lines that are in the file more than once.
    #[error(
        "line {line}: the old lines stand {} times in {path:?}, at lines {}; add lines around them \
         until they stand once",
        at.len(),
        some_lines(at)
    )]
    Ambiguous {
        /// Where the hunk or block begins.
        line: usize,
        /// The path.
        path: String,
        /// Every line of the file where it begins, from 1.
        at: Vec<usize>,
    },
    /// Two hunks that change the same lines.
    #[error(
        "line {line}: this hunk changes lines of {path:?} that another one changes too; make one of them"
    )]
    Overlap {
        /// Where the hunk begins.
        line: usize,
        /// The path.
        path: String,
    },
    /// A remark in place of lines.
    #[error(
        "line {line}: {found:?} stands for lines of {path:?} that are not given; give them all"
    )]
    Elided {
        /// Where the edit begins.
        line: usize,
        /// The path.
        path: String,
        /// The remark.
        found: String,
    },
    /// A fenced text that may be a part of the file.
    #[error(
        "line {line}: the fenced text does not begin and end as {path:?} does, so it may be an \
         excerpt; mark a whole file with `<<<<<<< FILE` and `>>>>>>> FILE`, or change lines"
    )]
    Excerpt {
        /// Where the fence begins.
        line: usize,
        /// The path.
        path: String,
    },
    /// More content than a source file has.
    #[error("line {line}: {path:?} would have {bytes} bytes; at most {max} are allowed")]
    FileTooLarge {
        /// Where the block begins.
        line: usize,
        /// The path.
        path: String,
        /// Its new size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// All edits together leave every file as it was.
    #[error("the edits change nothing: every file would stay as it is; propose a real change")]
    NoChange,
}

/// Enough places to see what is repeated.
const SHOWN_PLACES: usize = 8;

fn some_lines(at: &[usize]) -> String {
    let mut shown: Vec<String> = at.iter().take(SHOWN_PLACES).map(ToString::to_string).collect();
    if at.len() > shown.len() {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}
