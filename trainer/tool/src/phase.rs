//! One phase of `dfr-train`: a child in its own group, with a limit, live output and Ctrl-C.

use std::io::{self, BufRead as _, BufReader, PipeReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use dfr_media::child::{self, Group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How often a bar moves without output.
const TICK: Duration = Duration::from_millis(200);
/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// Why a phase gave no result.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// It could not be started.
    #[error("cannot run {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ran past its limit and was killed.
    #[error("{phase} was stopped: it was not done within {} s", .limit.as_secs())]
    TimedOut {
        /// `train` or `predict`.
        phase: &'static str,
        /// Its limit.
        limit: Duration,
    },
    /// It ended with an error.
    #[error("{phase} failed: {status}")]
    Failed {
        /// `train` or `predict`.
        phase: &'static str,
        /// How it ended.
        status: ExitStatus,
    },
    /// A human stopped us.
    #[error("stopped during {0}")]
    Interrupted(&'static str),
}

/// What is to be run, and for how long at most.
pub struct Phase {
    /// `train` or `predict`.
    pub name: &'static str,
    /// Program and arguments.
    pub command: Command,
    /// What it reads: nothing, or the end of a pipe.
    pub input: Stdio,
    /// Killed after this.
    pub limit: Duration,
}

/// Sees a phase while it runs.
pub trait Watcher {
    /// A line of output, of either stream.
    fn line(&mut self, line: &str);
    /// Some time has passed.
    fn tick(&mut self);
}

enum Event {
    Line(String),
    OutputEnded,
    Stop,
}

impl Phase {
    /// Runs the phase to its end and tells how long it took.
    ///
    /// # Errors
    /// It cannot start, runs past its limit, fails, or a human stops it. Nothing of it is left.
    pub fn run(self, watcher: &mut dyn Watcher) -> Result<Duration, PhaseError> {
        let (name, limit) = (self.name, self.limit);
        let started = Instant::now();
        let program = self.command.get_program().to_string_lossy().into_owned();
        let start_error = |source| PhaseError::Start { program, source };
        let (mut group, output) = start(self.command, self.input).map_err(start_error)?;
        match follow(output, started + limit, watcher) {
            Followed::Stopped => {
                end(&mut group);
                return Err(PhaseError::Interrupted(name));
            }
            Followed::OutOfTime | Followed::ToTheEnd => (),
        }
        match group.wait_until(started + limit) {
            Ok(Some(status)) if status.success() => Ok(started.elapsed()),
            Ok(Some(status)) => Err(PhaseError::Failed { phase: name, status }),
            Ok(None) | Err(_) => {
                end(&mut group);
                Err(PhaseError::TimedOut { phase: name, limit })
            }
        }
    }
}

/// Both output streams end in one pipe, so that lines keep their order.
fn start(mut command: Command, input: Stdio) -> io::Result<(Group, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    command.stdin(input).stdout(writer.try_clone()?).stderr(writer);
    child::bind(&mut command);
    Ok((Group::spawn(&mut command)?, reader))
}

/// Asks it to end, and drops it (which kills) after the grace.
fn end(group: &mut Group) {
    group.terminate();
    // Whether it ended by itself does not matter: the group is killed on drop.
    let _ = group.wait_until(Instant::now() + GRACE);
}

enum Followed {
    ToTheEnd,
    OutOfTime,
    Stopped,
}

fn follow(output: PipeReader, deadline: Instant, watcher: &mut dyn Watcher) -> Followed {
    let (events, inbox) = mpsc::channel();
    let _stop = StopSignals::send_to(events.clone());
    thread::spawn(move || read_lines(output, &events));
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match inbox.recv_timeout(left.min(TICK)) {
            Ok(Event::Line(line)) => watcher.line(&line),
            Ok(Event::OutputEnded) | Err(RecvTimeoutError::Disconnected) => {
                return Followed::ToTheEnd;
            }
            Ok(Event::Stop) => return Followed::Stopped,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Followed::OutOfTime,
            Err(RecvTimeoutError::Timeout) => watcher.tick(),
        }
        if left.is_zero() {
            return Followed::OutOfTime;
        }
    }
}

fn read_lines(output: PipeReader, events: &Sender<Event>) {
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if events.send(Event::Line(text)).is_err() {
            return;
        }
    }
    // Nobody listens any more when the phase was stopped.
    let _ = events.send(Event::OutputEnded);
}

/// SIGINT and SIGTERM become events while this lives.
struct StopSignals(Option<signal_hook::iterator::Handle>);

impl StopSignals {
    fn send_to(events: Sender<Event>) -> Self {
        // Without them Ctrl-C kills us at once; the child then ends by its own budget.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return Self(None) };
        let handle = signals.handle();
        thread::spawn(move || {
            for _ in &mut signals {
                let _ = events.send(Event::Stop);
            }
        });
        Self(Some(handle))
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.close();
        }
    }
}
