//! Building a candidate in the slot, and its first step.

use tracing::warn;

use super::Session;
use crate::experiment::{Entry, Phase, RunOutcome, Stage, Step, StopLevel, Usage, telling};
use crate::failure::{Failure, OrFailure as _};

/// What building came to.
#[derive(PartialEq)]
enum Made {
    /// It builds and takes a step.
    Whole,
    /// It does not, and this is why.
    Not(Stage, String),
    /// The machine cut it short, after this many seconds.
    Harmed { why: String, seconds: f64 },
}

impl Session {
    /// Builds the commit in hand and lets it take one step. What does not build goes back to its
    /// proposer, while there are turns left.
    pub(super) async fn build(&mut self) -> Result<(), Failure> {
        let commit = self.candidate_commit()?;
        self.enter(Phase::Build);
        self.built = None;
        self.slot.secure().or_outside()?;
        let exported = self.repository.export(&commit, &self.slot.tree).or_outside()?;
        for entry in exported.skipped {
            warn!(entry, "left out of the build: neither a file nor a directory");
        }
        self.begin(Phase::Build).await?;
        let made = self.make().await?;
        if made != Made::Whole && self.stop_level() >= StopLevel::AbandonRun {
            return Ok(());
        }
        match made {
            Made::Whole => {
                self.built = Some(commit);
                self.end(Entry::Built).await
            }
            // What built before is the same now: it is not its proposer's fault.
            Made::Not(_, problem) if self.candidate()?.step != Step::Committed => {
                let why = format!("it built before: {}", telling(&problem));
                warn!(why, "cut short by the machine; it is repeated");
                self.end(Entry::Interrupted { phase: Phase::Build, why, seconds: 0.0 }).await
            }
            Made::Not(stage, problem) => {
                warn!(stage = stage.as_str(), problem = telling(&problem), "refused");
                self.end(Entry::Refused { stage, problem, usage: Usage::default() }).await
            }
            Made::Harmed { why, seconds } => {
                warn!(why, "its first step was cut short by the machine; it is repeated");
                self.end(Entry::Interrupted { phase: Phase::Build, why, seconds }).await
            }
        }
    }

    async fn make(&mut self) -> Result<Made, Failure> {
        let n = self.history.current();
        let (budget, commands) = (self.task.budget, self.task.commands.clone());
        let steps = [
            (Stage::Build, commands.build, budget.build_s),
            (Stage::Smoke, commands.smoke, budget.smoke_s),
        ];
        for (stage, command, limit_s) in steps {
            let log = self.notebook.experiment(n).join("build.log");
            let report = self.execute(n, &command, &log, self.limits(limit_s)).await?;
            if report.outcome == RunOutcome::Finished {
                continue;
            }
            // A compiler needs no GPU; the first step does.
            let harm = match stage {
                Stage::Smoke => self.harm(&report).await,
                Stage::Build | Stage::Patch => self.spoilt(&report),
            };
            if let Some(why) = harm {
                return Ok(Made::Harmed { why, seconds: report.elapsed.as_secs_f64() });
            }
            let problem = format!("{}: {}\n{}", stage.as_str(), report.outcome, report.tail);
            return Ok(Made::Not(stage, problem));
        }
        Ok(Made::Whole)
    }
}
