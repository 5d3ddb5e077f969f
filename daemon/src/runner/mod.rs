//! The one place that starts programs. [nix, tokio::process]
//!
//! A child gets its own process group, an explicit environment, no standard input, and one pipe
//! for both its outputs, so that the log keeps their order. The deadline is kept here, on the
//! monotonic clock. Ending a child is TERM to its group, a grace in which its pipe is still
//! drained, then KILL; a second, stronger stop skips the grace.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::experiment::{RunOutcome, StopLevel};

mod capture;
mod child;
mod lock;

pub use capture::Live;
pub use lock::{FileLock, LockError, is_held, signal};

use capture::Capture;
use child::Child;

/// How long output is awaited after the child itself has ended: a grandchild that left the group
/// may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// One execution of one program.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    /// Working directory.
    pub directory: PathBuf,
    /// The whole environment of the child.
    pub environment: BTreeMap<String, String>,
    /// File to which output is appended.
    pub log: PathBuf,
    /// A line that marks the end of start-up, when the program prints one.
    pub started_line: Option<&'static str>,
    /// Time from start to TERM.
    pub deadline: Duration,
    /// Time from TERM to KILL.
    pub grace: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: RunOutcome,
    /// From start to end.
    pub elapsed: Duration,
    /// From start to the line that marks the end of start-up, when it was seen.
    pub startup: Option<Duration>,
    /// The last lines of its output.
    pub tail: String,
}

/// Why a program could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The program is not there or may not be executed.
    #[error("cannot start {program}")]
    Start {
        /// First element of the argument vector.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The log cannot be written.
    #[error("cannot write {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system failed us.
    #[error("cannot supervise {program}")]
    Supervise {
        /// First element of the argument vector.
        program: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs a program to its end, its deadline, or a stop, whichever comes first.
///
/// # Errors
/// Only when the program cannot be run or watched; however it ends is a [`RunOutcome`].
pub async fn run(
    execution: &Execution,
    live: Live,
    mut stop: watch::Receiver<StopLevel>,
) -> Result<Report, RunnerError> {
    let supervise = |source| RunnerError::Supervise { program: execution.argv[0].clone(), source };
    let mut capture = Capture::open(execution, live)
        .map_err(|source| RunnerError::Log { path: execution.log.clone(), source })?;
    let start = Instant::now();
    let (mut child, mut pipe) = Child::spawn(execution)?;
    let mut ending = Ending::default();
    let mut timer = start + execution.deadline;
    let mut stop_closed = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.map_err(supervise)?,
            read = capture.pump(&mut pipe), if !capture.at_end() => read.map_err(supervise)?,
            () = sleep_until(timer) => {
                timer = Instant::now() + execution.grace.max(Duration::from_millis(50));
                child.end(ending.escalate(RunOutcome::TimedOut));
            }
            changed = stop.changed(), if !stop_closed => {
                stop_closed = changed.is_err();
                match *stop.borrow() {
                    StopLevel::Continue | StopLevel::AfterExperiment => {}
                    StopLevel::AbandonRun => {
                        timer = Instant::now() + execution.grace;
                        child.end(ending.escalate(RunOutcome::Cancelled));
                    }
                    StopLevel::Now => child.end(ending.kill(RunOutcome::Cancelled)),
                }
            }
        }
    };
    let elapsed = start.elapsed();
    child.end(Force::Kill);
    let _ = tokio::time::timeout(DRAIN, capture.drain(&mut pipe)).await;
    let startup = capture.started_at().map(|at| at.duration_since(start.into_std()).min(elapsed));
    let outcome = ending.cause.unwrap_or_else(|| child::outcome(status));
    Ok(Report { outcome, elapsed, startup, tail: capture.into_tail() })
}

/// How hard a group is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    Terminate,
    Kill,
}

/// Why and how far the daemon is ending the child; the first cause stays.
#[derive(Default)]
struct Ending {
    cause: Option<RunOutcome>,
}

impl Ending {
    fn escalate(&mut self, cause: RunOutcome) -> Force {
        let force = if self.cause.is_none() { Force::Terminate } else { Force::Kill };
        self.cause.get_or_insert(cause);
        force
    }

    fn kill(&mut self, cause: RunOutcome) -> Force {
        self.cause.get_or_insert(cause);
        Force::Kill
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
