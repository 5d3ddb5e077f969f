//! The user's git repository [git2]: candidates are commits made from trees and blobs, branches
//! move by compare-and-swap.
//!
//! Never touched: the checkout, the index, the configuration. Never run: a hook or a filter.
//! Never forced: a reference. libgit2 does none of it unless asked, and nothing here asks.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{BranchType, Commit, ErrorCode, Oid, RepositoryOpenFlags};

use crate::patch::Scope;

mod branch;
mod commit;
mod durable;
mod error;
mod export;
mod leftovers;
mod root;
mod tag;
mod text;
mod tree;

pub use error::RepositoryError;
pub use export::Exported;
pub use leftovers::Locks;
pub use tag::{InvalidTag, valid_tag};
pub use text::Text;

use error::Doing as _;

/// Where a session starts without `--base`, in this order.
const BASES: [&str; 2] = ["main", "master"];

/// A repository on this machine. Calls are synchronous and take milliseconds; only a lock held by
/// another program makes one wait, at most two seconds.
pub struct Repository {
    git: git2::Repository,
}

impl Repository {
    /// Opens the repository that `path` is in, with or without a work tree, and makes what this
    /// process writes into repositories from now on survive a power cut.
    ///
    /// # Errors
    /// No repository there, or one that git does not trust.
    pub fn open(path: &Path) -> Result<Self, RepositoryError> {
        // Before: what opens a repository's references asks once and remembers.
        durable::switch_on()?;
        let no_ceiling: [&Path; 0] = [];
        let git = git2::Repository::open_ext(path, RepositoryOpenFlags::empty(), no_ceiling);
        let git = git.map_err(|source| match source.code() {
            ErrorCode::NotFound => RepositoryError::NotARepository { path: path.to_owned() },
            ErrorCode::Owner => RepositoryError::Untrusted { path: path.to_owned() },
            _ => RepositoryError::git(format!("open the repository at {}", path.display()), source),
        })?;
        Ok(Self { git })
    }

    /// The work tree, or the repository itself when it has none.
    pub fn path(&self) -> &Path {
        self.git.workdir().unwrap_or_else(|| self.git.path())
    }

    /// The commit that a session starts from, as a full object id: a revision, or the tip of
    /// `main`, or that of `master`.
    ///
    /// # Errors
    /// The revision is unknown, or neither branch exists.
    pub fn base(&self, revision: Option<&str>) -> Result<String, RepositoryError> {
        if let Some(revision) = revision {
            let commit =
                self.git.revparse_single(revision).and_then(|found| found.peel_to_commit());
            return commit
                .map(|commit| commit.id().to_string())
                .map_err(|_| RepositoryError::UnknownRevision { revision: revision.to_owned() });
        }
        let tips =
            BASES.iter().filter_map(|name| self.git.find_branch(name, BranchType::Local).ok());
        let commit = tips.filter_map(|branch| branch.get().peel_to_commit().ok()).next();
        commit
            .map(|commit| commit.id().to_string())
            .ok_or_else(|| RepositoryError::NoBase { path: self.path().to_owned() })
    }

    /// The first line of a commit's message.
    ///
    /// # Errors
    /// An unknown commit.
    pub fn subject(&self, commit: &str) -> Result<String, RepositoryError> {
        let commit = self.commit_at(commit)?;
        let subject = commit.summary_bytes().unwrap_or_default();
        Ok(String::from_utf8_lossy(subject).into_owned())
    }

    /// Every editable file of a commit: regular, UTF-8, in scope.
    ///
    /// # Errors
    /// An unknown commit or an unreadable object.
    pub fn files(
        &self,
        commit: &str,
        scope: &Scope,
    ) -> Result<BTreeMap<String, String>, RepositoryError> {
        let doing = || format!("read the files of {commit}");
        let tree = self.commit_at(commit)?.tree().doing(doing)?;
        let mut files = BTreeMap::new();
        for file in tree::files(&self.git, &tree).doing(doing)? {
            if !scope.contains(&file.path) {
                continue;
            }
            let blob = self.git.find_blob(file.id).doing(doing)?;
            if let Ok(text) = std::str::from_utf8(blob.content()) {
                files.insert(file.path, text.to_owned());
            }
        }
        Ok(files)
    }

    /// One regular UTF-8 file of a commit, if it is there.
    ///
    /// # Errors
    /// An unknown commit or an unreadable object.
    pub fn read(&self, commit: &str, path: &str) -> Result<Option<String>, RepositoryError> {
        let doing = || format!("read {path:?} of {commit}");
        let Some(id) = self.file(commit, path)? else { return Ok(None) };
        let blob = self.git.find_blob(id).doing(doing)?;
        Ok(std::str::from_utf8(blob.content()).ok().map(ToOwned::to_owned))
    }

    /// Whether a commit (full object id) is here.
    pub fn has(&self, commit: &str) -> bool {
        self.commit_at(commit).is_ok()
    }

    fn commit_at(&self, id: &str) -> Result<Commit<'_>, RepositoryError> {
        let unknown = || RepositoryError::UnknownRevision { revision: id.to_owned() };
        let oid = Oid::from_str(id).map_err(|_| unknown())?;
        self.git.find_commit(oid).map_err(|_| unknown())
    }
}

#[cfg(test)]
mod tests;
