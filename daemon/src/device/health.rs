//! What failures of the infrastructure mean for the next run. Pure.
//!
//! One failure makes the device suspect: a canary comes before the next run. A canary that passes
//! puts it on trial; only a run that ends by itself makes it healthy again. A second failure before
//! that and it is down: nothing is started, no token is spent, and a canary probes it at growing
//! intervals.

use std::fmt;
use std::time::Duration;

use dfr_contract::exit;

use super::DeviceError;
use super::gate::Admission;
use crate::experiment::RunOutcome;

/// Longest wait between probes of a device that is down.
pub const PROBE_MOST: Duration = Duration::from_secs(300);
/// What the trainer's canary says when it found no GPU and computed without.
const WITHOUT_DEVICE: &str = "canary: sound on cpu";

/// What is thought of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing is held against it.
    #[default]
    Healthy,
    /// It failed once; a canary is due.
    Suspect,
    /// A canary passed; the next run must show that it works.
    OnTrial {
        /// Waits so far since it was last healthy.
        waits: u32,
    },
    /// It failed twice without a good run in between.
    Down {
        /// Waits so far since it was last healthy, this one included.
        waits: u32,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A run ended that was not the device's fault.
    RunEnded,
    /// The device failed: during a run, or by what the driver says.
    Fault(String),
    /// The canary's answer was right.
    CanaryPassed,
    /// The canary gave no right answer.
    CanaryFailed(CanaryFailure),
    /// Somebody else uses the device: no fault of it or of ours.
    Crowded(String),
    /// The time of a pause is over.
    Waited,
}

/// How a canary died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryFailure {
    /// The checksum was another.
    WrongAnswer,
    /// It did not compute on the GPU at all.
    WithoutDevice,
    /// It ended without an answer.
    Crashed(RunOutcome),
    /// It gave no answer in time.
    TimedOut,
}

impl fmt::Display for CanaryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAnswer => f.write_str("the canary computed a wrong answer"),
            Self::WithoutDevice => f.write_str("the canary could not reach the GPU"),
            Self::Crashed(outcome) => write!(f, "the canary died: {outcome}"),
            Self::TimedOut => f.write_str("the canary gave no answer in time"),
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on with experiments, each after its admission.
    GoOn,
    /// Run the canary and tell how it ended.
    Canary,
    /// Start nothing and spend nothing; then tell that the time is over.
    Pause {
        /// For people.
        why: String,
        /// How many waits for the same, this one included; each may be longer than the last.
        waits: u32,
    },
}

impl Health {
    /// What an event makes of the device, and what follows.
    #[must_use]
    pub fn on(self, event: Event) -> (Self, Step) {
        match event {
            Event::Fault(why) => self.failed(why),
            Event::CanaryFailed(failure) => self.failed(failure.to_string()),
            Event::Crowded(why) => (self, Step::Pause { why, waits: 1 }),
            Event::CanaryPassed => (self.passed(), Step::GoOn),
            Event::RunEnded => self.ran(),
            Event::Waited => (self, self.due()),
        }
    }

    fn failed(self, why: String) -> (Self, Step) {
        let waits = match self {
            Self::Healthy => return (Self::Suspect, Step::Canary),
            Self::Suspect => 1,
            Self::OnTrial { waits } | Self::Down { waits } => waits.saturating_add(1),
        };
        (Self::Down { waits }, Step::Pause { why, waits })
    }

    fn passed(self) -> Self {
        match self {
            Self::Healthy => Self::Healthy,
            Self::Suspect => Self::OnTrial { waits: 0 },
            Self::OnTrial { waits } | Self::Down { waits } => Self::OnTrial { waits },
        }
    }

    fn ran(self) -> (Self, Step) {
        match self {
            Self::Healthy | Self::OnTrial { .. } => (Self::Healthy, Step::GoOn),
            Self::Suspect | Self::Down { .. } => (self, Step::Canary),
        }
    }

    fn due(self) -> Step {
        match self {
            Self::Healthy | Self::OnTrial { .. } => Step::GoOn,
            Self::Suspect | Self::Down { .. } => Step::Canary,
        }
    }
}

impl Event {
    /// What an admission means; nothing when the experiment may start.
    pub fn of_admission(admission: &Admission) -> Option<Self> {
        match admission {
            Admission::Ready => None,
            Admission::Foreign { .. } | Admission::MemoryHeld { .. } => {
                Some(Self::Crowded(admission.to_string()))
            }
            Admission::Sick { why } => Some(Self::Fault(why.clone())),
        }
    }

    /// What it says against the device, for people.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Fault(why) => Some(why.clone()),
            Self::CanaryFailed(failure) => Some(failure.to_string()),
            Self::RunEnded | Self::CanaryPassed | Self::Crowded(_) | Self::Waited => None,
        }
    }

    /// How a canary ended; nothing when a human cancelled it. `tail` is the end of its output: a
    /// trainer that finds no GPU computes without, and its right answer says nothing then.
    pub fn of_canary(outcome: &RunOutcome, tail: &str, has_gpu: bool) -> Option<Self> {
        let failure = match outcome {
            RunOutcome::Cancelled => return None,
            RunOutcome::Finished if has_gpu && tail.contains(WITHOUT_DEVICE) => {
                CanaryFailure::WithoutDevice
            }
            RunOutcome::Finished => return Some(Self::CanaryPassed),
            RunOutcome::TimedOut => CanaryFailure::TimedOut,
            RunOutcome::Crashed { code, .. } if *code == Some(exit::CANARY.into()) => {
                CanaryFailure::WrongAnswer
            }
            RunOutcome::Crashed { .. } => CanaryFailure::Crashed(outcome.clone()),
        };
        Some(Self::CanaryFailed(failure))
    }
}

impl From<&DeviceError> for Event {
    fn from(error: &DeviceError) -> Self {
        Self::Fault(error.to_string())
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
