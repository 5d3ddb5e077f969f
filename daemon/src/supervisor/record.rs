//! Writing entries down. What cannot be written yet is waited for: a result that took an hour is
//! not given up because a disk is full for a minute.

use tracing::{debug, warn};

use super::Session;
use crate::clock;
use crate::experiment::{Entry, Phase, Stake};
use crate::failure::{Failure, OrFailure as _};
use crate::ledger::LedgerError;

impl Session {
    /// Writes an entry down and takes it in; nothing else changes the history.
    pub(super) async fn record(&mut self, entry: Entry) -> Result<(), Failure> {
        let n = self.history.current();
        let at_ms = clock::wall_ms();
        self.history.check(n, &entry).or_bug()?;
        self.append(n, &entry, at_ms).await?;
        self.history.apply(n, &entry, at_ms).or_bug()?;
        debug!(?entry, "recorded");
        Ok(())
    }

    async fn append(&mut self, n: u32, entry: &Entry, at_ms: i64) -> Result<(), Failure> {
        loop {
            let Err(error) = self.ledger.append(self.id, n, entry, at_ms).await else {
                return Ok(());
            };
            match error {
                // Somebody else writes this session: two would only do harm.
                LedgerError::Overtaken { .. } => return Err(error).or_configuration(),
                LedgerError::Unfaithful { .. } => return Err(error).or_bug(),
                // No wait mends it: the next start restores it, which needs this one's lock.
                error if error.is_damage() => return Err(error).or_outside(),
                error => self.wait_to_write(error).await?,
            }
        }
    }

    /// Writes down that something begins, once in a life: what is begun again after a wait is the
    /// same attempt.
    pub(super) async fn begin(&mut self, phase: Phase) -> Result<(), Failure> {
        self.begin_at(phase, None).await
    }

    /// The same of what may be charged though this life never hears how it ended.
    pub(super) async fn begin_at(
        &mut self,
        phase: Phase,
        stake: Option<Stake>,
    ) -> Result<(), Failure> {
        let this = Some((self.history.current(), phase));
        if self.begun == this {
            return Ok(());
        }
        let sealed = self.sealed();
        self.record(Entry::Began { phase, sealed, stake }).await?;
        self.begun = this;
        Ok(())
    }

    /// Writes down how something that was begun ended.
    pub(super) async fn end(&mut self, entry: Entry) -> Result<(), Failure> {
        self.record(entry).await?;
        self.begun = None;
        Ok(())
    }

    pub(super) async fn abandon(&mut self, reason: String) -> Result<(), Failure> {
        warn!(reason, "abandoned");
        let n = self.history.current();
        // First, so that nobody goes on with an experiment whose files are gone.
        self.end(Entry::Abandoned { reason }).await?;
        self.remove_outputs(n).await;
        super::settle::tolerate(self.notebook.prune(n));
        self.ended(n).await;
        // The branch goes back in the same breath: an orderly stop may follow.
        self.align().await
    }
}
