//! Performs the experiments that `experiment` describes: names what happened, records it, acts.
//!
//! The only room that knows all the others. It owns shutdown: a stop is looked at between effects
//! and handed to everything that waits.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::clock;
use crate::experiment::{Entry, History, Phase, StopLevel};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook::Notebook;
use crate::patch::Scope;
use crate::proposer::Proposer;
use crate::report::short;
use crate::repository::Repository;
use crate::runner::Live;
use crate::settings::Settings;
use crate::task::{Places, Task};

mod candidate;
mod checks;
mod heartbeat;
mod measure;
mod opening;
mod phases;
mod preflight;
mod recover;
mod settle;
mod slot;
mod stop;

use heartbeat::Pulse;
use phases::PhaseClock;
use slot::Slot;

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
    session.recover().await?;
    session.run().await
}

/// One tag on one branch, with everything it needs.
struct Session {
    settings: Settings,
    task: Task,
    /// Training time of one experiment.
    budget: Duration,
    /// Seed of every random draw.
    seed: u64,
    tag: String,
    /// The commit that the session started from.
    base: String,
    repository: Repository,
    scope: Scope,
    ledger: Ledger,
    id: i64,
    history: History,
    notebook: Notebook,
    proposer: Box<dyn Proposer>,
    slot: Slot,
    pack: PathBuf,
    stop: watch::Receiver<StopLevel>,
    live: Live,
    pulse: Pulse,
    clock: PhaseClock,
    /// Held for the life of the session.
    _lock: crate::runner::FileLock,
}

/// What is known about a candidate once it has been built.
enum Made {
    /// Ready to train.
    Ready(String),
    /// It stays broken: a crash, with its commit.
    Broken { commit: String, reason: String },
    /// No patch ever applied, or a human stopped the session: no row.
    Nothing { reason: String },
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

    async fn run(&mut self) -> Result<StopLevel, Failure> {
        while self.stop_level() == StopLevel::Continue && !self.enough() {
            let experiment = self.history.next_experiment();
            let span = info_span!("experiment", n = experiment, tag = %self.tag);
            self.experiment(experiment).instrument(span).await?;
        }
        self.pulse.end().await;
        let best = self.history.incumbent().map_or_else(String::new, |row| {
            let commit = short(&row.commit);
            let objective = &self.task.score.objective;
            let score = row.metrics.get(objective).copied().unwrap_or_default();
            format!(", best {objective} {score:.6} at {commit}")
        });
        info!(rows = self.history.rows.len(), "stopped{best}");
        Ok(self.stop_level())
    }

    fn enough(&self) -> bool {
        let rows = u32::try_from(self.history.rows.len()).unwrap_or(u32::MAX);
        self.settings.max_experiments.is_some_and(|most| rows >= most)
    }

    async fn experiment(&mut self, n: u32) -> Result<(), Failure> {
        self.clock = PhaseClock::start(Phase::Record, clock::now());
        self.notebook.begin(n).or_outside()?;
        let is_baseline = self.history.incumbent().is_none();
        let proposer = if is_baseline { "baseline".to_owned() } else { self.proposer.name() };
        let opened = Entry::Opened { parent: self.incumbent(), proposer };
        self.record(n, opened).await?;
        let made = if is_baseline { self.baseline(n).await? } else { self.candidate(n).await? };
        match made {
            Made::Ready(commit) => self.measure(n, &commit).await?,
            Made::Broken { commit, reason } => self.decide(n, &commit, Err(reason)).await?,
            Made::Nothing { reason } => self.abandon(n, reason).await?,
        }
        if is_baseline && self.history.incumbent().is_none() {
            return self.baseline_failed(n);
        }
        Ok(())
    }

    /// A recipe that fails as it is will fail all night: say so while somebody is looking.
    fn baseline_failed(&self, n: u32) -> Result<(), Failure> {
        if self.stop_level() != StopLevel::Continue {
            return Ok(());
        }
        let reason = self.history.rows.last().map_or("", |row| &row.reason);
        let log = self.notebook.experiment(n);
        Err(Failure::new(Kind::Configuration, anyhow::anyhow!("the baseline fails: {reason}"))
            .hint(format!("its logs are in {}", log.display()))
            .hint(format!("when the machine was at fault, go on with --resume --tag {}", self.tag))
            .hint("when the recipe was: mend it, commit it, start a new --tag"))
    }

    fn enter(&mut self, n: u32, phase: Phase) {
        self.clock.enter(phase, clock::now());
        self.pulse.set(n, phase);
        match phase {
            Phase::Build => info!("building"),
            Phase::Train => info!("training for {} s", self.budget.as_secs()),
            Phase::Predict => info!("predicting the validation part"),
            Phase::Propose | Phase::Start | Phase::Score | Phase::Record => {
                debug!(%phase, "phase");
            }
        }
    }

    /// Writes an entry down and takes it in; nothing else changes the history.
    async fn record(&mut self, n: u32, entry: Entry) -> Result<(), Failure> {
        let at_ms = clock::wall_ms();
        self.history.apply(n, &entry, at_ms).or_bug()?;
        self.ledger.append(self.id, n, &entry, at_ms).await.or_outside()?;
        debug!(?entry, "recorded");
        Ok(())
    }

    async fn abandon(&mut self, n: u32, reason: String) -> Result<(), Failure> {
        warn!(reason, "abandoned");
        self.branch_to_incumbent(n, "abandoned")?;
        settle::tolerate(self.notebook.prune(n));
        self.record(n, Entry::Abandoned { reason }).await
    }

    /// Placeholders of the task's commands for experiment `n`.
    fn places(&self, n: u32) -> Places {
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        BTreeMap::from([
            ("repository", path(&self.settings.locations.repo)),
            ("tree", path(&self.slot.tree)),
            ("target", path(&self.slot.target)),
            ("pack", path(&self.pack)),
            ("run", path(&self.notebook.experiment(n))),
            ("preset", self.task.preset.clone()),
            ("budget_s", self.budget.as_secs().to_string()),
            ("seed", self.seed.to_string()),
        ])
    }
}
