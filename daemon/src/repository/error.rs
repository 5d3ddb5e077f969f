//! What can go wrong with a repository.

use std::path::{Path, PathBuf};

/// Why something was not done in the repository. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Neither the path nor a directory above it is one.
    #[error(
        "{} is not in a git repository; name one with --repo, or make one with `git init`",
        path.display()
    )]
    NotARepository {
        /// What was asked for.
        path: PathBuf,
    },
    /// Its files belong to somebody else.
    #[error(
        "the repository at {path} belongs to another user; if you trust it: `git config --global \
         --add safe.directory {path}`",
        path = path.display()
    )]
    Untrusted {
        /// What was asked for.
        path: PathBuf,
    },
    /// Nothing to start from.
    #[error(
        "{} has no branch main or master with a commit; name a revision with --base",
        path.display()
    )]
    NoBase {
        /// The repository.
        path: PathBuf,
    },
    /// Not a commit here.
    #[error("{revision:?} is no commit in this repository; `git log --all --oneline` lists them")]
    UnknownRevision {
        /// What was asked for.
        revision: String,
    },
    /// A branch of that name is there.
    #[error("branch {branch} exists already, at {tip}; go on with --resume, or take another --tag")]
    BranchExists {
        /// Name without `refs/heads/`.
        branch: String,
        /// Where it stands (full object id).
        tip: String,
    },
    /// Somebody else moved, made or deleted a reference.
    #[error(
        "{name} was moved by somebody else: expected at {}, found at {}",
        expected.as_deref().unwrap_or("nothing"),
        found.as_deref().unwrap_or("nothing")
    )]
    Moved {
        /// Full name of the reference.
        name: String,
        /// Where it should have stood (full object id).
        expected: Option<String>,
        /// Where it stands (full object id).
        found: Option<String>,
    },
    /// Another program writes, or died while it did.
    #[error(
        "{} is in the way: another program is writing, or died writing; when no git runs here, \
         delete that file",
        path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file of a patch cannot be put into the tree.
    #[error("{path:?} cannot be written: {blocker:?} is a {what}")]
    Blocked {
        /// The file.
        path: String,
        /// Itself, or the entry above it.
        blocker: String,
        /// What stands there.
        what: &'static str,
    },
    /// The directory of an export cannot be written.
    #[error("cannot export to {}: {source}", path.display())]
    Export {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the repository cannot be removed or put on the disk.
    #[error("cannot put {} right: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that git says.
    #[error("cannot {doing}: {source}")]
    Git {
        /// In words that follow "cannot".
        doing: String,
        /// What git said.
        source: git2::Error,
    },
}

impl RepositoryError {
    pub(super) fn git(doing: String, source: git2::Error) -> Self {
        Self::Git { doing, source }
    }

    pub(super) fn export(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Export { path: path.to_owned(), source }
    }
}

/// Says what was being done when git failed.
pub(super) trait Doing<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, RepositoryError>;
}

impl<T> Doing<T> for Result<T, git2::Error> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, RepositoryError> {
        self.map_err(|source| RepositoryError::git(doing(), source))
    }
}
