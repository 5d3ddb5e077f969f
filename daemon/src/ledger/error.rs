//! Why the ledger cannot be had, with the way out.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use crate::experiment::IllegalEntry;

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Asked to read a ledger that nobody has begun.
    #[error("no ledger at {}: start a session first, or name its place with --state-dir", path.display())]
    NotThere {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not SQLite, or not one of ours.
    #[error("{} is not a ledger: move it away, or name another place with --state-dir", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// The tables come from another version of this program.
    #[error("the ledger {} was written by another version: use that one ({reason})", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Which step differs.
        reason: String,
    },
    /// The directory cannot be made.
    #[error("cannot make the directory {}: name a writable place with --state-dir", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or its directory cannot be opened or written.
    #[error("cannot write the ledger {}: make it writable, or name another place with --state-dir", path.display())]
    Forbidden {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// No space left.
    #[error("the disk with the ledger {} is full: free some space; nothing recorded is lost", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Somebody else holds the file.
    #[error("the ledger {} is held by another program: end that one, then try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Anything else that SQLite says.
    #[error("the ledger {} does not work: check its disk, then try again", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// A session of this tag is there already.
    #[error(
        "session {tag:?} is in the ledger already: go on with --resume, or choose another --tag"
    )]
    TagTaken {
        /// The tag.
        tag: String,
    },
    /// An entry would be read back as something else: a number that is not finite.
    #[error("entry `{kind}` cannot be recorded as it is: every number in it must be finite")]
    Unfaithful {
        /// Kind of the entry.
        kind: String,
    },
    /// What was read is not what this program writes.
    #[error("{place} of the ledger cannot be understood ({reason}): restore it from a copy")]
    Garbled {
        /// Table and key.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The entries of a session do not follow each other.
    #[error("entry {id} of the ledger is out of order: restore the ledger from a copy")]
    Illegal {
        /// Key of the entry.
        id: i64,
        /// What cannot follow what.
        source: IllegalEntry,
    },
}

/// SQLite's result code decides the kind.
///
/// # Source
/// <https://www.sqlite.org/rescode.html>, primary codes.
pub(super) fn failed(path: &Path, source: sqlx::Error) -> LedgerError {
    let path = path.to_owned();
    match primary_code(&source) {
        Some(5 | 6) => LedgerError::Busy { path, source },
        Some(3 | 8 | 14 | 23) => LedgerError::Forbidden { path, source },
        Some(13) => LedgerError::DiskFull { path, source },
        Some(26) => LedgerError::NotALedger { path },
        _ => LedgerError::Sqlite { path, source },
    }
}

pub(super) fn migration_failed(path: &Path, problem: MigrateError) -> LedgerError {
    match problem {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            failed(path, source)
        }
        other => LedgerError::OtherVersion { path: path.to_owned(), reason: other.to_string() },
    }
}

fn primary_code(source: &sqlx::Error) -> Option<u32> {
    let code: u32 = source.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}
