//! Building a candidate in the slot, and its first step.

use std::path::PathBuf;
use std::thread;

use rustix::process::setpriority_process;
use tracing::{debug, info, warn};

use super::Session;
use super::manifest::printed;
use super::work::Work;
use crate::experiment::{
    Entry, Phase, Purpose, RunOutcome, Stage, Step, StopLevel, Usage, overlong_step, telling,
};
use crate::failure::{Failure, OrFailure as _};
use crate::runner::remove_written;
use crate::task::expand;

/// How many times as long a build may take that begins from nothing.
const FROM_NOTHING: u64 = 4;

/// The nice value of what nobody waits for.
const LEAST_URGENT: i32 = 19;

/// Whether a build can begin.
#[derive(PartialEq)]
pub(super) enum Ground {
    /// It can.
    Laid,
    /// A human wants to stop.
    Stopped,
}

/// What building came to.
#[derive(PartialEq)]
enum Made {
    /// It builds and takes a step: the SHA-256 of its program, where the task names one.
    Whole(Option<String>),
    /// It does not, and this is why; and what it did to look better than it is, if that was seen.
    Not { stage: Stage, problem: String, tampered: Option<String> },
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
        if self.is_kept().await? {
            // What was trained is what predicts; only its tree is wanted.
            self.slot.secure().or_outside()?;
            self.export(&commit)?;
            self.built = Some(commit);
            return Ok(());
        }
        self.begin(Phase::Build).await?;
        let was_warm = self.is_warm();
        let Some(mut made) = self.attempt(&commit).await? else { return Ok(()) };
        if was_warm && matches!(made, Made::Not { .. }) && self.is_known_to_build()? {
            self.start_over().await?;
            let Some(again) = self.attempt(&commit).await? else { return Ok(()) };
            made = again;
        }
        match made {
            Made::Whole(program) => {
                self.built = Some(commit);
                self.renew_target_ahead();
                self.end(Entry::Built { program }).await
            }
            // What built before is the same now: it is not its proposer's fault.
            Made::Not { problem, .. } if self.candidate()?.step != Step::Committed => {
                let why = format!("it built before: {}", telling(&problem));
                warn!(why, "cut short by the machine; it is repeated");
                self.end(Entry::Interrupted { phase: Phase::Build, why, seconds: 0.0 }).await
            }
            Made::Not { stage, problem, tampered } => {
                warn!(stage = stage.as_str(), problem = telling(&problem), "refused");
                let usage = Usage::default();
                self.end(Entry::Refused { stage, problem, tampered, usage }).await
            }
            Made::Harmed { why, seconds } => {
                warn!(why, "its first step was cut short by the machine; it is repeated");
                self.end(Entry::Interrupted { phase: Phase::Build, why, seconds }).await
            }
        }
    }

    /// Lays the ground and builds on it; nothing when a human stopped it.
    async fn attempt(&mut self, commit: &str) -> Result<Option<Made>, Failure> {
        if self.lay_ground(commit).await? == Ground::Stopped {
            return Ok(None);
        }
        let made = self.make().await?;
        let is_done = matches!(made, Made::Whole(_)) || self.stop_level() < StopLevel::AbandonRun;
        Ok(is_done.then_some(made))
    }

    /// Whether builds begin from what earlier ones made.
    pub(super) fn is_warm(&self) -> bool {
        match self.sealed() {
            Some(_) => self.slot.trusts(&self.trusted),
            None => self.slot.is_warm(),
        }
    }

    /// Whether the commit in hand built before, or is a human's.
    fn is_known_to_build(&self) -> Result<bool, Failure> {
        let candidate = self.candidate()?;
        Ok(candidate.purpose != Purpose::Candidate || candidate.step != Step::Committed)
    }

    /// Gives up what builds begin from, because what is known to build does not build on it: a disk
    /// that failed, or somebody who tidied up, may have taken a part of it.
    pub(super) async fn start_over(&mut self) -> Result<(), Failure> {
        warn!("what is known to build does not; it is built once more, from nothing");
        let slot = self.slot.clone();
        self.aside(move || slot.start_over()).await.or_outside()
    }

    /// Whether the program that the ledger tells of is there, whatever became of the slot since.
    async fn is_kept(&self) -> Result<bool, Failure> {
        let candidate = self.candidate()?;
        let program = candidate.row().program.clone().filter(|_| candidate.step != Step::Committed);
        let Some(sha256) = program else { return Ok(false) };
        let (notebook, n) = (self.notebook.clone(), candidate.experiment);
        Ok(self.aside(move || notebook.has_program(n, &sha256)).await)
    }

    /// Puts the commit's tree and the target directory in place. In a session that is sealed the
    /// latter holds what people's own code made and nothing else; it is made first when it is not
    /// there.
    pub(super) async fn lay_ground(&mut self, commit: &str) -> Result<Ground, Failure> {
        self.slot.secure().or_outside()?;
        if self.sealed().is_some() {
            let is_wanted = commit != self.trusted && !self.base_fails;
            if is_wanted && !self.slot.trusts(&self.trusted) && !self.build_base().await? {
                return Ok(Ground::Stopped);
            }
            self.renew_target().await?;
        }
        self.export(commit)?;
        // A build that makes no program must not leave the one that was there before.
        if let Some(product) = self.product() {
            remove_written(&product).or_outside()?;
        }
        Ok(Ground::Laid)
    }

    /// Builds what the others begin from; once in a life, if it cannot be built. False when a human
    /// stopped it.
    async fn build_base(&mut self) -> Result<bool, Failure> {
        let base = self.trusted.clone();
        self.export(&base)?;
        self.renew_target().await?;
        info!("building the commit that the session began at, for the others to begin from");
        let log = self.notebook.root().join("base.log");
        let report = self.execute(Work::Build, &log, self.limits(self.build_s())).await?;
        match report.outcome {
            RunOutcome::Cancelled => return Ok(false),
            RunOutcome::Finished => self.trust_target().await?,
            ref outcome => {
                warn!(%outcome, log = %log.display(), "it does not build; the others begin from nothing");
                self.base_fails = self.spoilt(Work::Build, &report).await.is_none();
            }
        }
        Ok(true)
    }

    async fn renew_target(&self) -> Result<(), Failure> {
        let (slot, base) = (self.slot.clone(), self.trusted.clone());
        self.aside(move || slot.renew(&base)).await.or_outside()
    }

    /// For the next candidate, while this one trains: a copy takes as long as some builds.
    fn renew_target_ahead(&self) {
        if self.sealed().is_none() || self.task.commands.product.is_none() {
            return;
        }
        let (slot, base) = (self.slot.clone(), self.trusted.clone());
        slot.wish_ahead();
        thread::spawn(move || {
            // This thread's own: training goes first.
            let _ = setpriority_process(None, LEAST_URGENT);
            if let Err(error) = slot.renew_ahead(&base) {
                debug!(%error, "no copy was made ahead; the next build begins with one");
            }
        });
    }

    /// Trusts what is in the target directory as the products of the session's first commit.
    async fn trust_target(&self) -> Result<(), Failure> {
        let (slot, base) = (self.slot.clone(), self.trusted.clone());
        self.aside(move || slot.trust(&base)).await.or_outside()
    }

    /// The limit of a build, in seconds: beginning from nothing takes longer than beginning from what
    /// is trusted.
    pub(super) fn build_s(&self) -> u64 {
        let build_s = self.task.budget.build_s;
        if self.slot.trusts(&self.trusted) { build_s } else { build_s * FROM_NOTHING }
    }

    fn export(&self, commit: &str) -> Result<(), Failure> {
        let exported = self.repository.export(commit, &self.slot.tree).or_outside()?;
        for entry in exported.skipped {
            warn!(entry, "left out of the build: neither a file nor a directory");
        }
        Ok(())
    }

    /// The build of the session's first commit is one that others may begin from.
    async fn trust_own(&self) -> Result<(), Failure> {
        let is_base = self.candidate()?.commit.as_deref() == Some(&self.trusted);
        if self.sealed().is_none() || !is_base || self.slot.trusts(&self.trusted) {
            return Ok(());
        }
        self.trust_target().await
    }

    async fn make(&mut self) -> Result<Made, Failure> {
        let log = self.notebook.experiment(self.history.current()).join("build.log");
        let mut program = None;
        for (work, stage, limits) in [
            (Work::Build, Stage::Build, self.limits(self.build_s())),
            (Work::Smoke, Stage::Smoke, self.smoke_limits()),
        ] {
            let report = self.execute(work, &log, limits).await?;
            if work == Work::Smoke {
                self.tested(stage.as_str(), &report).await?;
            }
            let taken = match (&report.outcome, work) {
                (_, Work::Smoke) if report.telltale.is_some() => {
                    Err("smoke: it printed a score".to_owned())
                }
                (RunOutcome::Finished, Work::Build) => {
                    self.trust_own().await?;
                    self.take_product().await?
                }
                (RunOutcome::Finished, _) => continue,
                (RunOutcome::TimedOut, Work::Smoke)
                    if limits.deadline.as_secs() < self.task.budget.smoke_s =>
                {
                    Err(format!("smoke: {}\n{}", overlong_step(limits.deadline), report.tail))
                }
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
                Stage::Smoke => self.harm(work, &report).await?,
                Stage::Patch | Stage::Build | Stage::Train => self.spoilt(work, &report).await,
            };
            return Ok(match harm {
                Some(why) => Made::Harmed { why, seconds: report.elapsed.as_secs_f64() },
                None => {
                    let tampered = printed(&report).filter(|_| stage == Stage::Smoke);
                    Made::Not { stage, problem, tampered }
                }
            });
        }
        Ok(Made::Whole(program))
    }

    fn product(&self) -> Option<PathBuf> {
        let product = self.task.commands.product.as_ref()?;
        Some(expand(product, &self.places(Work::Build)).into())
    }

    /// Keeps what building made with the experiment: what is trained, and predicts, is what was
    /// built, whatever becomes of the slot. Says its SHA-256, or that there is none.
    async fn take_product(&self) -> Result<Result<Option<String>, String>, Failure> {
        let Some(product) = self.product() else { return Ok(Ok(None)) };
        let n = self.history.current();
        let (notebook, made, target) =
            (self.notebook.clone(), product.clone(), self.slot.target.clone());
        let kept = self.aside(move || notebook.keep_program(n, &made, &target)).await;
        let none = || format!("build: it made no file {}", product.display());
        Ok(kept.or_outside()?.ok_or_else(none).map(Some))
    }
}
