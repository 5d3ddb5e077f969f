//! What is left beside a run that ended, so that a daemon that died before it could write the end
//! down need not run it again.

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::Session;
use super::device::last_line;
use super::settle::tolerate;
use super::work::Work;
use crate::experiment::{Candidate, Cause, Entry, History, Limits, Phase, RunOutcome};
use crate::failure::Failure;
use crate::runner::Report;
use crate::session::Heartbeat;

/// One run that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    phase: Phase,
    commit: String,
    /// Which attempt it was.
    attempt: u32,
    /// Runs of the experiment that were scored before it.
    #[serde(default)]
    round: u32,
    pub(super) run: RunOutcome,
    /// From its start to its end.
    pub(super) seconds: f64,
    /// From its start to the first step.
    pub(super) startup_s: f64,
    /// The last thing it said.
    pub(super) said: String,
    /// What it did to look better than it is, when that was seen.
    pub(super) tampered: Option<String>,
    /// It says that the device failed, and nobody has asked the canary yet.
    #[serde(default)]
    is_doubtful: bool,
}

impl Manifest {
    /// The same once driver and canary were asked: what it said of the device is its own word.
    fn disproved(&self) -> Self {
        let run = match &self.run {
            RunOutcome::Crashed { code, signal, cause: Some(Cause::DeviceFault) }
                if self.is_doubtful =>
            {
                RunOutcome::Crashed { code: *code, signal: *signal, cause: None }
            }
            run => run.clone(),
        };
        Self { run, is_doubtful: false, ..self.clone() }
    }

    /// Why there are no predictions to score, if there are none.
    pub(super) fn failed_prediction(&self) -> Option<String> {
        let failed = self.run != RunOutcome::Finished;
        failed.then(|| format!("prediction {}: {}", self.run, self.said))
    }
}

/// The run on the device that an experiment was in when its daemon gave its last sign of life, and for
/// how long, in seconds; nothing when that sign is counted already. A wait is no run.
pub(super) fn unseen(history: &History, earlier: &Heartbeat) -> Option<(Phase, f64)> {
    let candidate = history.in_hand.as_ref().filter(|_| !is_counted(history, earlier))?;
    let is_its = earlier.experiment == Some(candidate.experiment) && earlier.paused.is_none();
    let phase = candidate.under_way().filter(|phase| is_its && earlier.phase == Some(*phase))?;
    let is_run = matches!(phase, Phase::Train | Phase::Predict | Phase::Holdout);
    is_run.then(|| (phase, earlier.phase_s()))
}

/// Whether the ledger tells already what a heartbeat does: a life that ended before its own first one
/// left it there.
pub(super) fn is_counted(history: &History, earlier: &Heartbeat) -> bool {
    history.sign_ms == Some(earlier.at_ms)
}

/// The score that a run printed, if it did.
pub(super) fn printed(report: &Report) -> Option<String> {
    let told = |line: &String| format!("it printed a score: {}", line.trim());
    report.telltale.as_ref().map(told)
}

impl Session {
    /// Runs a phase of the experiment in hand, or takes what an earlier life left of it. Nothing when
    /// the machine cut it short: that is written down, and it is begun again.
    pub(super) async fn measured(
        &mut self,
        work: Work,
        limits: Limits,
    ) -> Result<Option<Manifest>, Failure> {
        let (n, phase) = (self.history.current(), work.phase());
        if let Some(ended) = self.left(phase)? {
            return self.adopt(work, ended).await;
        }
        self.begin(phase).await?;
        if phase == Phase::Train {
            if self.candidate()?.is_mended() {
                tolerate(self.notebook.set_first_run_aside(n));
            }
            tolerate(self.notebook.clear_run(n));
        }
        let log = match work {
            Work::HoldOut => self.notebook.holdout_log(n),
            _ => self.notebook.run_log(n),
        };
        self.clear_output(work).await?;
        let report = self.execute(work, &log, limits).await?;
        // What becomes of the experiment is decided next, not here.
        if report.outcome == RunOutcome::Cancelled {
            let why = "a human wanted to stop".to_owned();
            let seconds = report.elapsed.as_secs_f64();
            self.end(Entry::Interrupted { phase, why, seconds }).await?;
            return Ok(None);
        }
        // A run cannot remove the place that it was given.
        let gone = self.output(work).filter(|directory| !directory.is_dir());
        let gone = gone.map(|directory| format!("{} is gone", directory.display()));
        let ended = self.word(phase, &report)?;
        // To ask the canary takes long and may fail, and the run is not to be had again.
        if ended.is_doubtful {
            self.leave(&ended).await;
        }
        if let Some(why) = self.harmed(work, &report).await?.or(gone) {
            return self.cut_short(work, why, ended.seconds).await;
        }
        let ended = ended.disproved();
        self.leave(&ended).await;
        Ok(Some(ended))
    }

