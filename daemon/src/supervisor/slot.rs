//! The fixed place in which candidates are built, one after the other, with a warm target
//! directory. The same for every clone of a project, so that a second clone starts warm.

use std::path::{Path, PathBuf};

use crate::runner::{FileLock, LockError};

pub(super) struct Slot {
    /// Source tree of the candidate in hand.
    pub(super) tree: PathBuf,
    /// Build products, kept between candidates.
    pub(super) target: PathBuf,
    root: PathBuf,
    lock: FileLock,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SlotError {
    #[error("cannot create {}", path.display())]
    Create { path: PathBuf, source: std::io::Error },
    #[error("another session builds and trains on this machine")]
    Busy(#[source] LockError),
}

impl Slot {
    /// `<cache>/build/<project>/slot-0`, where `project` is the name of the repository's root
    /// commit, which all clones share.
    pub(super) fn claim(cache: &Path, project: &str) -> Result<Self, SlotError> {
        Self::at(cache.join("build").join(project).join("slot-0"))
    }

    fn at(root: PathBuf) -> Result<Self, SlotError> {
        let target = root.join("target");
        std::fs::create_dir_all(&target)
            .map_err(|source| SlotError::Create { path: target.clone(), source })?;
        let lock = FileLock::take(&root.join("lock")).map_err(SlotError::Busy)?;
        Ok(Self { tree: root.join("tree"), target, root, lock })
    }

    /// Claims the slot anew when somebody has cleared the cache. Says whether what was built is gone
    /// with it.
    pub(super) fn keep(&mut self) -> Result<bool, SlotError> {
        if self.lock.holds() {
            return Ok(false);
        }
        *self = Self::at(self.root.clone())?;
        Ok(true)
    }

    /// Makes sure that the slot's places are directories of its own. Candidates run in them, and a
    /// link that one left there leads to whatever it likes.
    pub(super) fn secure(&self) -> std::io::Result<()> {
        for place in [&self.root, &self.tree, &self.target] {
            if place.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                std::fs::remove_file(place)?;
            }
            std::fs::create_dir_all(place)?;
        }
        Ok(())
    }
}
