//! The verdict and everything that follows from it: results.tsv, STATE.md, artifacts. The branch
//! follows by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use tracing::{debug, info, warn};

use super::{PhaseClock, Session};
use crate::clock;
use crate::experiment::{Candidate, Entry, Judgement, Phase, Purpose, Row, Verdict, heavy};
use crate::failure::Failure;
use crate::notebook::{Notebook, NotebookError, ready};
use crate::report::short;
use crate::runner::{level_times, remove_written};

/// Longest time for one, on a slow disk: longer it counts as hung.
const BACKUP_MOST: Duration = Duration::from_secs(600);
/// Backups of the ledger that are kept.
const BACKUPS: usize = 3;

impl Session {
    /// Judges the experiment in hand. The entry is the point of no return.
    pub(super) async fn decide(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Record);
        let candidate = self.candidate()?;
        let Judgement { verdict, mut reason } = self.judge(candidate)?;
        if let Some(heavy) = self.heavy(candidate).filter(|_| verdict != Verdict::Crash) {
            warn!("{heavy}");
            reason = format!("{reason}; {heavy}");
        }
        let commit = candidate.commit.as_deref().unwrap_or_default();
        info!(%verdict, reason, commit = short(commit), "decided");
        let evidence = match verdict {
            Verdict::Keep => self.evidence().await,
            Verdict::Discard | Verdict::Crash => None,
        };
        self.record(Entry::Decided { verdict, reason, evidence }).await?;
        // What is still measured of a keep may take long.
        self.write_notebook().await
    }

    fn ready(&self) -> Option<String> {
        ready(&self.task, &self.tag, &self.history).map(|told| told.join(": "))
    }

    /// What is said of a candidate that takes much of the device's memory.
    fn heavy(&self, candidate: &Candidate) -> Option<String> {
        let is_new = matches!(candidate.purpose, Purpose::Candidate | Purpose::Adoption);
        let incumbent = self.history.incumbent().map(|row| row.peak_vram_mb);
        let soft_gib = self.task.budget.soft_vram_gib;
        heavy(candidate.row().peak_vram_mb, incumbent, soft_gib).filter(|_| is_new)
    }

    /// Puts the notebook in line with a verdict that stands in the ledger. Repeatable.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        if self.rules.holdout && self.candidate()?.lacks_holdout() {
            let problem = "the machine cut its measuring short, again and again";
            self.record(not_held_out(problem)).await?;
        }
        let Some(row) = self.candidate()?.decided().cloned() else { return Ok(()) };
        let n = row.experiment;
        self.close_outputs(&row).await;
        if row.verdict != Verdict::Keep {
            tolerate(self.notebook.prune(n));
        }
        tolerate(self.notebook.archive_run_log(n, row.decided_at_ms));
        let phase_seconds = self.clock.so_far(clock::now());
        // Before the entry that ends it: a daemon that dies in between settles it again.
        let row = Row { phase_seconds: phase_seconds.clone(), ..row };
        tolerate(self.notebook.write_meta(&row));
        self.write_notebook().await?;
        let was_ready = self.ready().is_some();
        self.record(Entry::Settled { phase_seconds }).await?;
        self.ready().filter(|_| !was_ready).iter().for_each(|told| info!("{told}"));
        self.clock = PhaseClock::start(Phase::Record, clock::now());
        self.ended(n).await;
        self.check_baseline()
    }

    /// Leaves of what an experiment's runs wrote only the weights of a keep, and nothing there that
    /// tells what its predictions saw: a later candidate may ask for names, links and times of files
    /// that it cannot read, where only Landlock guards them.
    async fn close_outputs(&self, row: &Row) {
        let (notebook, n) = (self.notebook.clone(), row.experiment);
        if row.verdict != Verdict::Keep {
            return self.remove_outputs(n).await;
        }
        let at = UNIX_EPOCH + Duration::from_millis(row.decided_at_ms.try_into().unwrap_or(0));
        self.aside(move || {
            remove_each(&[notebook.out(n), notebook.holdout(n)]);
            let run = notebook.run(n);
            if let Err(error) = level_times(&run, at) {
                warn!(%error, directory = %run.display(), "its times cannot be set");
            }
        })
        .await;
    }

    /// What its runs wrote, however deep a candidate nested it.
    pub(super) async fn remove_outputs(&self, n: u32) {
        let notebook = self.notebook.clone();
        self.aside(move || remove_outputs(&notebook, n)).await;
    }

    /// An experiment is over, with a verdict or without: after so many the ledger is copied.
    pub(super) async fn ended(&mut self, n: u32) {
        self.is_backed_up = false;
        if (n + 1).is_multiple_of(self.settings.backup_every) {
            self.back_up().await;
        }
    }

    /// A backup that cannot be made now is made after some more experiments, or at the end.
    pub(super) async fn back_up(&mut self) {
        self.is_backed_up = true;
        let copied = self.ledger.back_up(BACKUPS);
        match self.service.during(BACKUP_MOST, copied).await {
            Ok(path) => debug!(path = %path.display(), "backup of the ledger"),
            Err(error) => warn!("no backup: {:#}", anyhow::Error::from(error)),
        }
    }
}

/// Why nobody knows how a keep does on the holdout.
pub(super) fn not_held_out(problem: &str) -> Entry {
    Entry::HeldOut { metrics: BTreeMap::new(), seconds: 0.0, problem: Some(problem.to_owned()) }
}

/// The same for whoever holds no session.
pub(super) fn remove_outputs(notebook: &Notebook, n: u32) {
    remove_each(&[notebook.run(n), notebook.out(n), notebook.holdout(n)]);
}

fn remove_each(directories: &[PathBuf]) {
    for directory in directories {
        if let Err(error) = remove_written(directory) {
            warn!(%error, directory = %directory.display(), "cannot be removed");
        }
    }
}

/// What lies in an experiment's directory is a candidate's doing: it may cost a file there, never
/// the session.
pub(super) fn tolerate<T>(done: Result<T, NotebookError>) {
    if let Err(error) = done {
        warn!("{:#}; going on without", anyhow::Error::from(error));
    }
}
