//! The one place that starts programs. [nix, tokio::process]
//!
//! Between the daemon and a program stands an init of its own (this program, entered once more), so
//! that nothing outlives its run: see [`Tier`]. A program gets its own session, an explicit
//! environment, no standard input, and one pipe for both its outputs, so that the log keeps their
//! order. The deadline is kept here, on the monotonic clock. Ending a run is TERM to everything in
//! it, a grace in which its pipe is still drained, then KILL; a second, stronger stop skips the
//! grace.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::experiment::{Cause, RunOutcome, StopLevel};
use crate::sandbox::Sandbox;
use crate::tier::Tier;

mod capabilities;
mod capture;
mod cause;
mod cgroup;
mod child;
mod confine;
mod containment;
mod init;
mod limits;
mod lines;
mod lock;
mod mark;
mod memory;
mod pages;
mod processes;
mod seal;
mod start;
mod suspend;
mod trusted;
mod words;
mod written;

pub use capabilities::{Capabilities, capabilities, capabilities_with};
pub use capture::Live;
pub use cgroup::{Groups, Version};
pub use confine::{RunUser, RunUserError, gpu_nodes};
pub use containment::{Containment, ContainmentError};
pub use init::contained;
pub use limits::ResourceLimits;
pub use lock::{FileLock, LockError, SignalError, is_held, signal};
pub use mark::MARK;
pub use memory::usual_memory_bytes;
pub use pages::{Levelled, level_pages};
pub use processes::end_leftovers;
pub use seal::{Seal, Unsealed};
pub use suspend::Taint;
pub use trusted::{TrustedError, run_trusted};
pub use words::{NotContained, Step};
pub use written::{
    PrepareError, level_times, prepare_writable, remove_written, settle_space, written_bytes,
};

use capture::{Capture, Captured};
use cause::Evidence;
use cgroup::Group;
use child::{Child, Force};
use limits::{Usage, WATCH_EVERY, machine_oom_kills};
use suspend::{Attention, Clocks};
use words::Word;
use written::{End, Watch};

/// How long output is awaited after everything has ended: only what the kernel itself holds in the
/// middle of a call could keep the pipe open.
const DRAIN: Duration = Duration::from_secs(1);
/// How long an init may take to kill everything before it is killed, and then to die before the
/// daemon goes on without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// One execution of one program.
#[derive(Clone, Debug)]
pub struct Execution {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    /// Working directory; of what a sandbox shows, if there is one.
    pub directory: PathBuf,
    /// The whole environment of the child. [`MARK`] in it names the session
    /// for [`end_leftovers`].
    pub environment: BTreeMap<String, String>,
    /// File to which output is appended: its first 8 MiB, its last 1 MiB, and how much there was.
    pub log: PathBuf,
    /// A line that marks the end of start-up, when the program prints one.
    pub started_line: Option<&'static str>,
    /// Says of a line of output whether it is one that must not be there.
    pub telltale: Option<fn(&str) -> bool>,
    /// Time from start to TERM.
    pub deadline: Duration,
    /// Time from TERM to KILL.
    pub grace: Duration,
    /// What it may use.
    pub limits: ResourceLimits,
    /// What keeps it together.
    pub containment: Containment,
    /// What it may see and touch, as the containment's user of runs; absent, all that the daemon
    /// may, as the daemon's user.
    pub sandbox: Option<Sandbox>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How it ended.
    pub outcome: RunOutcome,
    /// From start to end.
    pub elapsed: Duration,
    /// From start to the line that marks the end of start-up, when it was seen.
    pub startup: Option<Duration>,
    /// The last lines of its output.
    pub tail: String,
    /// The first line that the execution calls a telltale, its first 200 characters; also one that
    /// the log leaves out.
    pub telltale: Option<String>,
    /// Processes that were still there when the program itself had ended, and were killed.
    pub killed: u32,
    /// What somebody did to it, so that what was measured is worth nothing.
    pub tainted: Option<Taint>,
    /// Why the log is not whole; a full disk, mostly.
    pub log_error: Option<std::io::Error>,
    /// Whether the log had its room before the run began, so that the run could not take it.
    pub is_log_reserved: bool,
}

