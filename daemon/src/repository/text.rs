//! Files of a commit for somebody who looks around in it: read one by one, and none that is large.

use std::ops::ControlFlow;
use std::path::Path;

use git2::{ErrorCode, Oid};

use super::error::{Doing as _, RepositoryError};
use super::tree::{self, Kind, kind};
use super::{Repository, tree::TreeFile};

/// Bytes of the largest file that is looked into. A data set that somebody committed would fill the
/// memory; no source is as long.
pub(super) const TEXT_LIMIT: usize = 1024 * 1024;

/// A file as somebody who looks around sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// All of it, which is UTF-8.
    Whole(String),
    /// It is too large to be looked into, and was not read.
    Large,
}

impl Repository {
    /// Shows the regular UTF-8 files of a commit, by path, until the visitor has seen enough. Only one
    /// of them is in memory at a time.
    ///
    /// # Errors
    /// An unknown commit or an unreadable object.
    pub fn visit(
        &self,
        commit: &str,
        mut visit: impl FnMut(&str, &Text) -> ControlFlow<()>,
    ) -> Result<(), RepositoryError> {
        let doing = || format!("look around in {commit}");
        let tree = self.commit_at(commit)?.tree().doing(doing)?;
        let mut files = tree::files(&self.git, &tree).doing(doing)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        for TreeFile { path, id } in files {
            let text = self.text(id).doing(doing)?;
            if text.is_some_and(|text| visit(&path, &text).is_break()) {
                break;
            }
        }
        Ok(())
    }

    /// One regular UTF-8 file of a commit, if it is there.
    ///
    /// # Errors
    /// An unknown commit or an unreadable object.
    pub fn look_at(&self, commit: &str, path: &str) -> Result<Option<Text>, RepositoryError> {
        let doing = || format!("look at {path:?} of {commit}");
        let id = self.file(commit, path)?;
        Ok(id.map(|id| self.text(id)).transpose().doing(doing)?.flatten())
    }

    /// The blob of a regular file of a commit, if it is there.
    pub(super) fn file(&self, commit: &str, path: &str) -> Result<Option<Oid>, RepositoryError> {
        let doing = || format!("find {path:?} in {commit}");
        let tree = self.commit_at(commit)?.tree().doing(doing)?;
        match tree.get_path(Path::new(path)) {
            Ok(entry) => Ok(matches!(kind(&entry), Kind::File { .. }).then(|| entry.id())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error).doing(doing),
        }
    }

    fn text(&self, id: Oid) -> Result<Option<Text>, git2::Error> {
        if self.bytes(id)? > TEXT_LIMIT {
            return Ok(Some(Text::Large));
        }
        let blob = self.git.find_blob(id)?;
        Ok(std::str::from_utf8(blob.content()).ok().map(|text| Text::Whole(text.to_owned())))
    }

    /// The size of a blob, which stands at its beginning.
    pub(super) fn bytes(&self, id: Oid) -> Result<usize, git2::Error> {
        Ok(self.git.odb()?.read_header(id)?.0)
    }
}
