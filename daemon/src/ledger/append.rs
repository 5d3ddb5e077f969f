//! Writing entries: only behind the entry that this process knows to be the last of its session.

use std::collections::BTreeMap;

use tracing::warn;

use super::error::{failed, file_failed};
use super::journal::{self, Journal};
use super::{Ledger, LedgerError, rows};
use crate::experiment::Entry;
use crate::session::Recorded;

/// What this process knows of the sessions that it writes.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Key of the last entry, by session.
    last: BTreeMap<i64, Option<i64>>,
    journals: BTreeMap<i64, (String, Journal)>,
}

impl Written {
    /// A session was read to its end.
    pub(super) fn read(&mut self, session_id: i64, last: Option<i64>) {
        self.last.insert(session_id, last);
    }
}

impl Ledger {
    /// Writes one entry down. Once this has returned, the entry outlives a crash.
    ///
    /// # Errors
    /// The entry would not read back as it is, the ledger cannot be written, or
    /// [`LedgerError::Overtaken`]: another process wrote to the session since this one last wrote
    /// to it or asked for its history.
    pub async fn append(
        &self,
        session_id: i64,
        experiment: u32,
        entry: &Entry,
        at_ms: i64,
    ) -> Result<(), LedgerError> {
        let (kind, body) = rows::written(entry)?;
        let mut written = self.written.lock().await;
        let last = match written.last.get(&session_id) {
            Some(last) => *last,
            None => self.last_entry(session_id).await?,
        };
        let done = sqlx::query(
            "insert into entry (session_id, experiment, at_ms, kind, body) \
             select ?1, ?2, ?3, ?4, ?5 \
             where (select max(id) from entry where session_id = ?1) is ?6",
        )
        .bind(session_id)
        .bind(experiment)
        .bind(at_ms)
        .bind(kind)
        .bind(body)
        .bind(last)
        .execute(&self.pool)
        .await
        .map_err(|source| failed(&self.path, source))?;
        if done.rows_affected() == 0 {
            return Err(LedgerError::Overtaken { tag: self.tag(session_id).await? });
        }
        let id = done.last_insert_rowid();
        written.read(session_id, Some(id));
        let recorded = Recorded { id, experiment, at_ms, entry: entry.clone() };
        self.tell_journal(&mut written.journals, session_id, &recorded).await;
        Ok(())
    }

    /// The entry stands in the ledger, so a journal that cannot be written fails nothing: it is
    /// completed from the ledger with the next entry that it can take.
    async fn tell_journal(
        &self,
        journals: &mut BTreeMap<i64, (String, Journal)>,
        session_id: i64,
        recorded: &Recorded,
    ) {
        let told = match journals.remove(&session_id) {
            Some((tag, mut journal)) => journal
                .write(&tag, recorded)
                .and_then(|()| journal.sync())
                .map(|()| (tag.clone(), journal))
                .map_err(|problem| file_failed(journal::path(&self.path, &tag), problem)),
            None => self.journal(session_id).await,
        };
        match told {
            Ok(journal) => drop(journals.insert(session_id, journal)),
            Err(problem) => warn!("the journal is behind: {:#}", anyhow::Error::from(problem)),
        }
    }

    async fn last_entry(&self, session_id: i64) -> Result<Option<i64>, LedgerError> {
        sqlx::query_scalar("select max(id) from entry where session_id = ?")
            .bind(session_id)
            .fetch_one(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))
    }

    async fn tag(&self, session_id: i64) -> Result<String, LedgerError> {
        sqlx::query_scalar("select tag from session where id = ?")
            .bind(session_id)
            .fetch_one(&self.pool)
            .await
            .map_err(|source| failed(&self.path, source))
    }
}
