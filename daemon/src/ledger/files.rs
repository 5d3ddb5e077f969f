//! The files around the database: its lock, what is moved aside, what reaches the disk.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::LedgerError;
use super::error::file_failed;

/// What SQLite keeps beside a database; the database itself is the empty one.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// The lock that every process holds that writes to the ledger.
///
/// # Errors
/// [`LedgerError::Busy`] while somebody restores it.
pub(super) fn share(ledger: &Path) -> Result<File, LedgerError> {
    locked(ledger, File::try_lock_shared)
}

/// The same lock, for one who replaces the ledger.
///
/// # Errors
/// [`LedgerError::Busy`] while anybody writes to it.
pub(super) fn alone(ledger: &Path) -> Result<File, LedgerError> {
    locked(ledger, File::try_lock)
}

fn locked(
    ledger: &Path,
    lock: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<File, LedgerError> {
    let failed = |problem| file_failed(ledger.to_owned(), problem);
    let path = ending(ledger, ".lock");
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    lock(&file).map_err(|problem| failed(problem.into()))?;
    Ok(file)
}

/// Whether there is a database with anything in it.
pub(super) fn is_there(ledger: &Path) -> bool {
    fs::metadata(ledger).is_ok_and(|found| found.len() > 0)
}

/// Renames a file, and what SQLite keeps beside it, to the first free `<name>.<word>-<n>`. A log
/// that stayed would be taken for the next database's own.
pub(super) fn aside(path: &Path, word: &str) -> io::Result<Option<PathBuf>> {
    let is_free = |path: &PathBuf| ENDINGS.iter().all(|end| !ending(path, end).exists());
    if is_free(&path.to_owned()) {
        return Ok(None);
    }
    let mut names = (1u32..).map(|n| ending(path, &format!(".{word}-{n}")));
    let Some(to) = names.find(is_free) else { return Ok(None) };
    for end in ENDINGS {
        tolerate_missing(fs::rename(ending(path, end), ending(&to, end)))?;
    }
    sync_directory(path)?;
    Ok(Some(to))
}

/// Removes a database that nobody needs any more.
pub(super) fn remove(database: &Path) -> io::Result<()> {
    ENDINGS.iter().try_for_each(|end| tolerate_missing(fs::remove_file(ending(database, end))))
}

/// Puts a finished file where another may be: both names reach the disk with its content.
pub(super) fn put(finished: &Path, place: &Path) -> io::Result<()> {
    File::open(finished)?.sync_all()?;
    fs::rename(finished, place)?;
    sync_directory(place)
}

fn sync_directory(of: &Path) -> io::Result<()> {
    File::open(of.parent().unwrap_or(of))?.sync_all()
}

fn tolerate_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A path with something behind its name.
pub(super) fn ending(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}
