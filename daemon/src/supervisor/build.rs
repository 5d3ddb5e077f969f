//! Building a candidate in the slot, and its first step.

use tracing::warn;

use super::Session;
use crate::experiment::{Entry, Phase, RunOutcome, Stage, Step, StopLevel, Usage, telling};
use crate::failure::{Failure, OrFailure as _};

impl Session {
    /// Builds the commit in hand and lets it take one step. What does not build goes back to its
    /// proposer, while there are turns left.
    pub(super) async fn build(&mut self) -> Result<(), Failure> {
        let commit = self.candidate_commit()?;
        self.enter(Phase::Build);
        self.built = None;
        let exported = self.repository.export(&commit, &self.slot.tree).or_outside()?;
        for entry in exported.skipped {
            warn!(entry, "left out of the build: neither a file nor a directory");
        }
        self.begin(Phase::Build).await?;
        let Err((stage, problem)) = self.make().await? else {
            self.built = Some(commit);
            return self.end(Entry::Built).await;
        };
        if self.stop_level() >= StopLevel::AbandonRun {
            return Ok(());
        }
        // What built before is the same now: it is not its proposer's fault.
        if self.candidate()?.step != Step::Committed {
            let why = format!("it built before: {}", telling(&problem));
            warn!(why, "cut short by the machine; it is repeated");
            return self.end(Entry::Interrupted { phase: Phase::Build, why, seconds: 0.0 }).await;
        }
        warn!(stage = stage.as_str(), problem = telling(&problem), "refused");
        self.end(Entry::Refused { stage, problem, usage: Usage::default() }).await
    }

    async fn make(&self) -> Result<Result<(), (Stage, String)>, Failure> {
        let n = self.history.current();
        let budget = self.task.budget;
        let steps = [
            (Stage::Build, &self.task.commands.build, budget.build_s),
            (Stage::Smoke, &self.task.commands.smoke, budget.smoke_s),
        ];
        for (stage, command, limit_s) in steps {
            let log = self.notebook.experiment(n).join("build.log");
            let report = self.execute(n, command, &log, self.limits(limit_s)).await?;
            if report.outcome != RunOutcome::Finished {
                let (outcome, tail) = (report.outcome, report.tail);
                return Ok(Err((stage, format!("{}: {outcome}\n{tail}", stage.as_str()))));
            }
        }
        Ok(Ok(()))
    }
}
