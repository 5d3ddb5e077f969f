//! What to do about a proposer that fails, as a pure policy: time and chance come in as arguments.
//!
//! Every failure has one [`Response`]. [`Patience`] adds a circuit breaker: closed, it only makes
//! the next call wait; open, it also lets a fallback answer meanwhile. It opens after some failures
//! in a row, and at once for a failure that no short wait mends. When the wait is over, one call
//! probes (half open): a failure keeps it open, one success closes it.
//!
//! Not the `backon` crate: its jitter is added to the delay, so it goes past the cap and never below
//! the exponential, and a server's least wait has no place in it.

use std::time::Duration;

use super::ProposerError;
use crate::prompt::Size;

/// A wait that is longer is for somebody to hear of: it is kept, and the night may be over before it
/// is.
const TOLD_ABOVE: Duration = Duration::from_secs(24 * 3600);

/// Longest time between two looks of a caller around.
const LOOK_MOST: Duration = Duration::from_secs(60);

/// How patient to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Upper bound of the first wait; it doubles with each failure in a row.
    pub first: Duration,
    /// Upper bound of all such waits.
    pub most: Duration,
    /// Wait before a probe of what somebody has to set right: a key, a limit, a model's name.
    pub probe: Duration,
    /// Failures in a row that open the breaker.
    pub opens_after: u32,
    /// Least wait while it is open.
    pub cool_down: Duration,
    /// Longest part of a wait after which the caller looks around.
    pub look: Duration,
}

impl Policy {
    /// Waits at most this long, unless the endpoint asks for more, and that long for what somebody
    /// has to set right. The first wait is a three-hundredth of it, cooling down a fifth, and so is
    /// the time between two looks, unless that is more than a minute.
    pub fn waiting_at_most(most: Duration) -> Self {
        let (cool_down, look) = (most / 5, (most / 5).min(LOOK_MOST));
        Self { first: most / 300, most, probe: most, opens_after: 3, cool_down, look }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::waiting_at_most(Duration::from_secs(300))
    }
}

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Nothing: it is an answer, though none that can be used, and asked again it would be the same.
    Answer,
    /// Ask again after this wait.
    Retry(Duration),
    /// Ask again at once with a smaller question.
    Shrink,
    /// Somebody has to set something right; see after this wait whether they did.
    Probe(Duration),
    /// Give up: no wait mends this.
    Fatal,
}

impl Policy {
    /// What a failure asks for, after so many others in a row. `jitter` is a draw from [0, 1).
    pub fn respond(
        &self,
        error: &ProposerError,
        size: Size,
        (failures, jitter): (u32, f64),
    ) -> Response {
        use ProposerError as E;
        match error {
            E::Overflow { .. } if size == Size::Whole => Response::Shrink,
            // Asked again, the same question is refused again: another one has to be put.
            E::Truncated { .. }
            | E::Empty { .. }
            | E::Declined { .. }
            | E::ContentRefused { .. }
            | E::Overflow { .. } => Response::Answer,
            // The next one is another question: there is nothing to wait for but what it was told.
            E::ToolsRefused(_) => Response::Retry(error.retry_after().unwrap_or_default()),
            E::RateLimited { .. }
            | E::Overloaded { .. }
            | E::Unreachable { .. }
            | E::Timeout { .. }
            | E::Cut { .. }
            | E::Unreadable { .. } => {
                let least = error.retry_after().unwrap_or_default();
                Response::Retry(self.backoff(failures, jitter).max(least))
            }
            E::Unauthorized { .. }
            | E::SpendLimit { .. }
            | E::UnknownModel { .. }
            | E::Refused { .. } => {
                Response::Probe(self.probe.max(error.retry_after().unwrap_or_default()))
            }
            E::Prompt(_) | E::NoKnobs { .. } | E::Exhausted => Response::Fatal,
        }
    }

    /// Full jitter: anything from nothing to the doubled wait, which is never above the cap.
    ///
    /// # Source
    /// M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    fn backoff(&self, failures: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(failures));
        doubled.min(self.most).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Ask,
    /// Not before this time has passed; a fallback may answer meanwhile if the breaker is open.
    Wait {
        /// Time left.
        left: Duration,
        /// The breaker.
        is_open: bool,
    },
}

/// What comes next after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is an answer, though none that can be used.
    Answer,
    /// A smaller question, at once.
    Shrink,
    /// A wait: [`Patience::turn`] says how long.
    Wait {
        /// Somebody has to set something right, or to know how long it takes.
        is_alert: bool,
    },
    /// No wait mends this.
    Fatal,
}

/// A policy and what became of the calls so far. Times are durations since any fixed moment.
#[derive(Clone, Debug)]
pub struct Patience {
    policy: Policy,
    failures: u32,
    is_open: bool,
    not_before: Duration,
}

impl Patience {
    /// A closed breaker.
    pub fn new(policy: Policy) -> Self {
        Self { policy, failures: 0, is_open: false, not_before: Duration::ZERO }
    }

    /// Whether a call may be made now.
    pub fn turn(&self, now: Duration) -> Turn {
        match self.not_before.saturating_sub(now) {
            Duration::ZERO => Turn::Ask,
            left => Turn::Wait { left, is_open: self.is_open },
        }
    }

    /// Takes in that a call brought an answer. Returns whether calls had failed before it.
    pub fn succeeded(&mut self) -> bool {
        let had_failed = self.failures > 0;
        *self = Self::new(self.policy);
        had_failed
    }

    /// Longest part of a wait after which the caller looks around.
    pub fn look(&self) -> Duration {
        self.policy.look
    }

    /// Whether a fallback may answer.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes in that nobody may be asked for so long, whatever the reason.
    pub fn rest(&mut self, now: Duration, wait: Duration) {
        self.failures = self.failures.max(1);
        self.is_open = true;
        self.not_before = self.not_before.max(now.saturating_add(wait));
    }

    /// Takes in that a call with a question of this size failed now.
    pub fn failed(
        &mut self,
        error: &ProposerError,
        size: Size,
        (now, jitter): (Duration, f64),
    ) -> Next {
        match self.policy.respond(error, size, (self.failures, jitter)) {
            Response::Answer => Next::Answer,
            Response::Shrink => Next::Shrink,
            Response::Fatal => Next::Fatal,
            Response::Retry(wait) => {
                // Another answer that never comes would take as long again.
                let is_silent = matches!(error, ProposerError::Timeout { .. });
                self.wait(now, wait, is_silent || wait > self.policy.most);
                Next::Wait { is_alert: wait > TOLD_ABOVE }
            }
            Response::Probe(wait) => {
                self.wait(now, wait, true);
                Next::Wait { is_alert: true }
            }
        }
    }

    fn wait(&mut self, now: Duration, wait: Duration, is_long: bool) {
        self.failures = self.failures.saturating_add(1);
        self.is_open |= is_long || self.failures >= self.policy.opens_after;
        let least = if self.is_open { self.policy.cool_down } else { Duration::ZERO };
        self.not_before = now.saturating_add(wait.max(least));
    }
}

#[cfg(test)]
#[path = "patience_tests.rs"]
mod tests;