impl Report {
    /// Of a program that could not even be started, for whom that is its own fault.
    pub fn not_started(why: &anyhow::Error) -> Self {
        /// As shells have it.
        const NOT_STARTED: i32 = 127;
        Self {
            outcome: RunOutcome::Crashed { code: Some(NOT_STARTED), signal: None, cause: None },
            elapsed: Duration::ZERO,
            startup: None,
            tail: format!("{why:#}"),
            telltale: None,
            killed: 0,
            tainted: None,
            log_error: None,
            is_log_reserved: true,
        }
    }
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
    /// Its control groups could not be made as they were when the machine was probed.
    #[error("cannot limit {program}")]
    Limit {
        /// First element of the argument vector.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was not started, because it could not be contained as when the machine was probed.
    #[error("cannot contain {program}")]
    Contain {
        /// First element of the argument vector.
        program: String,
        /// Why.
        source: NotContained,
    },
    /// It was not started, because the containment in force makes no sandbox.
    #[error("cannot seal {program}")]
    Unsealed {
        /// First element of the argument vector.
        program: String,
        /// Why.
        source: Unsealed,
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

impl RunnerError {
    /// Whether it is the program that cannot be started, on a machine that could start others.
    pub fn is_of_the_program(&self) -> bool {
        use std::io::ErrorKind::{OutOfMemory, WouldBlock};
        match self {
            Self::Start { source, .. } => !matches!(source.kind(), WouldBlock | OutOfMemory),
            _ => false,
        }
    }
}

/// Runs a program to its end, its deadline, or a stop, whichever comes first. Nothing of it is left
/// when this returns.
///
/// # Errors
/// Only when the program cannot be run or watched; however it ends is a [`RunOutcome`].
pub async fn run(
    execution: &Execution,
    live: Live,
    stop: watch::Receiver<StopLevel>,
) -> Result<Report, RunnerError> {
    if let (Some(_), Err(why)) = (&execution.sandbox, execution.containment.seals()) {
        return Err(RunnerError::Unsealed {
            program: execution.argv[0].clone(),
            source: why.clone(),
        });
    }
    let capture = Capture::open(execution, live)
        .map_err(|source| RunnerError::Log { path: execution.log.clone(), source })?;
    let program = || execution.argv[0].clone();
    let group = Group::make(execution.containment.groups(), &execution.limits)
        .map_err(|source| RunnerError::Limit { program: program(), source })?;
    let written = Watch::of(execution).await;
    let begun =
        Begun { at: Instant::now(), clocks: Clocks::read(), oom_kills: machine_oom_kills() };
    let (child, pipe) = Child::spawn(execution, &group)?;
    let ending = Ending::default();
    let attention = Attention::new(begun.at, WATCH_EVERY);
    let mut run = Run { execution, group, child, pipe, capture, written, ending, attention };
    let init = run.watch(begun.at, stop).await;
    let init = init.map_err(|source| RunnerError::Supervise { program: program(), source })?;
    run.finish(begun, init).await
}

/// What the clocks and counters said when a run began.
struct Begun {
    at: Instant,
    clocks: Clocks,
    oom_kills: u64,
}

impl Begun {
    /// What stopped the run for a while since.
    fn taint(&self, attention: &Attention) -> Option<Taint> {
        match self.clocks.slept_until(Clocks::read()) {
            true => Some(Taint::Slept),
            false => attention.was_lost().then_some(Taint::Stopped),
        }
    }
}

/// Whether the init, or the first process of its namespace, was ended by a signal before it could tell
/// anything.
fn is_lost(init: Option<ExitStatus>, word: Option<Word>) -> bool {
    let lost = match word {
        None => init,
        Some(Word::Lost { status }) => Some(ExitStatus::from_raw(status)),
        Some(Word::Ended { .. } | Word::NotStarted { .. } | Word::NotContained(_)) => None,
    };
    lost.is_some_and(|status| status.signal().is_some())
}

/// A run in hand.
struct Run<'a> {
    execution: &'a Execution,
    group: Group,
    child: Child,
    pipe: pipe::Receiver,
    capture: Capture,
    written: Watch,
    ending: Ending,
    attention: Attention,
}

impl Run<'_> {
    /// Until the init ends. `None` when it cannot be ended: the kernel holds something of the run.
    async fn watch(
        &mut self,
        start: Instant,
        mut stop: watch::Receiver<StopLevel>,
    ) -> std::io::Result<Option<ExitStatus>> {
        let limits = self.execution.limits;
        let mut timer = start + self.execution.deadline;
        let mut stop_closed = false;
        let mut look = interval(WATCH_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wanted = tokio::select! {
                status = self.child.wait() => {
                    self.attention.at(Instant::now());
                    return status.map(Some);
                }
                read = self.capture.pump(&mut self.pipe), if !self.capture.at_end() => {
                    read?;
                    continue;
                }
                () = sleep_until(timer) => {
                    self.attention.at(Instant::now());
                    // A daemon that was stopped hears of both at once.
                    if let Some(status) = self.child.try_wait()? {
                        return Ok(Some(status));
                    }
                    self.ending.escalate(Why::Deadline)
                }
                _ = look.tick() => {
                    self.attention.at(Instant::now());
                    let is_watched = limits.are_watched() && !self.ending.kills();
                    match is_watched.then(|| self.breach()).flatten() {
                        Some(cause) => self.ending.kill(Why::Limit(cause)),
                        None => continue,
                    }
                }
                changed = stop.changed(), if !stop_closed => {
                    stop_closed = changed.is_err();
                    match *stop.borrow() {
                        StopLevel::Continue | StopLevel::AfterExperiment => continue,
                        StopLevel::AbandonRun => self.ending.escalate(Why::Stop),
                        StopLevel::Now => self.ending.kill(Why::Stop),
                    }
                }
            };
            let Some(force) = wanted else { return Ok(None) };
            self.child.end(force);
            let wait = if force == Force::Terminate { self.execution.grace } else { PATIENCE };
            timer = Instant::now() + wait.max(Duration::from_millis(50));
        }
    }

    /// Leaves nothing behind, and tells how it ended.
    async fn finish(self, begun: Begun, init: Option<ExitStatus>) -> Result<Report, RunnerError> {
        let Self { execution, group, child, mut pipe, mut capture, written, mut ending, attention } =
            self;
        let remains = child.bury(&group).await;
        let elapsed = begun.at.elapsed();
        let _ = tokio::time::timeout(DRAIN, capture.drain(&mut pipe)).await;
        let at = capture.started_at();
        let Captured { tail, telltale, log_error, is_log_reserved } = capture.finish();
        let end = written.at_the_end().await;
        if end == End::Excess {
            ending.why.get_or_insert(Why::Limit(Cause::TooMuchWritten));
        }
        let (status, killed) = status(execution, init, remains.word)?;
        let seen = Evidence {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            breach: ending.breach(),
            group_oom_kills: group.oom_kills(),
            // Of a run with a group for its memory that one knows, and no other program is mistaken
            // for it.
            machine_oom_kills: match group.counts_oom_kills() {
                true => 0,
                false => machine_oom_kills().saturating_sub(begun.oom_kills),
            },
            refused_forks: group.refused_forks(),
            tail: &tail,
        };
        // Where a program cannot reach its init; the kernel says so when it was for want of memory.
        let lost_init = execution.containment.tier() == Tier::Full && is_lost(init, remains.word);
        let is_unexplained =
            ending.why.is_none() && seen.group_oom_kills == 0 && seen.machine_oom_kills == 0;
        Ok(Report {
            outcome: ending.outcome(&seen),
            elapsed,
            startup: at.map(|at| at.duration_since(begun.at.into_std()).min(elapsed)),
            killed: killed + remains.killed,
            tainted: (end == End::FilledByOthers)
                .then_some(Taint::DiskFilled)
                .or_else(|| begun.taint(&attention))
                .or_else(|| (lost_init && is_unexplained).then_some(Taint::InitKilled)),
            tail,
            telltale,
            log_error,
            is_log_reserved,
        })
    }

    /// The limit that is passed, whether the kernel answered it already or not: it ends a single
    /// process, and the rest would wait for that one for ever.
    fn breach(&mut self) -> Option<Cause> {
        let usage = Usage::below(self.child.pid());
        let killed = (self.group.oom_kills() > 0).then_some(Cause::OutOfMemory);
        let refused = (self.group.refused_forks() > 0).then_some(Cause::TooManyProcesses);
        let known = killed.or(refused).or_else(|| self.execution.limits.breach(usage));
        known.or_else(|| self.written.found_excess().then_some(Cause::TooMuchWritten))
    }
}

/// How the program ended, and how much of it its init had to kill.
fn status(
    execution: &Execution,
    init: Option<ExitStatus>,
    word: Option<Word>,
) -> Result<(Option<ExitStatus>, u32), RunnerError> {
    let program = || execution.argv[0].clone();
    let source = std::io::Error::from_raw_os_error;
    match word {
        Some(Word::Ended { status, killed }) => Ok((Some(ExitStatus::from_raw(status)), killed)),
        Some(Word::Lost { status }) => Ok((Some(ExitStatus::from_raw(status)), 0)),
        // An init that was killed takes the program with it: its end is the program's. One that
        // ended by itself without a word says nothing about the program.
        None => Ok((init.filter(|init| init.signal().is_some()), 0)),
        Some(Word::NotStarted { errno }) => {
            Err(RunnerError::Start { program: program(), source: source(errno) })
        }
        Some(Word::NotContained(source)) => {
            Err(RunnerError::Contain { program: program(), source })
        }
    }
}

/// Why the daemon ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Deadline,
    Stop,
    Limit(Cause),
}

