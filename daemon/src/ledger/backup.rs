//! Copies of the ledger, made while it is written and read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{failed, file_failed};
use super::{Ledger, LedgerError, files};

/// Name of the directory of backups, beside the ledger.
const DIRECTORY: &str = "backups";
const UNFINISHED: &str = ".dfr.db.tmp";

impl Ledger {
    /// Makes a backup, and removes the oldest ones but `keep`. A copy that does not agree with the
    /// journals replaces no older one.
    ///
    /// # Errors
    /// The disk is full, the directory cannot be written, or the ledger is damaged. Older backups
    /// are all there then.
    pub async fn back_up(&self, keep: usize) -> Result<PathBuf, LedgerError> {
        let directory = directory(&self.path);
        fs::create_dir_all(&directory)
            .map_err(|source| LedgerError::Directory { path: directory.clone(), source })?;
        let unfinished = directory.join(UNFINISHED);
        let failed = |problem| file_failed(directory.clone(), problem);
        files::remove(&unfinished).map_err(failed)?;
        if let Err(problem) = self.copy_to(&unfinished).await {
            // The room that half a copy takes is needed most when the disk is full.
            files::remove(&unfinished).map_err(failed)?;
            return Err(problem);
        }
        let number = backups(&self.path).last().map_or(1, |(number, _)| number + 1);
        let place = directory.join(format!("dfr-{number:06}.db"));
        files::put(&unfinished, &place).map_err(failed)?;
        let mut old = backups(&self.path);
        old.truncate(old.len().saturating_sub(keep.max(1)));
        old.iter().try_for_each(|(_, path)| files::remove(path)).map_err(failed)?;
        Ok(place)
    }

    /// A copy without a log of its own that holds what the journals say.
    async fn copy_to(&self, path: &Path) -> Result<(), LedgerError> {
        sqlx::query("vacuum into ?")
            .bind(path.to_string_lossy())
            .execute(&self.pool)
            .await
            .map_err(|source| failed(path, source))?;
        let copy = Self { path: self.path.clone(), ..Self::open_unlocked(path).await? };
        let checked = copy.check().await;
        copy.close().await;
        checked.map(drop)
    }
}

/// Number and place of every backup, oldest first.
pub(super) fn backups(ledger: &Path) -> Vec<(u32, PathBuf)> {
    let found = fs::read_dir(directory(ledger)).into_iter().flatten().flatten();
    let mut backups: Vec<_> = found.filter_map(|entry| numbered(&entry.path())).collect();
    backups.sort();
    backups
}

/// Takes a backup to where a ledger is made ready.
pub(super) fn take(backup: &Path, to: &Path) -> io::Result<()> {
    fs::copy(backup, to).map(drop)
}

fn numbered(path: &Path) -> Option<(u32, PathBuf)> {
    let number = path.file_name()?.to_str()?.strip_prefix("dfr-")?.strip_suffix(".db")?;
    Some((number.parse().ok()?, path.to_owned()))
}

fn directory(ledger: &Path) -> PathBuf {
    ledger.with_file_name(DIRECTORY)
}
