//! Performs what `experiment` decides: does an effect, records what came of it, asks again.
//!
//! The only room that knows all the others. It owns shutdown: a stop is looked at between effects
//! and handed to everything that waits. A failure of the world outside is waited out; only a human,
//! a mistake in the configuration or a bug of ours ends the loop.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::clock;
use crate::disk::Ballast;
use crate::experiment::{
    Believing, Caps, Effect, Entry, History, Phase, Purpose, Rule, Rules, Situation, StopLevel,
    Verdict, next,
};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook::Notebook;
use crate::patch::Scope;
use crate::proposer::Patient;
use crate::report::short;
use crate::repository::Repository;
use crate::runner::{Containment, Live, ResourceLimits};
use crate::service::Service;
use crate::session::Heartbeat;
use crate::settings::Settings;
use crate::task::Task;

mod aside;
mod ask;
mod branch;
mod build;
mod by_hand;
mod candidates;
mod checks;
mod deliver;
mod device;
mod evidence;
mod gate;
mod hear;
mod heartbeat;
mod known;
mod leftovers;
mod legacy;
mod looks;
mod machine;
mod manifest;
mod measure;
mod mend;
mod opening;
mod outlook;
mod pace;
mod pages;
mod phases;
mod preflight;
mod private;
mod question;
mod record;
mod room;
mod sandboxes;
mod settle;
mod slot;
mod stop;
mod toolchain;
mod wait;
mod work;

pub use by_hand::{Told, rebuild, recover, roll_back};
pub use deliver::{Delivery, Full, check_in_full, deliver, submit, train_in_full};
pub use known::{ledger, session};
pub use question::preview;

use device::Gpus;
use gate::Purse;
use heartbeat::Pulse;
use phases::PhaseClock;
use slot::Slot;
use toolchain::Toolchain;
use wait::{Waiting, needs_another_life};

/// Checks everything, then loops until a human stops it. Says how urgently it was stopped.
///
/// # Errors
/// What is missing at the start, by name; later only what makes going on pointless.
pub async fn run(settings: Settings) -> Result<StopLevel, Failure> {
    let stop = stop::listen().or_outside()?;
    let mut asked = stop.clone();
    // An endpoint may take minutes to be checked; nothing is made while anything is waited for.
    let mut session = tokio::select! {
        prepared = preflight::prepare(settings, stop) => prepared?,
        Ok(level) = asked.wait_for(|level| *level > StopLevel::Continue) => return Ok(*level),
    };
    session.service.ready();
    let ended = session.run().await;
    session.service.stopping();
    ended
}

/// One tag on one branch, with everything it needs.
struct Session {
    settings: Settings,
    rules: Rules,
    task: Task,
    /// Training time of one experiment.
    budget: Duration,
    /// Seed of every random draw.
    seed: u64,
    /// What a candidate must show to be kept.
    rule: Rule,
    believing: Believing,
    /// When the champion is certified next, wall time, milliseconds since 1970.
    certify_at: Option<i64>,
    tag: String,
    /// The commit that the session started from.
    base: String,
    /// The commit of people that builds begin from: the same, unless it started from an earlier session's.
    trusted: String,
    repository: Repository,
    scope: Scope,
    ledger: Ledger,
    id: i64,
    history: History,
    notebook: Notebook,
    proposer: Patient,
    slot: Slot,
    gpus: Gpus,
    containment: Containment,
    toolchain: Toolchain,
    resources: ResourceLimits,
    /// What every program of this session carries in its environment.
    mark: String,
    ballast: Ballast,
    service: Service,
    /// The commit whose build is in the slot.
    built: Option<String>,
    /// The last run of this life that ended, and of which experiment.
    ended: Option<(u32, manifest::Manifest)>,
    /// The commit that the session started from does not build.
    base_fails: bool,
    /// What was begun in this life and has not ended.
    begun: Option<(u32, Phase)>,
    pack: PathBuf,
    stop: watch::Receiver<StopLevel>,
    live: Live,
    pulse: Pulse,
    clock: PhaseClock,
    /// When this life began.
    born: Instant,
    /// The last sign of life of an earlier daemon.
    earlier: Option<Heartbeat>,
    waiting: Option<Waiting>,
    /// No experiment ended in this life since the last backup.
    is_backed_up: bool,
    /// How often in a row something outside failed, whatever was waited for in between.
    failures: u32,
    /// How often the model was given a rest since an answer of it could be used.
    rests: u32,
    /// Held for the life of the session.
    lock: crate::runner::FileLock,
}

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

