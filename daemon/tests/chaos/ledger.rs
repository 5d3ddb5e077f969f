//! The ledger of a dead daemon, read from a copy: opening the file itself would mend it.

use std::fs;
use std::path::Path;

use dfr_daemon::experiment::{Entry, History};
use dfr_daemon::session::Recorded;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

/// What stands in the ledger about session `t`.
pub struct Snapshot {
    pub base: String,
    pub entries: Vec<Recorded>,
    pub history: History,
}

impl Snapshot {
    /// The commit that the branch stands on between experiments.
    pub fn incumbent(&self) -> String {
        self.history.incumbent().map_or_else(|| self.base.clone(), |row| row.commit.clone())
    }

    /// The place of the newest verdict.
    pub fn decided_at(&self) -> Option<usize> {
        self.entries.iter().rposition(|r| matches!(r.entry, Entry::Decided { .. }))
    }

    /// Whether nothing was begun after it but what follows from it.
    pub fn is_decided_last(&self) -> bool {
        let decided = self.decided_at().map(|at| self.entries[at].experiment);
        self.last().is_some_and(|(_, newest)| Some(newest.experiment) == decided)
    }

    /// The newest entry of an experiment, and its place; what concerns the whole session is none.
    pub fn last(&self) -> Option<(usize, &Recorded)> {
        self.entries.iter().enumerate().rfind(|(_, recorded)| {
            let entry = serde_json::to_value(&recorded.entry).unwrap();
            !["resumed", "capped", "tested", "diverged", "paused", "device", "tried", "directed"]
                .iter()
                .any(|kind| entry["entry"] == *kind)
        })
    }
}

/// Opens a copy of ledger and write-ahead log.
async fn open(state: &Path, scratch: &Path) -> Result<Option<SqlitePool>, sqlx::Error> {
    let _ = fs::remove_dir_all(scratch);
    fs::create_dir_all(scratch).unwrap();
    for name in ["dfr.db", "dfr.db-wal"] {
        let from = state.join(name);
        if from.exists() {
            fs::copy(from, scratch.join(name)).unwrap();
        }
    }
    if !scratch.join("dfr.db").exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(scratch.join("dfr.db"));
    Ok(Some(SqlitePool::connect_with(options).await?))
}

fn wait<T>(of: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(of)
}

/// The session as it stands, or nothing when it was never begun. An error is a broken ledger.
pub fn snapshot(state: &Path, scratch: &Path) -> Result<Option<Snapshot>, String> {
    wait(async {
        let told = |error: sqlx::Error| format!("{error:?}");
        let Some(pool) = open(state, scratch).await.map_err(told)? else { return Ok(None) };
        let tables = "select count(*) from sqlite_schema where name in ('session', 'entry')";
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(&pool).await.map_err(told)?;
        if tables < 2 {
            return Ok(None);
        }
        let session = "select id, base_commit from session where tag = 't'";
        let session = sqlx::query_as(session).fetch_optional(&pool).await.map_err(told)?;
        let Some((id, base)) = session else { return Ok(None) };
        let entries =
            "select id, experiment, at_ms, body from entry where session_id = ? order by id";
        let rows = sqlx::query_as(entries).bind::<i64>(id).fetch_all(&pool).await.map_err(told)?;
        pool.close().await;
        let entries: Vec<_> = rows.into_iter().map(recorded).collect::<Result<_, _>>()?;
        let mut history = History::default();
        for Recorded { experiment, entry, at_ms, .. } in &entries {
            history.apply(*experiment, entry, *at_ms).map_err(|error| error.to_string())?;
        }
        Ok(Some(Snapshot { base, entries, history }))
    })
}

fn recorded(row: (i64, u32, i64, String)) -> Result<Recorded, String> {
    let (id, experiment, at_ms, body) = row;
    let entry = serde_json::from_str(&body).map_err(|error| format!("{body}: {error}"))?;
    Ok(Recorded { id, experiment, at_ms, entry })
}

/// What SQLite thinks of the file; `ok` when nothing is wrong.
pub fn integrity(state: &Path, scratch: &Path) -> String {
    wait(async {
        let Some(pool) = open(state, scratch).await.unwrap() else { return "ok".to_owned() };
        let told: Vec<String> =
            sqlx::query_scalar("pragma integrity_check").fetch_all(&pool).await.unwrap();
        pool.close().await;
        told.join("; ")
    })
}