    /// Takes what an earlier life left, or this one before something else failed.
    async fn adopt(&mut self, work: Work, ended: Manifest) -> Result<Option<Manifest>, Failure> {
        info!(phase = %ended.phase, "had ended already; taken as it is");
        let fault = match ended.is_doubtful {
            true => self.confirmed(&ended.said).await?,
            false => None,
        };
        match fault {
            Some(why) => self.cut_short(work, why, ended.seconds).await,
            None => Ok(Some(ended.disproved())),
        }
    }

    async fn cut_short(
        &mut self,
        work: Work,
        why: String,
        seconds: f64,
    ) -> Result<Option<Manifest>, Failure> {
        let phase = work.phase();
        warn!(%phase, why, "cut short by the machine; it is repeated");
        // Before the disks are looked at again: it may be what fills them. The next attempt begins with
        // that in any case.
        if let Err(failure) = self.clear_output(work).await {
            warn!("what it wrote stays for now: {:#}", failure.error);
        }
        self.end(Entry::Interrupted { phase, why, seconds }).await?;
        Ok(None)
    }

    /// What is to be left of a run that ended.
    fn word(&self, phase: Phase, report: &Report) -> Result<Manifest, Failure> {
        let startup = report.startup.unwrap_or(report.elapsed);
        Ok(Manifest {
            phase,
            commit: self.candidate_commit()?,
            attempt: self.candidate()?.attempts(phase),
            round: self.candidate()?.rounds(),
            run: report.outcome.clone(),
            seconds: report.elapsed.as_secs_f64(),
            startup_s: startup.as_secs_f64(),
            said: last_line(&report.tail).to_owned(),
            tampered: printed(report),
            is_doubtful: report.outcome.is_device_fault() && self.sealed().is_some(),
        })
    }

    async fn leave(&mut self, ended: &Manifest) {
        let (notebook, word) = (self.notebook.clone(), ended.clone());
        let n = self.history.current();
        let left = self.aside(move || notebook.write_manifest(n, word.phase, &word)).await;
        // This life at least knows it, whatever has to be waited for before it stands in the ledger.
        self.ended = Some((n, ended.clone()));
        tolerate(left);
    }

    /// How long the run took that an earlier life began and nobody saw end, as far as its last sign of
    /// life tells, in seconds. What ended before that life did is told by its manifest.
    pub(super) fn unseen_s(&self, earlier: &Heartbeat) -> Result<f64, Failure> {
        match unseen(&self.history, earlier) {
            Some((phase, seconds)) if self.left(phase)?.is_none() => Ok(seconds),
            _ => Ok(0.0),
        }
    }

    /// Removes what a run left that an earlier life began and nobody saw end: it is begun anew, if
    /// there is room for it, which this takes.
    pub(super) async fn clear_unseen(&self) -> Result<(), Failure> {
        let under_way = self.history.in_hand.as_ref().and_then(Candidate::under_way);
        let work = match under_way {
            Some(Phase::Train) => Work::Train,
            Some(Phase::Predict) => Work::Predict,
            Some(Phase::Holdout) => Work::HoldOut,
            _ => return Ok(()),
        };
        match self.left(work.phase())? {
            Some(_) => Ok(()),
            None => self.clear_output(work).await,
        }
    }

    /// Whether the newest attempt at what is under way is this life's, or an earlier one left its end.
    pub(super) fn goes_on(&self) -> Result<bool, Failure> {
        let under_way = self.history.in_hand.as_ref().and_then(Candidate::under_way);
        let Some(phase) = under_way else { return Ok(false) };
        let is_begun = self.begun == Some((self.history.current(), phase));
        Ok(is_begun || self.left(phase)?.is_some())
    }

    /// What the newest attempt at a phase left, when it had ended.
    fn left(&self, phase: Phase) -> Result<Option<Manifest>, Failure> {
        let candidate = self.candidate()?;
        let attempt = candidate.attempts(phase);
        let is_its = |manifest: &Manifest| {
            attempt > 0
                && (manifest.phase, manifest.attempt) == (phase, attempt)
                && manifest.round == candidate.rounds()
                && candidate.commit.as_ref() == Some(&manifest.commit)
        };
        let n = candidate.experiment;
        let known = self.ended.iter().find(|(of, manifest)| *of == n && is_its(manifest));
        let known = known.map(|(_, manifest)| manifest.clone());
        Ok(known.or_else(|| self.notebook.manifest(n, phase).filter(is_its)))
    }
}
