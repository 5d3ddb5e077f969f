//! The verdict and everything that follows from it: branch, results.tsv, STATE.md, artifacts.

use tracing::{info, warn};

use super::{PhaseClock, Session};
use crate::clock;
use crate::experiment::{Entry, Phase, Row, Verdict, judge};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook::NotebookError;
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
        self.check_branch()?;
        self.record(n, Entry::Decided { verdict, reason }).await?;
        self.settle(n).await
    }

    /// Puts branch and notebook in line with a verdict that stands in the ledger. Repeatable.
    pub(super) async fn settle(&mut self, n: u32) -> Result<(), Failure> {
        let row = self.history.in_hand.as_ref().and_then(|candidate| candidate.decided()).cloned();
        let Some(row) = row else { return Ok(()) };
        if row.verdict != Verdict::Keep {
            self.branch_to_incumbent(n, &row.verdict.to_string())?;
            tolerate(self.notebook.prune(n));
        }
        tolerate(self.notebook.archive_run_log(n, row.decided_at_ms));
        let clock =
            std::mem::replace(&mut self.clock, PhaseClock::start(Phase::Record, clock::now()));
        let phase_seconds = clock.finish(clock::now());
        // Before the entry that ends it: a daemon that dies in between settles it again.
        let row = Row { phase_seconds: phase_seconds.clone(), ..row };
        tolerate(self.notebook.write_meta(&row));
        self.record(n, Entry::Settled { phase_seconds }).await?;
        self.notebook.write(&self.task, &self.history).or_outside()
    }

    /// A verdict is only given while the branch stands where the ledger says: somebody else's
    /// commit on it is not ours to build on, nor to move.
    fn check_branch(&self) -> Result<(), Failure> {
        let (branch, standing) = (self.branch(), self.standing());
        let tip = self.repository.branch_tip(&branch).or_outside()?;
        if tip.as_ref() == Some(&standing) {
            return Ok(());
        }
        let found = tip.unwrap_or_else(|| "gone".to_owned());
        let error = anyhow::anyhow!("branch {branch} was moved: it is {found}, not {standing}");
        Err(Failure::new(Kind::Configuration, error)
            .hint(format!("keep that commit under another name: git branch mine {branch}"))
            .hint(format!("put the branch back: git branch -f {branch} {standing}"))
            .hint("then go on with --resume"))
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

/// What lies in an experiment's directory is a candidate's doing: it may cost a file there, never
/// the session.
pub(super) fn tolerate<T>(done: Result<T, NotebookError>) {
    if let Err(error) = done {
        warn!("{:#}; going on without", anyhow::Error::from(error));
    }
}
