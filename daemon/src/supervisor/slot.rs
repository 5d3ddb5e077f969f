//! The fixed place in which candidates are built, one after the other, with a warm target
//! directory. The same for every clone of a project, so that a second clone starts warm.
//!
//! What a candidate's build leaves in the target directory could change the next one's. So each
//! begins with a copy of the trusted one, which holds what people's own code made. Once a program is
//! kept elsewhere, the next copy is made while it trains.

use std::fs::{self, File};
use std::io;
use std::mem;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::notebook::{sync, write_atomic};
use crate::runner::{FileLock, LockError, remove_written};

/// What says that nothing was predicted since files were last put out of memory.
const LEVEL: &str = "level";

/// A clone is the same slot: the lock is held for as long as there is one of them.
#[derive(Clone)]
pub(super) struct Slot {
    /// Source tree of the candidate in hand.
    pub(super) tree: PathBuf,
    /// Build products of the candidate in hand.
    pub(super) target: PathBuf,
    /// Where a run has its home and its temporary files.
    pub(super) scratch: PathBuf,
    /// Build products of a commit that people made.
    trusted: PathBuf,
    root: PathBuf,
    lock: Arc<FileLock>,
    /// Whoever makes the target directory anew holds it; a build does not, so nothing is copied under one.
    copied: Arc<Mutex<Copied>>,
}

