//! The ledger of a dead daemon, read from a copy: opening the file itself would mend it.

use std::fs;
use std::path::Path;

use dfr_daemon::experiment::History;
use dfr_daemon::ledger::Ledger;
use dfr_daemon::session::Recorded;

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
}

/// Copies ledger and write-ahead log into an empty directory.
fn copy(state: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for name in ["dfr.db", "dfr.db-wal"] {
        let from = state.join(name);
        if from.exists() {
            fs::copy(from, to.join(name)).unwrap();
        }
    }
}

fn wait<T>(of: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(of)
}

/// The session as it stands, or nothing when it was never begun. An error is a broken ledger.
pub fn snapshot(state: &Path, scratch: &Path) -> Result<Option<Snapshot>, String> {
    copy(state, scratch);
    if !scratch.join("dfr.db").exists() {
        return Ok(None);
    }
    wait(async {
        let told = |error: dfr_daemon::ledger::LedgerError| format!("{error:?}");
        let ledger = Ledger::open(&scratch.join("dfr.db")).await.map_err(told)?;
        let Some(session) = ledger.session("t").await.map_err(told)? else { return Ok(None) };
        let entries = ledger.entries(session.id).await.map_err(told)?;
        let history = ledger.history(session.id).await.map_err(told)?;
        ledger.close().await;
        Ok(Some(Snapshot { base: session.begun.base_commit, entries, history }))
    })
}

/// What SQLite thinks of the file; `ok` when nothing is wrong.
pub fn integrity(state: &Path, scratch: &Path) -> String {
    copy(state, scratch);
    if !scratch.join("dfr.db").exists() {
        return "ok".to_owned();
    }
    wait(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.join("dfr.db"));
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let told: Vec<String> =
            sqlx::query_scalar("pragma integrity_check").fetch_all(&pool).await.unwrap();
        pool.close().await;
        told.join("; ")
    })
}
