//! Candidates: a parent's tree with some files changed, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{DiffFile, ErrorCode, FileMode, Oid, Signature, Time, Tree};

use super::error::{Doing as _, RepositoryError};
use super::text::TEXT_LIMIT;
use super::tree::{Kind, kind};
use super::{Repository, durable};
use crate::patch::Patch;

const NAME: &str = "dfr-daemon";
const EMAIL: &str = "dfr-daemon@localhost";

/// Bytes of all files together that are shown of a change: the first commit of a repository changes
/// everything in it.
const CHANGES_LIMIT: usize = 4 * TEXT_LIMIT;

/// Files by path.
type Files = BTreeMap<String, String>;

impl Repository {
    /// Commits a patch on top of `parent`, on no branch, and returns the full object id. The same
    /// arguments give the same id.
    ///
    /// # Errors
    /// A file that would replace, or lie below, anything but files and directories.
    pub fn commit(
        &self,
        parent: &str,
        patch: &Patch,
        (message, at_ms): (&str, i64),
    ) -> Result<String, RepositoryError> {
        let doing = || format!("commit a candidate on {parent}");
        let parent = self.commit_at(parent)?;
        let base = parent.tree().doing(doing)?;
        let mut update = TreeUpdateBuilder::new();
        for (path, content) in &patch.files {
            let mode = mode_at(&base, path)?;
            let Some(content) = content else {
                update.remove(path.as_str());
                continue;
            };
            let blob = self.git.blob(content.as_bytes()).doing(doing)?;
            update.upsert(path.as_str(), blob, mode);
        }
        let tree = update.create_updated(&self.git, &base).doing(doing)?;
        let tree = self.git.find_tree(tree).doing(doing)?;
        let when = Time::new(at_ms.div_euclid(1000), 0);
        let who = Signature::new(NAME, EMAIL, &when).doing(doing)?;
        let id = self.git.commit(None, &who, &who, message, &tree, &[&parent]).doing(doing)?;
        // Directories of objects may be new.
        let objects = self.git.commondir().join("objects");
        durable::sync_above(&objects.join("00/0"), &objects)?;
        Ok(id.to_string())
    }

    /// The files in which a commit differs from its first parent: before and after, by path. What is
    /// too large to be read is told by its size.
    ///
    /// # Errors
    /// An unknown commit or an unreadable object.
    pub fn changes(&self, commit: &str) -> Result<(Files, Files), RepositoryError> {
        let doing = || format!("read the changes of {commit}");
        let commit = self.commit_at(commit)?;
        let after = commit.tree().doing(doing)?;
        let before =
            commit.parents().next().map(|parent| parent.tree()).transpose().doing(doing)?;
        let diff = self.git.diff_tree_to_tree(before.as_ref(), Some(&after), None).doing(doing)?;
        let mut sides = (Files::new(), Files::new());
        let mut left = CHANGES_LIMIT;
        for delta in diff.deltas() {
            sides.0.extend(self.side(&delta.old_file(), &mut left).doing(doing)?);
            sides.1.extend(self.side(&delta.new_file(), &mut left).doing(doing)?);
        }
        Ok(sides)
    }

    /// Path and content of one side of a change; bytes that are no UTF-8 are replaced, for people.
    fn side(
        &self,
        file: &DiffFile<'_>,
        left: &mut usize,
    ) -> Result<Option<(String, String)>, git2::Error> {
        let Some(path) = file.path().filter(|_| file.id() != Oid::ZERO_SHA1) else {
            return Ok(None);
        };
        let content = match file.mode() {
            FileMode::Commit => format!("submodule {}\n", file.id()),
            _ => self.within(file.id(), left)?,
        };
        Ok(Some((path.to_string_lossy().into_owned(), content)))
    }

    fn within(&self, id: Oid, left: &mut usize) -> Result<String, git2::Error> {
        let bytes = self.bytes(id)?;
        if bytes > TEXT_LIMIT.min(*left) {
            return Ok(format!("{id}: {bytes} bytes, too many to be shown\n"));
        }
        *left -= bytes;
        Ok(String::from_utf8_lossy(self.git.find_blob(id)?.content()).into_owned())
    }
}

/// The mode that a file of a patch gets: what it has, or that of a plain file.
fn mode_at(base: &Tree<'_>, path: &str) -> Result<FileMode, RepositoryError> {
    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
    for part in above.chain([path]) {
        let found = match base.get_path(Path::new(part)) {
            Ok(entry) => kind(&entry),
            Err(error) if error.code() == ErrorCode::NotFound => break,
            Err(error) => return Err(error).doing(|| format!("find {part:?}")),
        };
        match (found, part == path) {
            (Kind::Directory, false) => {}
            (Kind::File { executable: true }, true) => return Ok(FileMode::BlobExecutable),
            (Kind::File { executable: false }, true) => return Ok(FileMode::Blob),
            _ => {
                let (path, blocker) = (path.to_owned(), part.to_owned());
                return Err(RepositoryError::Blocked { path, blocker, what: found.as_str() });
            }
        }
    }
    Ok(FileMode::Blob)
}
