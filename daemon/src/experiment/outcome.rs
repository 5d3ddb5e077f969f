//! How a run ended, which phase an experiment is in, and how urgently a human wants to stop.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How one execution of a program ended. Data, never an error of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// Exit status 0.
    Finished,
    /// Any other exit.
    Crashed {
        /// Exit code, when it exited by itself.
        code: Option<i32>,
        /// Signal number, when a signal ended it.
        signal: Option<i32>,
        /// What ended it, when that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// Ended by the daemon at its deadline.
    TimedOut,
    /// Ended by the daemon because a human wanted to stop.
    Cancelled,
}

impl RunOutcome {
    /// Whether the program says that the device failed.
    pub fn is_device_fault(&self) -> bool {
        matches!(self, Self::Crashed { cause: Some(Cause::DeviceFault), .. })
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Crashed { cause: Some(cause), .. } => write!(f, "crashed: {cause}"),
            Self::Crashed { code: Some(code), .. } => write!(f, "exit code {code}"),
            Self::Crashed { signal: Some(signal), .. } => write!(f, "ended by signal {signal}"),
            Self::Crashed { .. } => f.write_str("crashed"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// Why a run crashed, beyond its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Main memory ran out, or its limit was passed.
    OutOfMemory,
    /// More processes than its limit.
    TooManyProcesses,
    /// A file grew past its limit.
    FileTooLarge,
    /// Its directories together grew past their limit.
    TooMuchWritten,
    /// The loss became NaN or infinite.
    NotFinite,
    /// The device's memory ran out, as the program says.
    DeviceOutOfMemory,
    /// The device failed, not the candidate: it never counts against the idea.
    DeviceFault,
}

impl Cause {
    /// The words in reasons and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OutOfMemory => "out of memory",
            Self::TooManyProcesses => "too many processes",
            Self::FileTooLarge => "a file grew too large",
            Self::TooMuchWritten => "too much was written",
            Self::NotFinite => "the loss became NaN or infinite",
            Self::DeviceOutOfMemory => "out of the device's memory",
            Self::DeviceFault => "the device failed",
        }
    }

    /// Whether the run passed a limit of its own: no accident of the machine excuses that.
    pub fn is_excess(self) -> bool {
        match self {
            Self::OutOfMemory
            | Self::TooManyProcesses
            | Self::FileTooLarge
            | Self::TooMuchWritten => true,
            Self::NotFinite | Self::DeviceOutOfMemory | Self::DeviceFault => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where the time of an experiment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Asking the proposer, repairs included.
    Propose,
    /// Building and the smoke step.
    Build,
    /// From the trainer's start to its first step.
    Start,
    /// The budgeted training.
    Train,
    /// Predicting the validation part.
    Predict,
    /// Computing the official score.
    Score,
    /// Predicting the holdout part, for a keep.
    Holdout,
    /// Everything the daemon writes: ledger, branch, notebook.
    Record,
}

impl Phase {
    /// In the order of an experiment.
    pub const ALL: [Self; 8] = [
        Self::Propose,
        Self::Build,
        Self::Start,
        Self::Train,
        Self::Predict,
        Self::Score,
        Self::Holdout,
        Self::Record,
    ];

    /// The word in logs and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Build => "build",
            Self::Start => "start",
            Self::Train => "train",
            Self::Predict => "predict",
            Self::Score => "score",
            Self::Holdout => "holdout",
            Self::Record => "record",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How urgently a human wants the loop to stop. Only a stronger request replaces a weaker one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Nobody asked.
    #[default]
    Continue,
    /// Finish the experiment in hand, then stop.
    AfterExperiment,
    /// End the run in hand, put the branch back, stop.
    AbandonRun,
    /// Stop at once; the next start puts things right.
    Now,
}
