//! The verdict and everything that follows from it: branch, results.tsv, STATE.md, artifacts.

use tracing::info;

use super::{PhaseClock, Session};
use crate::clock;
use crate::experiment::{Entry, Phase, Verdict, judge};
use crate::failure::{Failure, OrFailure as _};
use crate::report::short;

impl Session {
    /// Decides on a candidate and makes the world agree.
    pub(super) async fn decide(
        &mut self,
        n: u32,
        commit: &str,
        score: Result<f64, String>,
    ) -> Result<(), Failure> {
        self.enter(n, Phase::Record);
        let objective = &self.task.score.objective;
        let best = self.history.incumbent().and_then(|row| row.metrics.get(objective)).copied();
        let judgement = judge(objective, score, best);
        info!(verdict = %judgement.verdict, reason = %judgement.reason, commit = short(commit), "decided");
        let (verdict, reason) = (judgement.verdict, judgement.reason);
        self.record(n, Entry::Decided { verdict, reason }).await?;
        self.settle(n).await
    }

    /// Puts branch and notebook in line with a verdict that stands in the ledger. Repeatable.
    pub(super) async fn settle(&mut self, n: u32) -> Result<(), Failure> {
        let row = self.history.in_hand.as_ref().and_then(|candidate| candidate.decided()).cloned();
        let Some(row) = row else { return Ok(()) };
        if row.verdict != Verdict::Keep {
            self.branch_to_incumbent(n, &row.verdict.to_string())?;
            self.notebook.prune(n).or_outside()?;
        }
        self.notebook.archive_run_log(n, row.decided_at_ms).or_outside()?;
        let clock =
            std::mem::replace(&mut self.clock, PhaseClock::start(Phase::Record, clock::now()));
        let phase_seconds = clock.finish(clock::now());
        self.record(n, Entry::Settled { phase_seconds }).await?;
        let Some(row) = self.history.rows.last() else { return Ok(()) };
        self.notebook.write_meta(row, serde_json::Map::new()).or_outside()?;
        self.notebook.write(&self.task, &self.history).or_outside()
    }

    /// Where the branch stands according to the ledger.
    pub(super) fn standing(&self) -> String {
        let in_hand = self.history.in_hand.as_ref().and_then(|candidate| candidate.commit.clone());
        in_hand.unwrap_or_else(|| self.incumbent())
    }

    pub(super) fn branch_to_incumbent(&self, n: u32, why: &str) -> Result<(), Failure> {
        let (from, to) = (self.standing(), self.incumbent());
        self.move_branch(&from, &to, &format!("experiment {n}: {why}"))
    }

    /// Compare-and-swap: a branch that somebody else moved is never overwritten.
    pub(super) fn move_branch(&self, from: &str, to: &str, message: &str) -> Result<(), Failure> {
        if from == to {
            return Ok(());
        }
        self.repository.move_branch(&self.branch(), (from, to), message).or_outside()
    }
}
