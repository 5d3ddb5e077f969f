//! Building a candidate in the slot, and its first step.

use std::path::PathBuf;

use tracing::warn;

use super::Session;
use super::work::Work;
use crate::experiment::{Entry, Phase, RunOutcome, Stage, Step, StopLevel, Usage, telling};
use crate::failure::{Failure, OrFailure as _};
use crate::task::expand;

/// What building came to.
#[derive(PartialEq)]
enum Made {
    /// It builds and takes a step: the SHA-256 of its program, where the task names one.
    Whole(Option<String>),
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
        if !matches!(made, Made::Whole(_)) && self.stop_level() >= StopLevel::AbandonRun {
            return Ok(());
        }
        match made {
            Made::Whole(program) => {
                self.built = Some(commit);
                self.end(Entry::Built { program }).await
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
        let log = self.notebook.experiment(self.history.current()).join("build.log");
        let budget = self.task.budget;
        let mut program = None;
        for (work, stage, limit_s) in [
            (Work::Build, Stage::Build, budget.build_s),
            (Work::Smoke, Stage::Smoke, budget.smoke_s),
        ] {
            let report = self.execute(work, &log, self.limits(limit_s)).await?;
            let taken = match (&report.outcome, work) {
                (RunOutcome::Finished, Work::Build) => self.take_product()?,
                (RunOutcome::Finished, _) => continue,
                _ => Err(format!("{}: {}\n{}", stage.as_str(), report.outcome, report.tail)),
            };
            let problem = match taken {
                Ok(taken) => {
                    program = taken;
                    continue;
                }
                Err(problem) => problem,
            };
            // A compiler needs no GPU; the first step does.
            let harm = match stage {
                Stage::Smoke => self.harm(&report).await,
                Stage::Build | Stage::Patch => self.spoilt(&report),
            };
            return Ok(match harm {
                Some(why) => Made::Harmed { why, seconds: report.elapsed.as_secs_f64() },
                None => Made::Not(stage, problem),
            });
        }
        Ok(Made::Whole(program))
    }

    /// Keeps what building made with the experiment: what is trained, and predicts, is what was
    /// built, whatever becomes of the slot. Says its SHA-256, or that there is none.
    fn take_product(&self) -> Result<Result<Option<String>, String>, Failure> {
        let Some(product) = &self.task.commands.product else { return Ok(Ok(None)) };
        let product = PathBuf::from(expand(product, &self.places(Work::Build)));
        let n = self.history.current();
        match self.notebook.keep_program(n, &product, &self.slot.target).or_outside()? {
            Some(sha256) => Ok(Ok(Some(sha256))),
            None => Ok(Err(format!("build: it made no file {}", product.display()))),
        }
    }
}
