//! Waiting: for a human, a disk, a GPU, an endpoint. Loud when it begins and when it ends.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::device::SLACK;
use super::{Flow, Session};
use crate::clock;
use crate::experiment::{Entry, Pause, Purpose, StopLevel, Verdict};
use crate::failure::{Failure, OrFailure as _};
use crate::ledger::LedgerError;

/// Longest time until what is waited for is looked at again.
const LOOK_MOST: Duration = Duration::from_secs(60);
/// Longest time until a broken environment is tried again: a try costs a whole run.
const PROBE_MOST: Duration = Duration::from_secs(1800);

/// What must wait for something that is known.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct Postponed {
    pub(super) cause: Pause,
    pub(super) why: String,
    /// When to look again; soon when nothing is known.
    pub(super) after: Option<Duration>,
}

/// A wait that has begun.
pub(super) struct Waiting {
    cause: Pause,
    why: String,
    since: Instant,
    looks: u32,
}

impl Waiting {
    fn seconds(&self) -> f64 {
        clock::now().duration_since(self.since).as_secs_f64()
    }
}

impl Session {
    /// How urgently a human wants to stop. What waits cannot finish its experiment first.
    pub(super) fn urgency(&self) -> StopLevel {
        match self.stop_level() {
            StopLevel::AfterExperiment if self.waiting.is_some() => StopLevel::AbandonRun,
            level => level,
        }
    }

    /// Waits a while for something that only time, a human or luck will change.
    pub(super) async fn wait_for(&mut self, cause: Pause, why: String) -> Result<Flow, Failure> {
        let looks = self.begin_wait(cause, why);
        let pause = match cause {
            Pause::Environment => doubled(self.settings.probe, self.failed_controls(), PROBE_MOST),
            Pause::Endpoint if self.proposer.has_fallback() => {
                let wait = doubled(self.settings.probe, self.rests, PROBE_MOST);
                self.rests = self.rests.saturating_add(1);
                let cause = self.waiting.as_ref().map_or_else(String::new, |w| w.why.clone());
                self.proposer.rest(wait, &cause);
                self.pulse.postpone(wait);
                self.went_on().await?;
                return Ok(Flow::GoOn);
            }
            Pause::Endpoint => {
                let limit = self.rules.crash_limit;
                let more = self.history.unusable(limit).unwrap_or(limit) - limit;
                doubled(self.settings.probe, more, PROBE_MOST)
            }
            Pause::Outside => {
                let more = looks.max(self.failures.saturating_sub(1));
                doubled(self.settings.look, more, LOOK_MOST)
            }
            _ => doubled(self.settings.look, looks, LOOK_MOST),
        };
        self.sleep(pause).await;
        // The time that this takes is the point of it: what comes next is another try.
        let is_a_try = matches!(cause, Pause::Environment | Pause::Endpoint);
        if is_a_try && self.stop_level() == StopLevel::Continue {
            self.went_on().await?;
        }
        Ok(Flow::GoOn)
    }

    /// A failure outside is waited out. When a human wants to stop meanwhile, what could not be done
    /// is left for the next start.
    pub(super) async fn wait_out(&mut self, failure: Failure) -> Result<Flow, Failure> {
        if self.stop_level() >= StopLevel::AfterExperiment && self.waiting.is_some() {
            error!("left as it is, --resume goes on with it: {failure}");
            return Ok(Flow::Stop);
        }
        let postponed = failure.error.downcast_ref::<Postponed>();
        if let Some(Postponed { cause, why, after: Some(after) }) = postponed {
            let after = *after;
            self.begin_wait(*cause, why.clone());
            self.sleep(after).await;
            return Ok(Flow::GoOn);
        }
        let cause = match postponed {
            Some(postponed) => postponed.cause,
            None if failure.is_full_disk() => {
                self.make_room();
                Pause::Disk
            }
            None => Pause::Outside,
        };
        self.wait_for(cause, format!("{:#}", failure.error)).await
    }

    /// Waits until the ledger may be written again.
    pub(super) async fn wait_to_write(&mut self, problem: LedgerError) -> Result<(), Failure> {
        if self.urgency() >= StopLevel::AbandonRun {
            return Err(problem).or_outside();
        }
        let cause = match problem {
            LedgerError::DiskFull { .. } => {
                self.make_room();
                Pause::Disk
            }
            _ => Pause::Outside,
        };
        let looks = self.begin_wait(cause, format!("{:#}", anyhow::Error::from(problem)));
        self.sleep(doubled(self.settings.look, looks, LOOK_MOST)).await;
        Ok(())
    }

    /// Gives the ballast up, so that what is in hand can be written down.
    fn make_room(&self) {
        match self.ballast.release() {
            Ok(0) => {}
            Ok(bytes) => warn!(mib = bytes >> 20, "the ballast was given up"),
            Err(error) => warn!("the ballast stays: {:#}", anyhow::Error::from(error)),
        }
    }

    fn begin_wait(&mut self, cause: Pause, why: String) -> u32 {
        match &mut self.waiting {
            Some(waiting) if waiting.cause == cause => {
                waiting.looks += 1;
                let looks = waiting.looks;
                if waiting.why != why {
                    self.pulse.pause(Some(format!("{cause}: {why}")));
                    waiting.why = why;
                }
                looks
            }
            _ => {
                error!(why, "paused: {cause}");
                self.pulse.pause(Some(format!("{cause}: {why}")));
                self.service.status(&format!("paused: {cause}: {why}"));
                let since = self.waiting.take().map_or_else(clock::now, |waiting| waiting.since);
                self.waiting = Some(Waiting { cause, why, since, looks: 0 });
                0
            }
        }
    }

    /// Writes down that a wait is over, if there was one.
    pub(super) async fn went_on(&mut self) -> Result<(), Failure> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        if waiting.cause == Pause::Disk
            && let Err(error) = self.ballast.restore()
        {
            warn!("no ballast: {:#}", anyhow::Error::from(error));
        }
        info!(seconds = waiting.seconds(), "goes on after: {}", waiting.cause);
        self.write_wait(waiting).await
    }

    /// The same of a wait that a human ends. That it cannot be written down is no reason to wait on.
    pub(super) async fn gave_up(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        if let Err(failure) = self.write_wait(waiting).await {
            warn!("how long it waited is not written down: {:#}", failure.error);
        }
    }

    async fn write_wait(&mut self, waiting: Waiting) -> Result<(), Failure> {
        self.pulse.pause(None);
        let seconds = waiting.seconds();
        let Waiting { cause, why, .. } = waiting;
        self.record(Entry::Paused { cause, why, seconds }).await
    }

    /// Sleeps, or wakes because a human wants something else.
    async fn sleep(&mut self, pause: Duration) {
        let mut stop = self.stop.clone();
        let now = *stop.borrow();
        let slept = async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|level| *level > now) => {}
            }
        };
        self.service.during(pause + SLACK, slept).await;
    }

    fn failed_controls(&self) -> u32 {
        let failed = |row: &&crate::experiment::Row| {
            row.purpose == Purpose::Control && row.verdict == Verdict::Crash
        };
        let failed = self.history.rows.iter().rev().take_while(failed).count();
        u32::try_from(failed).unwrap_or(u32::MAX).saturating_sub(1)
    }
}

/// Whether this life cannot mend a failure outside, and the next one may.
pub(super) fn needs_another_life(failure: &Failure) -> bool {
    failure.error.downcast_ref().is_some_and(LedgerError::is_damage)
}

/// A wait that doubles each time, up to the longest.
pub(super) fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times.min(16))).min(most)
}