/// Why and how far the daemon is ending a run; the first reason stays.
#[derive(Default)]
struct Ending {
    why: Option<Why>,
    last: Option<Force>,
}

impl Ending {
    /// Until then limits hold, in the grace as well.
    fn kills(&self) -> bool {
        matches!(self.last, Some(Force::Kill | Force::KillInit))
    }

    /// The next harder way; `None` when all were tried.
    fn escalate(&mut self, why: Why) -> Option<Force> {
        self.why.get_or_insert(why);
        self.last = match self.last {
            None => Some(Force::Terminate),
            Some(Force::Terminate) => Some(Force::Kill),
            Some(Force::Kill) => Some(Force::KillInit),
            Some(Force::KillInit) => return None,
        };
        self.last
    }

    /// Killing at once.
    fn kill(&mut self, why: Why) -> Option<Force> {
        self.last.get_or_insert(Force::Terminate);
        self.escalate(why)
    }

    fn breach(&self) -> Option<Cause> {
        match self.why {
            Some(Why::Limit(cause)) => Some(cause),
            _ => None,
        }
    }

    fn outcome(&self, seen: &Evidence<'_>) -> RunOutcome {
        match self.why {
            Some(Why::Deadline) => RunOutcome::TimedOut,
            Some(Why::Stop) => RunOutcome::Cancelled,
            None if seen.code == Some(0) => RunOutcome::Finished,
            _ => RunOutcome::Crashed {
                code: seen.code,
                signal: seen.signal,
                cause: cause::cause(seen),
            },
        }
    }
}
