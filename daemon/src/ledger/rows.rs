//! Between rows of the tables and the types of the daemon.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::LedgerError;
use super::journal::Line;
use crate::experiment::{Entry, Phase};
use crate::session::{Heartbeat, NewSession, Recorded, Session};

/// Kind and body of an entry, proven to read back as the same entry.
pub(super) fn written(entry: &Entry) -> Result<(String, String), LedgerError> {
    let body = serde_json::to_value(entry).expect("entries have text keys only");
    let kind = body["entry"].as_str().expect("entries are tagged").to_owned();
    let body = body.to_string();
    match serde_json::from_str::<Entry>(&body) {
        Ok(read) if read == *entry => Ok((kind, body)),
        _ => Err(LedgerError::Unfaithful { kind }),
    }
}

/// Takes in an entry of a journal.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    session_id: i64,
    line: &Line,
) -> Result<(), sqlx::Error> {
    let (kind, body) = written(&line.entry).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "insert into entry (session_id, experiment, at_ms, kind, body) values (?, ?, ?, ?, ?)",
    )
    .bind(session_id)
    .bind(line.experiment)
    .bind(line.at_ms)
    .bind(kind)
    .bind(body)
    .execute(connection)
    .await
    .map(drop)
}

#[derive(sqlx::FromRow)]
pub(super) struct SessionRow {
    id: i64,
    tag: String,
    task: String,
    modality: String,
    base_commit: String,
    pack_hash: String,
    repository: String,
    settings: String,
    created_at_ms: i64,
}

impl TryFrom<SessionRow> for Session {
    type Error = LedgerError;

    fn try_from(row: SessionRow) -> Result<Self, LedgerError> {
        let place = || format!("session {}", row.id);
        let begun = NewSession {
            modality: word(&row.modality).map_err(|e| garbled(place(), &e))?,
            settings: parsed(&row.settings).map_err(|e| garbled(place(), &e))?,
            tag: row.tag,
            task: row.task,
            base_commit: row.base_commit,
            pack_hash: row.pack_hash,
            repository: PathBuf::from(row.repository),
            created_at_ms: row.created_at_ms,
        };
        Ok(Self { id: row.id, begun })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    id: i64,
    experiment: u32,
    at_ms: i64,
    body: String,
}

impl TryFrom<EntryRow> for Recorded {
    type Error = LedgerError;

    fn try_from(row: EntryRow) -> Result<Self, LedgerError> {
        let entry = parsed(&row.body).map_err(|e| garbled(format!("entry {}", row.id), &e))?;
        Ok(Self { id: row.id, experiment: row.experiment, at_ms: row.at_ms, entry })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct HeartbeatRow {
    session_id: i64,
    pid: u32,
    host: String,
    boot_id: String,
    phase: Option<String>,
    phase_since_ms: i64,
    experiment: Option<u32>,
    paused: Option<String>,
    // A ledger that an earlier version wrote has none.
    #[sqlx(default)]
    asks_at_ms: Option<i64>,
    lived_s: f64,
    at_ms: i64,
}

impl TryFrom<HeartbeatRow> for Heartbeat {
    type Error = LedgerError;

    fn try_from(row: HeartbeatRow) -> Result<Self, LedgerError> {
        let phase: Option<Phase> = row
            .phase
            .as_deref()
            .map(word)
            .transpose()
            .map_err(|e| garbled(format!("heartbeat {}", row.session_id), &e))?;
        Ok(Self {
            pid: row.pid,
            host: row.host,
            boot_id: row.boot_id,
            phase,
            phase_since_ms: row.phase_since_ms,
            experiment: row.experiment,
            paused: row.paused,
            asks_at_ms: row.asks_at_ms,
            lived_s: row.lived_s,
            at_ms: row.at_ms,
        })
    }
}

fn parsed<T: DeserializeOwned>(json: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(json)
}

/// A value that is one word in the table, as it would be in JSON.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
}

fn garbled(place: String, problem: &serde_json::Error) -> LedgerError {
    LedgerError::Garbled { place, reason: problem.to_string() }
}
