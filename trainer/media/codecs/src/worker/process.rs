//! One worker, seen from outside.

use std::ffi::OsString;
use std::io::{self, ErrorKind, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use wait_timeout::ChildExt as _;

use super::frame;
use super::serve::GREETING;

/// A program has this long to become a worker.
const START: Duration = Duration::from_secs(10);
/// How long the kernel may take to end a process.
const LINGER: Duration = Duration::from_secs(1);
/// How many of its last words are told.
const WORDS_BYTES: u64 = 400;

/// What is started as a worker.
#[derive(Clone, Debug)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
}

/// Dropping it ends it.
pub(super) struct Process {
    child: Child,
    socket: UnixStream,
    /// The other end of its stderr; never waited for.
    words: PipeReader,
}

/// Why no answer came.
pub(super) enum Loss {
    Deadline,
    /// What the worker died of.
    Death(String),
}

impl Process {
    /// Starts a worker that may use so much memory, and waits for its greeting.
    ///
    /// # Errors
    /// The program cannot be started, or is no worker.
    pub(super) fn start(program: &Program, memory_bytes: u64) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let (words, stderr) = io::pipe()?;
        fcntl(&words, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .stdin(OwnedFd::from(theirs.try_clone()?))
            .stdout(OwnedFd::from(theirs))
            .stderr(stderr)
            // Last words are to be short.
            .env("RUST_BACKTRACE", "0")
            .spawn()?;
        let mut process = Self { child, socket, words };
        match process.exchange(&memory_bytes.to_le_bytes(), START) {
            Ok(greeting) if greeting == GREETING => Ok(process),
            Ok(_) => Err(io::Error::other("it is no worker: another greeting")),
            Err(Loss::Deadline) => Err(io::Error::other("it is no worker: no greeting")),
            Err(Loss::Death(reason)) => Err(io::Error::other(format!("it is no worker: {reason}"))),
        }
    }

    /// The answer to a message, or why there is none; then the process is of no more use.
    pub(super) fn exchange(&mut self, message: &[u8], deadline: Duration) -> Result<Vec<u8>, Loss> {
        let mut timed = Timed { socket: &self.socket, until: Instant::now() + deadline };
        let answer = frame::write(&mut timed, &[message]).and_then(|()| frame::read(&mut timed));
        match answer {
            Ok(Some(answer)) => {
                // What it complained of is of no use, and would fill up its stderr.
                let _ = io::copy(&mut &self.words, &mut io::sink());
                Ok(answer)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(Loss::Deadline),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                Err(Loss::Death(format!("the worker wrote what is no answer: {error}")))
            }
            Ok(None) | Err(_) => Err(Loss::Death(self.cause_of_death())),
        }
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// It has closed its end: it is dead, or will be.
    fn cause_of_death(&mut self) -> String {
        let status = self.end();
        let mut words = Vec::new();
        let _ = (&self.words).take(WORDS_BYTES).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words);
        let said = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let cause = status.map_or_else(|error| error.to_string(), cause);
        if said.is_empty() { cause } else { format!("{cause}: {said}") }
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        // Its end of the socket closes a moment before it is gone.
        if let Some(status) = self.child.wait_timeout(LINGER)? {
            return Ok(status);
        }
        self.kill()?.ok_or_else(|| ErrorKind::TimedOut.into())
    }

    /// `None` while the kernel holds it, for instance within a read from a disk that does not
    /// answer.
    fn kill(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.kill()?;
        self.child.wait_timeout(LINGER)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn cause(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(number), _) => {
            let signal = Signal::try_from(number).map_or("a signal", Signal::as_str);
            format!("the worker died of {signal}")
        }
        (None, code) => format!("the worker ended with code {}", code.unwrap_or_default()),
    }
}

/// A socket whose reads and writes together have one deadline.
struct Timed<'a> {
    socket: &'a UnixStream,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

/// A socket says "would block" when its time is up.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

impl io::Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(buffer).map_err(timed_out)
    }
}

impl io::Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