/// What is in the target directory.
#[derive(Default, PartialEq)]
enum Copied {
    /// What a build made, or will make.
    #[default]
    No,
    /// The same, which nobody needs: a copy is to take its place.
    Wanted,
    /// An untouched copy of the products of this commit.
    Of(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SlotError {
    #[error("cannot create {}", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("another session builds and trains on this machine")]
    Busy(#[source] LockError),
}

impl Slot {
    /// Takes it for the repository with this root commit.
    pub(super) fn claim(cache: &Path, project: &str) -> Result<Self, SlotError> {
        Self::at(&place(cache, project))
    }

    /// Refuses where [`Self::claim`] would because somebody has it; makes nothing.
    pub(super) fn require_free(cache: &Path, project: &str) -> Result<(), SlotError> {
        FileLock::require_free(&place(cache, project).join("lock")).map_err(SlotError::Busy)
    }

    fn at(root: &Path) -> Result<Self, SlotError> {
        let made = fs::create_dir_all(root.join("target")).and_then(|()| root.canonicalize());
        let failed = |source| SlotError::Create { path: root.join("target"), source };
        let root = made.map_err(failed)?;
        let lock = Arc::new(FileLock::take(&root.join("lock")).map_err(SlotError::Busy)?);
        let [tree, target, scratch, trusted] =
            ["tree", "target", "scratch", "trusted"].map(|name| root.join(name));
        Ok(Self { tree, target, scratch, trusted, root, lock, copied: Arc::default() })
    }

    /// Claims the slot anew when somebody has cleared the cache. Says whether what was built is gone
    /// with it.
    pub(super) fn keep(&mut self) -> Result<bool, SlotError> {
        if self.lock.holds() {
            return Ok(false);
        }
        let copied = self.copied.clone();
        *self = Self { copied, ..Self::at(&self.root.clone())? };
        *self.copied() = Copied::No;
        Ok(true)
    }

    /// Whether what is in memory of the files that all runs read tells nothing of a prediction.
    pub(super) fn is_level(&self) -> bool {
        self.root.join(LEVEL).exists()
    }

    /// Writes that down for later lives. A machine that restarts forgets what was in memory as well.
    ///
    /// # Errors
    /// What was written down cannot be taken back, or cannot be written.
    pub(super) fn set_level(&self, is_level: bool) -> io::Result<()> {
        let mark = self.root.join(LEVEL);
        if is_level {
            return fs::write(mark, "");
        }
        match fs::remove_file(mark) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Makes sure that the slot's places are directories of its own. Candidates run in them, and a
    /// link that one left there leads to whatever it likes.
    pub(super) fn secure(&self) -> io::Result<()> {
        for place in [&self.root, &self.tree, &self.target, &self.scratch] {
            if place.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                fs::remove_file(place)?;
            }
            fs::create_dir_all(place)?;
        }
        Ok(())
    }

    /// Where all of them are.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the trusted products are those of this commit.
    pub(super) fn trusts(&self, commit: &str) -> bool {
        self.trusted.is_dir()
            && fs::read_to_string(self.mark()).is_ok_and(|trusted| trusted == commit)
    }

    /// Makes the target directory anew from the products of this commit, if they are trusted.
    pub(super) fn renew(&self, commit: &str) -> io::Result<()> {
        let mut copied = self.copied();
        // What is built now changes it.
        let is_ready = mem::take(&mut *copied) == Copied::Of(commit.to_owned());
        if is_ready && self.trusts(commit) && self.target.is_dir() {
            return Ok(());
        }
        self.renew_target(commit)
    }

    /// Says that nobody needs what the last build left.
    pub(super) fn wish_ahead(&self) {
        *self.copied() = Copied::Wanted;
    }

    /// Makes it anew ahead of the next build; nothing once that has begun.
    pub(super) fn renew_ahead(&self, commit: &str) -> io::Result<()> {
        let mut copied = self.copied();
        if mem::take(&mut *copied) != Copied::Wanted {
            return Ok(());
        }
        // The half of a copy would keep a full disk full.
        self.renew_target(commit).inspect_err(|_| drop(remove_written(&self.target)))?;
        *copied = Copied::Of(commit.to_owned());
        Ok(())
    }

    fn renew_target(&self, commit: &str) -> io::Result<()> {
        remove_written(&self.target)?;
        match self.trusts(commit) {
            true => copy(&self.trusted, &self.target),
            false => fs::create_dir_all(&self.target),
        }
    }

    fn copied(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what the last candidate's build left, however much that is, and a copy that was cut
    /// short.
    pub(super) fn give_up_target(&self) -> io::Result<()> {
        let mut copied = self.copied();
        *copied = Copied::No;
        if !self.mark().exists() {
            remove_written(&self.trusted)?;
        }
        remove_written(&self.target)?;
        fs::create_dir_all(&self.target)
    }

    /// Gives up all that builds begin from.
    pub(super) fn start_over(&self) -> io::Result<()> {
        self.distrust()?;
        self.give_up_target()
    }

    /// Whether there are products of an earlier build, trusted or not.
    pub(super) fn is_warm(&self) -> bool {
        fs::read_dir(&self.target).is_ok_and(|mut products| products.next().is_some())
    }

    /// Empties the place of temporary files: no run finds what another left there.
    pub(super) fn renew_scratch(&self) -> io::Result<()> {
        remove_written(&self.scratch)?;
        fs::create_dir(&self.scratch)
    }

    /// Trusts what is in the target directory now: the products of this commit. They have reached the
    /// disk before their mark does: a power cut leaves none of which a part is missing.
    pub(super) fn trust(&self, commit: &str) -> io::Result<()> {
        let _unchanged = self.copied();
        self.distrust()?;
        remove_written(&self.trusted)?;
        let copied =
            copy(&self.target, &self.trusted).and_then(|()| sync(&self.trusted, usize::MAX));
        if copied.is_err() {
            // A full disk, mostly: the half of it would keep it full.
            remove_written(&self.trusted)?;
        }
        copied?;
        write_atomic(&self.mark(), commit.as_bytes())
    }

    /// Without its mark a copy is none.
    fn distrust(&self) -> io::Result<()> {
        remove_written(&self.mark())?;
        File::open(&self.root)?.sync_all()
    }

    fn mark(&self) -> PathBuf {
        self.trusted.with_extension("commit")
    }
}

/// `<cache>/build/<project>/slot-0`, where `project` is the name of the repository's root commit, which all
/// clones share, its first twelve digits.
pub(super) fn place(cache: &Path, project: &str) -> PathBuf {
    let digits = project.get(..12).unwrap_or(project);
    cache.join("build").join(digits).join("slot-0")
}

/// Copies a tree with its times, by which build tools tell what is old. Links stay links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, source, copied) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&source, &copied)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &copied)?;
        } else if kind.is_file() {
            // Shares its blocks where the file system can.
            fs::copy(&source, &copied)?;
            let times = fs::FileTimes::new().set_modified(entry.metadata()?.modified()?);
            File::open(&copied)?.set_times(times)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_candidate_left_is_gone_and_what_is_trusted_has_its_times() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::claim(cache.path(), "p").unwrap();
        let file = slot.target.join("release/deps/x.rlib");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "honest").unwrap();
        symlink("x.rlib", file.with_extension("link")).unwrap();
        let made = file.metadata().unwrap().modified().unwrap();
        assert!(!slot.trusts("c"));
        slot.trust("c").unwrap();
        assert!(slot.trusts("c") && !slot.trusts("d"));
        fs::write(&file, "poisoned").unwrap();
        fs::write(slot.target.join("planted"), "").unwrap();
        slot.renew("c").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "honest");
        assert_eq!(file.metadata().unwrap().modified().unwrap(), made);
        assert_eq!(fs::read_link(file.with_extension("link")).unwrap(), Path::new("x.rlib"));
        assert!(!slot.target.join("planted").exists());
        slot.renew("d").unwrap();
        assert!(slot.target.is_dir() && !file.exists(), "another commit's are not its own");
    }

