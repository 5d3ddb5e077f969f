//! The ledger: one SQLite file with every session's entries, append-only, the truth.
//!
//! One writer (the daemon) and any number of readers (`status`, `list`, `show`) at once. A call
//! that returned is on the disk: write-ahead log, synchronous FULL. What the file itself may lose is
//! there twice more: in backups, and as lines of text in each session's journal.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, TryStreamExt as _};
use sqlx::SqlitePool;
use sqlx::migrate::{AppliedMigration, Migrate as _, Migration, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::Mutex;

use crate::disk;
use crate::experiment::{History, Phase};
use crate::session::{Heartbeat, NewSession, Recorded, Session};

mod append;
mod backup;
mod check;
mod compare;
mod error;
mod files;
mod journal;
mod restore;
mod rows;

pub use error::LedgerError;
pub use restore::Restored;

use append::Written;
use error::failed;
use rows::{EntryRow, HeartbeatRow, SessionRow};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// An open ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
    pool: SqlitePool,
    written: Arc<Mutex<Written>>,
    /// Shared by all who write; whoever restores the ledger wants it alone.
    _lock: Option<Arc<File>>,
}

impl Ledger {
    /// Opens the ledger for writing, and makes file, directory and tables where they are missing.
    ///
    /// # Errors
    /// The place cannot be written, or holds something else.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|source| LedgerError::Directory { path: directory.to_owned(), source })?;
        }
        let lock = files::share(path)?;
        // SQLite would open it for reading alone without a word, and keep it so.
        if path.exists() && !disk::may_write(path) {
            let source = sqlx::Error::Io(std::io::ErrorKind::PermissionDenied.into());
            return Err(LedgerError::Forbidden { path: path.to_owned(), source });
        }
        Ok(Self { _lock: Some(Arc::new(lock)), ..Self::open_unlocked(path).await? })
    }

    /// The same, for one who holds the lock or needs none.
    async fn open_unlocked(path: &Path) -> Result<Self, LedgerError> {
        let options = options(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let ledger = Self::connect(path, options).await?;
        ledger.migrate().await?;
        Ok(ledger)
    }

    /// Of several that open a new ledger at once, one makes the tables and the others find them.
    async fn migrate(&self) -> Result<(), LedgerError> {
        let failed = |source| failed(&self.path, source);
        let mut alone = self.pool.begin_with("begin immediate").await.map_err(failed)?;
        if let Err(problem) = MIGRATIONS.run(&mut *alone).await {
            let applied = alone.list_applied_migrations(&MIGRATIONS.table_name).await;
            let newer = applied.ok().and_then(|applied| newer(&applied));
            return Err(match newer {
                Some((version, known)) => {
                    LedgerError::Newer { path: self.path.clone(), version, known }
                }
                None => error::migration_failed(&self.path, problem),
            });
        }
        alone.commit().await.map_err(failed)
    }

    /// Opens a ledger that is there, to read it while a daemon may be writing.
    ///
    /// # Errors
    /// There is none, or the file is something else.
    pub async fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::NotThere { path: path.to_owned() });
        }
        let ledger = Self::connect(path, options(path).read_only(true)).await?;
        let tables: i64 = sqlx::query_scalar(
            "select count(*) from sqlite_schema where name in ('session', 'entry', 'heartbeat')",
        )
        .fetch_one(&ledger.pool)
        .await
        .map_err(|source| failed(path, source))?;
        if tables < 3 {
            return Err(LedgerError::NotALedger { path: path.to_owned() });
        }
        Ok(ledger)
    }

    /// Closes the file in good order; a ledger that is merely dropped loses nothing either.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Begins a session.
    ///
    /// # Errors
    /// The tag is taken, or the ledger cannot be written.
    pub async fn create_session(&self, new: &NewSession) -> Result<Session, LedgerError> {
        let session = self.insert_session(new).await?;
        self.written.lock().await.read(session.id, None);
        Ok(session)
    }

    async fn insert_session(&self, new: &NewSession) -> Result<Session, LedgerError> {
        let insert = sqlx::query(
            "insert into session (tag, task, modality, base_commit, pack_hash, repository, \
             settings, created_at_ms) values (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&new.tag)
        .bind(&new.task)
        .bind(new.modality.as_str())
        .bind(&new.base_commit)
        .bind(&new.pack_hash)
        .bind(new.repository.to_string_lossy())
        .bind(new.settings.to_string())
        .bind(new.created_at_ms);
        let done = insert.execute(&self.pool).await.map_err(|source| match &source {
            sqlx::Error::Database(e) if e.is_unique_violation() => {
                LedgerError::TagTaken { tag: new.tag.clone() }
            }
            _ => failed(&self.path, source),
        })?;
        Ok(Session { id: done.last_insert_rowid(), begun: new.clone() })
    }

    /// A session by its tag.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn session(&self, tag: &str) -> Result<Option<Session>, LedgerError> {
        let row: Option<SessionRow> = sqlx::query_as("select * from session where tag = ?")
            .bind(tag)
            .fetch_optional(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))?;
        row.map(TryInto::try_into).transpose()
    }

    async fn session_by_id(&self, id: i64) -> Result<Session, LedgerError> {
        let row: SessionRow = sqlx::query_as("select * from session where id = ?")
            .bind(id)
            .fetch_one(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))?;
        row.try_into()
    }

    /// All sessions, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn sessions(&self) -> Result<Vec<Session>, LedgerError> {
        let rows: Vec<SessionRow> = sqlx::query_as("select * from session order by id")
            .fetch_all(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// Every entry of a session, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read, or holds what no version of this program wrote.
    pub async fn entries(&self, session_id: i64) -> Result<Vec<Recorded>, LedgerError> {
        let rows: Vec<EntryRow> = self
            .rows(session_id)
            .try_collect()
            .await
            .map_err(|source| failed(&self.path, source))?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// What the entries of a session imply, taken in one by one. From here on [`Self::append`] goes
    /// on behind the last of them.
    ///
    /// # Errors
    /// As [`Self::entries`], or an entry that cannot follow what came before it.
    pub async fn history(&self, session_id: i64) -> Result<History, LedgerError> {
        let mut history = History::default();
        let mut last = None;
        let mut rows = pin!(self.rows(session_id));
        while let Some(row) = rows.try_next().await.map_err(|source| failed(&self.path, source))? {
            let recorded = Recorded::try_from(row)?;
            last = Some(recorded.id);
            compare::take_in(&mut history, &recorded)?;
        }
        self.written.lock().await.read(session_id, last);
        Ok(history)
    }

    fn rows(&self, session_id: i64) -> BoxStream<'_, Result<EntryRow, sqlx::Error>> {
        sqlx::query_as(
            "select id, experiment, at_ms, body from entry where session_id = ? order by id",
        )
        .bind(session_id)
        .fetch(&self.pool)
    }

    /// Gives a sign of life.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub async fn beat(&self, session_id: i64, beat: &Heartbeat) -> Result<(), LedgerError> {
        sqlx::query(
            "insert or replace into heartbeat (session_id, pid, host, boot_id, phase, \
             phase_since_ms, experiment, paused, asks_at_ms, lived_s, at_ms) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(session_id)
        .bind(beat.pid)
        .bind(&beat.host)
        .bind(&beat.boot_id)
        .bind(beat.phase.map(Phase::as_str))
        .bind(beat.phase_since_ms)
        .bind(beat.experiment)
        .bind(&beat.paused)
        .bind(beat.asks_at_ms)
        .bind(beat.lived_s)
        .bind(beat.at_ms)
        .execute(&self.pool)
        .await
        .map_err(|source| failed(&self.path, source))?;
        Ok(())
    }

    /// The last sign of life of a session's daemon.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn heartbeat(&self, session_id: i64) -> Result<Option<Heartbeat>, LedgerError> {
        let row: Option<HeartbeatRow> =
            sqlx::query_as("select * from heartbeat where session_id = ?")
                .bind(session_id)
                .fetch_optional(&self.pool)
                .await
                .map_err(|source| failed(&self.path, source))?;
        row.map(TryInto::try_into).transpose()
    }

    async fn connect(path: &Path, options: SqliteConnectOptions) -> Result<Self, LedgerError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(|source| failed(path, source))?;
        Ok(Self { path: path.to_owned(), pool, written: Arc::default(), _lock: None })
    }
}

/// The last migration of a ledger and the last that is known, if all that are known were applied as
/// they are and others after them: no damage looks like that.
fn newer(applied: &[AppliedMigration]) -> Option<(i64, i64)> {
    let is_applied = |known: &Migration| {
        applied.iter().any(|a| a.version == known.version && a.checksum == known.checksum)
    };
    let last = applied.iter().map(|applied| applied.version).max()?;
    let known = MIGRATIONS.iter().map(|known| known.version).max()?;
    (last > known && MIGRATIONS.iter().all(is_applied)).then_some((last, known))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).foreign_keys(true)
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;