impl Session {
    fn branch(&self) -> String {
        format!("autoresearch/{}", self.tag)
    }

    /// The commit that the branch stands on between experiments.
    fn incumbent(&self) -> String {
        self.history.incumbent().map_or_else(|| self.base.clone(), |row| row.commit.clone())
    }

    fn stop_level(&self) -> StopLevel {
        *self.stop.borrow()
    }

    /// Puts branch and files in line with the ledger, whatever an earlier life left behind.
    async fn take_up(&mut self) -> Result<(), Failure> {
        if let Some(earlier) = &self.earlier {
            let is_new = !manifest::is_counted(&self.history, earlier);
            let lived_s = if is_new { earlier.lived_s } else { 0.0 };
            let (device_s, sign_ms) = (self.unseen_s(earlier)?, Some(earlier.at_ms));
            self.record(Entry::Resumed { lived_s, device_s, sign_ms }).await?;
            self.earlier = None;
        }
        self.pulse.begin(&self.ledger, self.id);
        self.charge_unheard().await?;
        self.record_caps().await?;
        self.record_machine().await?;
        self.clear_unseen().await?;
        self.align().await?;
        if let Some(candidate) = &self.history.in_hand {
            let n = candidate.experiment;
            info!(n, step = ?candidate.step, "goes on with the experiment that was in hand");
        }
        self.write_notebook().await?;
        info!(branch = self.branch(), incumbent = short(&self.incumbent()), "ready");
        Ok(())
    }

    /// A start that names no cap keeps those that stand in the ledger.
    async fn record_caps(&mut self) -> Result<(), Failure> {
        let (caps, before) = (self.rules.caps, self.history.caps);
        if caps == before {
            return Ok(());
        }
        if before != Caps::default() {
            warn!("the session may spend {caps}; it was {before}");
        }
        self.record(Entry::Capped { caps }).await
    }