    #[test]
    fn a_copy_that_was_made_ahead_serves_one_build() {
        let cache = tempfile::tempdir().unwrap();
        let mut slot = Slot::claim(cache.path(), "p").unwrap();
        let (file, planted) = (slot.target.join("x"), slot.target.join("planted"));
        let ahead = |slot: &Slot, commit: &str| {
            slot.wish_ahead();
            slot.renew_ahead(commit).unwrap();
        };
        let renewed = |slot: &Slot, commit: &str| {
            // Stands for nothing but whether the copy was made anew.
            fs::write(&planted, "").unwrap();
            slot.renew(commit).unwrap();
            assert!(!planted.exists() || file.exists());
            !planted.exists()
        };
        fs::write(&file, "x").unwrap();
        slot.trust("c").unwrap();
        fs::write(&file, "poisoned").unwrap();
        ahead(&slot, "c");
        assert_eq!(fs::read_to_string(&file).unwrap(), "x");
        assert!(!renewed(&slot, "c"), "it was there");
        assert!(renewed(&slot, "c"), "a build has changed it since");
        slot.wish_ahead();
        assert!(renewed(&slot, "c"));
        fs::write(&planted, "built").unwrap();
        slot.renew_ahead("c").unwrap();
        assert!(planted.exists(), "the next build had begun");
        ahead(&slot, "c");
        assert!(renewed(&slot, "d"), "another commit's");
        ahead(&slot, "c");
        slot.give_up_target().unwrap();
        assert!(renewed(&slot, "c"), "it was given up");
        ahead(&slot, "c");
        fs::remove_dir_all(&slot.root).unwrap();
        assert!(slot.keep().unwrap());
        assert!(renewed(&slot, "c"), "the slot was cleared");
    }

    #[test]
    fn a_copy_that_was_cut_short_is_not_trusted() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::claim(cache.path(), "p").unwrap();
        fs::write(slot.target.join("x"), "x").unwrap();
        slot.trust("c").unwrap();
        fs::remove_file(slot.mark()).unwrap();
        slot.renew("c").unwrap();
        assert!(!slot.trusts("c") && slot.target.is_dir() && !slot.target.join("x").exists());
        slot.give_up_target().unwrap();
        assert!(!slot.trusted.exists());
    }

    #[test]
    fn what_does_not_build_any_more_is_given_up_with_its_mark() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::claim(cache.path(), "p").unwrap();
        fs::write(slot.target.join("x"), "x").unwrap();
        slot.trust("c").unwrap();
        assert!(slot.is_warm());
        slot.start_over().unwrap();
        assert!(!slot.is_warm() && !slot.trusts("c") && !slot.trusted.exists());
    }

    #[test]
    fn what_somebody_cleared_is_not_trusted() {
        let cache = tempfile::tempdir().unwrap();
        let slot = Slot::claim(cache.path(), "p").unwrap();
        slot.trust("c").unwrap();
        fs::remove_dir(&slot.trusted).unwrap();
        slot.renew("c").unwrap();
        assert!(!slot.trusts("c") && slot.target.is_dir());
    }
}
