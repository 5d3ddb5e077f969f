//! How long runs may take, and what the daemon's own clocks say of those that ended.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use dfr_contract::footer::Claims;

use super::Session;
use super::manifest::Manifest;
use crate::experiment::{
    Limits, Purpose, RunOutcome, Seen, contradiction, overtime, predict_deadline, smoke_deadline,
};

impl Session {
    /// A limit of the task, with the full grace.
    pub(super) fn limits(&self, seconds: u64) -> Limits {
        Limits { deadline: Duration::from_secs(seconds), grace: self.settings.grace }
    }

    /// Why a commit that was measured before shows that the machine has become slower: what the session
    /// compares with was measured on another one. Its times are no new measure: it may be a candidate's
    /// code, and take long on purpose, once it knows by its seed that it is measured again.
    pub(super) fn slowness(&self, ended: &Manifest) -> Option<String> {
        let is_again = self.is_bound() && self.purpose() != Some(Purpose::Candidate);
        let slow = is_again.then(|| self.overtime(ended)).flatten()?;
        Some(format!("the machine has become slower: {slow}"))
    }

    /// How a training took longer than the baseline's allows, if it did.
    fn overtime(&self, ended: &Manifest) -> Option<String> {
        let elapsed = Duration::try_from_secs_f64(ended.seconds).unwrap_or_default();
        overtime(elapsed, self.history.baseline_trained()?, self.budget)
    }

    /// The daemon's own clock against what a trainer that came to its end claims, and took.
    pub(super) fn contradiction(
        &self,
        claims: Option<&Claims>,
        ended: &Manifest,
    ) -> Option<String> {
        if self.sealed().is_none() || ended.run != RunOutcome::Finished {
            return None;
        }
        let seconds = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let seen = Seen { elapsed: seconds(ended.seconds), startup: seconds(ended.startup_s) };
        let competes = self.purpose() == Some(Purpose::Candidate);
        let too_long = competes.then(|| self.overtime(ended)).flatten();
        too_long.or_else(|| contradiction(claims?.training_seconds, claims?.num_steps, seen))
    }

    /// Of a prediction, in a sealed session: held against the baseline's of the part that decides, which has
    /// so many times fewer records.
    pub(super) fn predict_deadline(&self, task: Duration, more: f64) -> Duration {
        let baseline = self.history.baseline_predicted().filter(|_| self.is_bound());
        predict_deadline(task, baseline.map(|baseline| baseline.mul_f64(more)), self.budget)
    }

    /// Of a first step, in a sealed session: held against the baseline's.
    pub(super) fn smoke_limits(&self) -> Limits {
        let task = self.limits(self.task.budget.smoke_s);
        let baseline = self.history.baseline_smoked().filter(|_| self.is_bound());
        Limits { deadline: smoke_deadline(task.deadline, baseline, self.budget), ..task }
    }

    /// Whether the times of the experiment in hand are held against the baseline's: of everything that a
    /// candidate wrote, however often it is measured. What people wrote is measured for what it is, and so
    /// is the incumbent on another machine; their times are the measure from then on.
    fn is_bound(&self) -> bool {
        self.sealed().is_some() && self.purpose().is_some_and(|purpose| !purpose.sets_the_pace())
    }

    fn purpose(&self) -> Option<Purpose> {
        self.history.in_hand.as_ref().map(|candidate| candidate.purpose)
    }
}

/// How many times as many records a part has as another, by the files of their labels; at least 1.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn relative_size(labels: &Path, others: &Path) -> io::Result<f64> {
    let (bytes, others) = (fs::metadata(labels)?.len(), fs::metadata(others)?.len());
    Ok((bytes as f64 / others.max(1) as f64).max(1.0))
}
