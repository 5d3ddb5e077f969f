//! Where a keep is worked on. Whoever holds it is alone there.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook::Notebook;
use crate::runner::{self, FileLock, LockError, remove_written};
use crate::task::Task;

pub(super) struct Desk {
    root: PathBuf,
    _lock: FileLock,
}

impl Desk {
    /// Takes it, with nothing on it.
    pub(super) async fn clear(notebook: &Notebook) -> Result<Self, Failure> {
        let root = root(notebook)?;
        let lock = FileLock::take(&root.with_extension("lock")).map_err(taken)?;
        // Of an earlier delivery that was killed: nobody may write in it while it is removed.
        runner::end_leftovers(&root.to_string_lossy()).await;
        remove_written(&root).or_outside()?;
        fs::create_dir(&root).or_outside()?;
        Ok(Self { root, _lock: lock })
    }

    /// Refuses one that somebody has; makes nothing.
    pub(super) fn require_free(notebook: &Notebook) -> Result<(), Failure> {
        FileLock::require_free(&root(notebook)?.with_extension("lock")).map_err(taken)
    }

    /// What programs that are at work on it carry.
    pub(super) fn mark(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// What a run leaves, each in a directory of its own.
    pub(super) fn out(&self, what: &str) -> PathBuf {
        self.root.join(what)
    }

    pub(super) fn task(&self) -> PathBuf {
        self.root.join("task.toml")
    }

    pub(super) fn write_task(&self, task: &Task) -> Result<(), Failure> {
        fs::write(self.task(), &task.text).or_outside()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What stays is cleared by the next who takes it.
        let _ = remove_written(&self.root);
    }
}

fn root(notebook: &Notebook) -> Result<PathBuf, Failure> {
    Ok(notebook.root().canonicalize().or_outside()?.join("deliver"))
}

fn taken(error: LockError) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Kind::Configuration, error)
            .hint("a keep of this session is being evaluated, exported or trained: wait for that"),
        LockError::Io { .. } => Failure::new(Kind::Outside, error),
    }
}