    async fn run(&mut self) -> Result<StopLevel, Failure> {
        let mut is_taken_up = false;
        loop {
            let n = self.history.current();
            let span = info_span!("experiment", n, tag = %self.tag);
            let done = match is_taken_up {
                true => self.turn().instrument(span).await,
                false => self.take_up().await.map(|()| Flow::GoOn),
            };
            match done {
                Ok(Flow::GoOn) => (is_taken_up, self.failures) = (true, 0),
                Ok(Flow::Stop) => break,
                Err(failure) if needs_another_life(&failure) => {
                    let on = format!("dfr-daemon --resume --tag {}", self.tag);
                    return Err(failure.hint(format!("{on} restores it and goes on")));
                }
                Err(failure) if failure.kind == Kind::Outside => {
                    // Whatever failed may have taken the build along, or come from a reference that
                    // holds nothing.
                    self.built = None;
                    self.failures += 1;
                    self.mend_references();
                    if self.wait_out(failure).await? == Flow::Stop {
                        break;
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        if self.stop_level() < StopLevel::Now {
            self.hear_the_last().await;
            if !self.is_backed_up {
                self.back_up().await;
            }
        }
        self.pulse.end().await;
        let best = self.history.best().map_or_else(String::new, |row| {
            let commit = short(&row.commit);
            let objective = &self.task.score.objective;
            let score = row.metrics.get(objective).copied().unwrap_or_default();
            format!(", best {objective} {score:.6} at {commit}")
        });
        info!(rows = self.history.decided().count(), "stopped{best}");
        Ok(self.stop_level())
    }

    /// One effect, and what came of it.
    async fn turn(&mut self) -> Result<Flow, Failure> {
        self.service.alive();
        self.check_locks()?;
        self.align().await?;
        let asked = (self.is_promising(), self.certifies());
        let effect = next(&self.history, &self.rules, &self.situation(asked)?);
        match effect {
            Effect::Stop => {
                self.gave_up().await;
                return Ok(Flow::Stop);
            }
            Effect::Wait { cause, why } => return self.wait_for(cause, why).await,
            effect => self.perform(effect).await?,
        }
        self.went_on().await?;
        Ok(Flow::GoOn)
    }

    fn mend_references(&self) {
        let mended = self.repository.mend_own_refs(&self.tag);
        for name in mended.into_iter().flatten() {
            warn!(name, "a reference that held nothing is gone; it is made again");
        }
    }

    /// With its state removed under it, everything that a daemon writes is lost: better to say so.
    fn check_locks(&mut self) -> Result<(), Failure> {
        if self.slot.keep().or_outside()? {
            warn!("the build slot was cleared; it is made again");
            self.built = None;
        }
        if self.lock.holds() {
            return Ok(());
        }
        let gone = self.lock.path().display();
        let error = anyhow::anyhow!("{gone} is not the one that this daemon holds any more");
        Err(Failure::new(Kind::Configuration, error)
            .hint("somebody removed or replaced it, or the directory that it is in")
            .hint(format!("what is left goes on with: dfr-daemon --resume --tag {}", self.tag)))
    }

    fn situation(&self, (is_promising, certifies): (bool, bool)) -> Result<Situation<'_>, Failure> {
        let Self { history, notebook, born, repository, .. } = self;
        let purse = Purse { caps: self.rules.caps, history, notebook, born: *born };
        Ok(Situation {
            stop: self.stop_level(),
            built: self.built.as_deref(),
            spent: purse.spent(),
            waits: self.waiting.is_some(),
            goes_on: self.goes_on()?,
            is_promising,
            certifies,
            // A human may have taken it out of the repository.
            earlier: branch::earlier_keep(history, repository),
        })
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), Failure> {
        let is_gated = matches!(
            effect,
            Effect::Ask | Effect::Build | Effect::Train | Effect::Predict | Effect::HoldOut
        );
        if is_gated {
            if !self.admit().await? {
                return Ok(());
            }
            // What was waited for is there, however long the rest takes.
            self.went_on().await?;
        }
        match effect {
            Effect::Open { purpose, commit } => self.open(purpose, commit).await,
            Effect::Introduce => self.introduce().await,
            Effect::Ask => self.ask().await,
            Effect::Understand => self.understand().await,
            Effect::Commit => self.commit().await,
            Effect::Build => self.build().await,
            Effect::Train => self.train().await,
            Effect::HandBack => self.hand_back().await,
            Effect::Predict => self.predict().await,
            Effect::Score => self.score().await,
            Effect::Again => self.again().await,
            Effect::Decide => self.decide().await,
            Effect::HoldOut => self.hold_out().await,
            Effect::Settle => self.settle().await,
            Effect::Abandon { reason } => self.abandon(reason).await,
            Effect::Wait { .. } | Effect::Stop => Ok(()),
        }
    }

    async fn open(&mut self, purpose: Purpose, commit: Option<String>) -> Result<(), Failure> {
        // A driver that did not answer at the start may have come back with another one.
        self.record_machine().await?;
        let n = self.history.current();
        self.clock = PhaseClock::start(Phase::Record, clock::now());
        self.notebook.begin(n).or_outside()?;
        let parent = commit.unwrap_or_else(|| self.incumbent());
        let proposer = match purpose.stands_for() {
            Some(name) => name.to_owned(),
            None => self.proposer.name(),
        };
        self.record(Entry::Opened { parent, proposer, purpose }).await
    }

    /// A recipe that fails as it is will fail all night: say so while somebody is looking.
    fn check_baseline(&self) -> Result<(), Failure> {
        let Some(row) = self.history.rows.last() else { return Ok(()) };
        if row.purpose != Purpose::Baseline || row.verdict != Verdict::Crash {
            return Ok(());
        }
        let log = self.notebook.experiment(row.experiment);
        let error = anyhow::anyhow!("the baseline fails: {}", row.reason);
        Err(Failure::new(Kind::Configuration, error)
            .hint(format!("its logs are in {}", log.display()))
            .hint(format!("when the machine was at fault, go on with --resume --tag {}", self.tag))
            .hint("when the recipe was: mend it, commit it, start a new --tag"))
    }

    fn enter(&mut self, phase: Phase) {
        self.clock.enter(phase, clock::now());
        let n = self.history.current();
        self.pulse.set(n, phase);
        self.service.status(&format!("experiment {n}: {phase}"));
        match phase {
            Phase::Build => info!("building"),
            Phase::Train => info!("training for {} s", self.budget.as_secs()),
            Phase::Predict => info!("predicting the validation part"),
            Phase::Holdout => info!("predicting the holdout part"),
            Phase::Propose | Phase::Start | Phase::Score | Phase::Record => {
                debug!(%phase, "phase");
            }
        }
    }
}
