//! What a killed process or a power cut leaves of references: locks that nobody holds, files that
//! hold nothing.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{Repository, RepositoryError};

/// How long a git command may hold a lock before it counts as dead: it takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// Locks that are not ours to remove: any git command takes them.
const FOREIGN: [&str; 3] = ["HEAD.lock", "index.lock", "packed-refs.lock"];

/// What was found of locks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Locks of this session's references that nobody held; they are gone now.
    pub removed: Vec<PathBuf>,
    /// Locks of somebody else, for people: git works again when these are removed.
    pub foreign: Vec<PathBuf>,
}

impl Repository {
    /// Removes the locks of a session's own references that outlive a second: the branch
    /// `autoresearch/<tag>` and everything below `refs/dfr/<tag>`. To be called by the process that
    /// holds the session, before it changes anything.
    ///
    /// # Errors
    /// The references cannot be listed, or a lock cannot be removed.
    pub fn clear_own_locks(&self, tag: &str) -> Result<Locks, RepositoryError> {
        let before = self.locks(tag)?;
        if before.removed.is_empty() && before.foreign.is_empty() {
            return Ok(before);
        }
        let same = |path: &PathBuf| identity(path).map(|identity| (path.clone(), identity));
        let held: Vec<_> = before.removed.iter().chain(&before.foreign).filter_map(same).collect();
        thread::sleep(PATIENCE);
        let stale = |path: &PathBuf| held.iter().any(|old| Some(old) == same(path).as_ref());
        let mut left = self.locks(tag)?;
        left.removed.retain(stale);
        left.foreign.retain(stale);
        for lock in &left.removed {
            remove(lock).map_err(|source| failed(lock, source))?;
        }
        Ok(left)
    }

    /// Removes those of a session's own references whose files hold no object id, as a power cut
    /// leaves them on some file systems, and returns their names. The caller puts them back from the
    /// ledger.
    ///
    /// # Errors
    /// The references cannot be listed, or one cannot be removed.
    pub fn mend_own_refs(&self, tag: &str) -> Result<Vec<String>, RepositoryError> {
        let mut mended = Vec::new();
        for path in self.own_files(tag)?.into_iter().filter(|path| !is_lock(path)) {
            let content = fs::read(&path).map_err(|source| failed(&path, source))?;
            if !is_reference(&content) {
                remove(&path).map_err(|source| failed(&path, source))?;
                let name = path.strip_prefix(self.git.commondir()).unwrap_or(&path);
                mended.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(mended)
    }

    /// Every lock there is now; ours as if they were to be removed.
    fn locks(&self, tag: &str) -> Result<Locks, RepositoryError> {
        let removed = self.own_files(tag)?.into_iter().filter(|path| is_lock(path)).collect();
        let mut foreign: Vec<PathBuf> = [self.git.path(), self.git.commondir()]
            .iter()
            .flat_map(|directory| FOREIGN.map(|name| directory.join(name)))
            .filter(|path| path.exists())
            .collect();
        foreign.sort();
        foreign.dedup();
        Ok(Locks { removed, foreign })
    }

    /// The files of a session's references, and the locks beside them.
    fn own_files(&self, tag: &str) -> Result<Vec<PathBuf>, RepositoryError> {
        let references = self.git.commondir().join("refs");
        let branch = references.join("heads/autoresearch").join(tag);
        let lock = branch.with_file_name(format!("{tag}.lock"));
        let mut found: Vec<PathBuf> =
            [branch, lock].into_iter().filter(|path| path.is_file()).collect();
        let mut open = vec![references.join("dfr").join(tag)];
        while let Some(directory) = open.pop() {
            let entries = match fs::read_dir(&directory) {
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|source| failed(&directory, source))?,
            };
            for entry in entries {
                let path = entry.map_err(|source| failed(&directory, source))?.path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        Ok(found)
    }
}

fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "lock")
}

/// Tells a lock from one that was taken later under the same name.
fn identity(path: &Path) -> Option<(u64, i64, i64)> {
    fs::metadata(path).ok().map(|found| (found.ino(), found.mtime(), found.mtime_nsec()))
}

/// Whether git could read it: an object id, or the name of another reference.
fn is_reference(content: &[u8]) -> bool {
    let text = content.trim_ascii_end();
    text.starts_with(b"ref: ")
        || (matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done?,
    }
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

fn failed(path: &Path, source: io::Error) -> RepositoryError {
    RepositoryError::File { path: path.to_owned(), source }
}
