//! Replies from a list, for tests: whatever is asked, the next one is the answer.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use futures::future::{BoxFuture, FutureExt, ready};

use super::{Proposer, ProposerError, Reply};
use crate::context::Context;
use crate::experiment::Usage;
use crate::prompt::Size;

/// A proposer that reads from a script.
#[derive(Clone, Debug)]
pub struct Scripted {
    replies: VecDeque<String>,
}

/// Why there is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A file or directory that cannot be read.
    #[error("cannot read script {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A directory without a reply.
    #[error("script {} holds no reply: name them 001.txt, 002.txt and so on", path.display())]
    Nothing {
        /// Which.
        path: PathBuf,
    },
}

impl Scripted {
    /// These replies, in this order.
    pub fn new(replies: impl IntoIterator<Item = String>) -> Self {
        Self { replies: replies.into_iter().collect() }
    }

    /// The texts of the files `NNN.txt` in a directory, by name.
    ///
    /// # Errors
    /// A directory or file that cannot be read, or a directory without such a file.
    pub fn from_directory(directory: &Path) -> Result<Self, ScriptError> {
        let read = |path: &Path, source| ScriptError::Read { path: path.to_owned(), source };
        let entries = std::fs::read_dir(directory).map_err(|source| read(directory, source))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.map_err(|source| read(directory, source))?.path());
        }
        paths.retain(|path| is_reply(path));
        paths.sort();
        if paths.is_empty() {
            return Err(ScriptError::Nothing { path: directory.to_owned() });
        }
        let text =
            |path: PathBuf| std::fs::read_to_string(&path).map_err(|source| read(&path, source));
        let replies = paths.into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(Self { replies })
    }
}

fn is_reply(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let numbered = stem.len() == 3 && stem.bytes().all(|b| b.is_ascii_digit());
    numbered && path.extension().is_some_and(|extension| extension == "txt")
}

impl Proposer for Scripted {
    fn name(&self) -> String {
        "scripted".to_owned()
    }

    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>> {
        ready(Ok(())).boxed()
    }

    fn propose<'a>(
        &'a mut self,
        _context: &'a Context<'a>,
        _size: Size,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>> {
        let text = self.replies.pop_front().ok_or(ProposerError::Exhausted);
        ready(text.map(|text| Reply { text, usage: Usage::default() })).boxed()
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_directory_is_read_by_name_and_other_files_are_no_replies() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("002.txt", "b"), ("001.txt", "a"), ("notes.txt", "x"), ("3.txt", "y")]
        {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let script = Scripted::from_directory(directory.path()).unwrap();
        assert_eq!(script.replies, ["a", "b"]);
    }

    #[test]
    fn replies_come_in_order_and_then_no_more() {
        let context = Context {
            task: &crate::task::Task::load("video-sample").unwrap(),
            program: "",
            state: "",
            history: &crate::experiment::History::default(),
            files: &std::collections::BTreeMap::new(),
            budget_s: 20,
            now: &crate::context::Now::default(),
            looks: &[],
            repair: None,
        };
        let mut script = Scripted::new(["a", "b"].map(str::to_owned));
        block_on(script.check()).unwrap();
        for text in ["a", "b"] {
            assert_eq!(block_on(script.propose(&context, Size::Whole)).unwrap().text, text);
        }
        let end = block_on(script.propose(&context, Size::Whole));
        assert!(matches!(end, Err(ProposerError::Exhausted)), "{end:?}");
    }

    #[test]
    fn a_directory_without_replies_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let message = Scripted::from_directory(directory.path()).unwrap_err().to_string();
        assert!(message.contains("001.txt"), "{message}");
        let missing = directory.path().join("missing");
        let message = Scripted::from_directory(&missing).unwrap_err().to_string();
        assert!(message.contains("missing"), "{message}");
    }
}
