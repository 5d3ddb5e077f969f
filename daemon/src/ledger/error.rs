//! Why the ledger cannot be had, with the way out.

use std::io::ErrorKind;
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
    /// The tables come from a later version of this program: nothing is wrong with them.
    #[error(
        "the ledger {} was written by a newer version: use one that knows migration {version}, this \
         one ends with {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The last migration that was applied to it.
        version: i64,
        /// The last one that this program has.
        known: i64,
    },
    /// The tables come from another line of this program, or their list of migrations is damaged.
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
    /// What the file holds is not what was written.
    #[error(
        "the ledger {} is damaged ({reason}): it is restored at the next start, or by `dfr-daemon recover`",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process has written to the session since this one last read or wrote it.
    #[error(
        "another process wrote to session {tag:?}: end one of the two daemons, then go on with \
         --resume"
    )]
    Overtaken {
        /// The session.
        tag: String,
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

impl LedgerError {
    /// Whether the file itself is at fault, so that a copy would help. It is not in
    /// [`Self::Newer`]: a copy from before the upgrade would lose what was written since.
    ///
    /// # Source
    /// <https://www.sqlite.org/rescode.html>: a header that is none of ours (1), too little to read
    /// (266, 522), a file system that says so itself (8458).
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::NotALedger { .. } | Self::OtherVersion { .. } => true,
            Self::Forbidden { path, source } => code(source) == Some(8) && may_write(path),
            Self::Sqlite { source, .. } => match code(source) {
                Some(code) => matches!(code, 1 | 266 | 522 | 8458),
                None => matches!(source, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)),
            },
            _ => false,
        }
    }
}

/// SQLite takes a file for read-only also when its header was flipped.
fn may_write(path: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).open(path).is_ok()
}

/// SQLite's result code decides the kind.
///
/// # Source
/// <https://www.sqlite.org/rescode.html>, primary codes; 4874 is the shared memory file that could
/// not grow.
pub(super) fn failed(path: &Path, source: sqlx::Error) -> LedgerError {
    let path = path.to_owned();
    if let sqlx::Error::Io(problem) = source {
        return file_failed(path, problem);
    }
    if code(&source) == Some(4874) {
        return LedgerError::DiskFull { path, source };
    }
    match code(&source).map(|code| code & 0xff) {
        Some(5 | 6) => LedgerError::Busy { path, source },
        Some(3 | 8 | 14 | 23) => LedgerError::Forbidden { path, source },
        Some(11) => LedgerError::Damaged { path, reason: source.to_string() },
        Some(13) => LedgerError::DiskFull { path, source },
        Some(26) => LedgerError::NotALedger { path },
        _ => LedgerError::Sqlite { path, source },
    }
}

/// The same for the files around the database.
pub(super) fn file_failed(path: PathBuf, problem: std::io::Error) -> LedgerError {
    let kind = problem.kind();
    let source = sqlx::Error::Io(problem);
    match kind {
        ErrorKind::WouldBlock => LedgerError::Busy { path, source },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LedgerError::DiskFull { path, source },
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            LedgerError::Forbidden { path, source }
        }
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

fn code(source: &sqlx::Error) -> Option<u32> {
    source.as_database_error()?.code()?.parse().ok()
}
