//! The init of one run: this program, entered a second time, between the daemon and the program
//! that it runs. Single-threaded, before any runtime exists.
//!
//! Its standard input is the line to the daemon. When that ends, or says so, everything ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use dfr_contract::exit;
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, getpid};

use super::words::{CONTAIN, NotContained, Order, Seen, Stage, Step, TERMINATE, Word};
use super::{processes, start};

/// The work of an init, when that is what this process was started for. To be called before
/// anything else in `main`.
pub fn contained() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != CONTAIN {
        return None;
    }
    let order = arguments.next().and_then(|order| serde_json::from_str(order.to_str()?).ok());
    let argv: Vec<OsString> = arguments.collect();
    Some(order.map_or(ExitCode::from(exit::USAGE), |order| enter(&order, &argv)))
}

fn enter(order: &Order, argv: &[OsString]) -> ExitCode {
    if let Stage::Probe { canary } = &order.stage {
        return tell_what_is_seen(canary);
    }
    // Nothing but KILL may end an init before its work is done: a service manager that stops the
    // daemon asks every process to end.
    let (Ok(line), Ok(())) = (take_line(), SigSet::all().thread_block()) else {
        return ExitCode::from(exit::BUG);
    };
    let word = match order.stage {
        Stage::Namespace { user } => make_namespace(user, order, argv, &line),
        _ => serve(order, argv, &line).map(Some),
    };
    if let Some(word) = word.unwrap_or_else(|failed| Some(Word::NotContained(failed))) {
        let _ = (&line).write_all(word.print().as_bytes());
    }
    ExitCode::SUCCESS
}

/// What a probe finds, as JSON.
fn tell_what_is_seen(canary: &Path) -> ExitCode {
    let seen = Seen {
        pid: getpid().as_raw(),
        file_bytes: getrlimit(Resource::RLIMIT_FSIZE).map_or(0, |(soft, _)| soft),
        uid: geteuid().as_raw(),
        canary: fs::read(canary).is_ok(),
        socket: UnixDatagram::unbound().is_ok(),
    };
    serde_json::to_string(&seen).map_or(ExitCode::from(exit::BUG), |seen| {
        println!("{seen}");
        ExitCode::SUCCESS
    })
}

/// Takes the line to the daemon away from standard input, so that the program cannot inherit it.
fn take_line() -> io::Result<UnixStream> {
    let line: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(line))
}

/// Makes the namespace and waits for its first process, which tells how the program ended. When
/// this process is killed, the kernel kills that one, and with it everything in the namespace.
fn make_namespace(
    user: bool,
    order: &Order,
    argv: &[OsString],
    line: &UnixStream,
) -> Result<Option<Word>, NotContained> {
    let failed = NotContained::at(Step::Namespace);
    unshare_processes(user).map_err(&failed)?;
    set_pdeathsig(Signal::SIGKILL).map_err(|errno| failed(errno.into()))?;
    // SAFETY: this process has one thread, so the other one after it may do what it likes.
    match unsafe { fork() }.map_err(|errno| failed(errno.into()))? {
        ForkResult::Child => serve(order, argv, line).map(Some),
        ForkResult::Parent { child } => {
            let status = wait_for(child).map_err(failed)?;
            // One that has told how the program ended ends well.
            let told = ExitStatus::from_raw(status).success();
            Ok((!told).then_some(Word::Lost { status }))
        }
    }
}

fn unshare_processes(user: bool) -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    if user {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        // Without CAP_SETGID outside, groups may be mapped only when they can no longer be changed.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    Ok(unshare(CloneFlags::CLONE_NEWPID)?)
}

/// Starts the program, passes requests on, reaps, and leaves nothing behind.
fn serve(order: &Order, argv: &[OsString], line: &UnixStream) -> Result<Word, NotContained> {
    let failed = NotContained::at(Step::Init);
    give_up_protection();
    let family = Family::found(&order.stage).map_err(&failed)?;
    let ended = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_NONBLOCK)
        .map_err(|errno| failed(errno.into()))?;
    let program = match start::start(order, argv) {
        Ok(program) => i32::try_from(program.id()).map_err(|e| failed(io::Error::other(e)))?,
        Err(NotContained { step: Step::Start, errno }) => return Ok(Word::NotStarted { errno }),
        Err(not_contained) => return Err(not_contained),
    };
    let status = loop {
        if let Some(status) = family.reap().iter().find(|(pid, _)| *pid == program) {
            break Some(status.1);
        }
        if !wait_for_news(line, &ended, &family) {
            break None;
        }
    };
    let (late, killed) = family.end(program);
    // Without a status of its own the program was ended here.
    Ok(Word::Ended { status: status.or(late).unwrap_or(Signal::SIGKILL as i32), killed })
}

/// A service manager may protect the daemon when memory runs out; what it runs is what should go.
fn give_up_protection() {
    const ADJUSTMENT: &str = "/proc/self/oom_score_adj";
    let inherited = fs::read_to_string(ADJUSTMENT).unwrap_or_default();
    if inherited.starts_with('-') {
        let _ = fs::write(ADJUSTMENT, "0");
    }
}

/// Sleeps until a child ended or the daemon spoke. False when everything is to end; so it is when
/// the daemon can no longer be heard, for whatever reason.
fn wait_for_news(mut line: &UnixStream, ended: &SignalFd, family: &Family) -> bool {
    let news = PollFlags::POLLIN;
    let mut open = [PollFd::new(line.as_fd(), news), PollFd::new(ended.as_fd(), news)];
    // Stopping and waking an init interrupts its sleep, and means nothing.
    if poll(&mut open, PollTimeout::NONE).is_err_and(|errno| errno != Errno::EINTR) {
        return false;
    }
    let spoke = open[0].any().unwrap_or(true);
    while let Ok(Some(_)) = ended.read_signal() {}
    if !spoke {
        return true;
    }
    let mut word = [0];
    if !line.read(&mut word).is_ok_and(|read| read == 1) || word[0] != TERMINATE {
        return false;
    }
    family.signal(Signal::SIGTERM);
    true
}

/// Everything that came of the program.
enum Family {
    /// All of the namespace whose first process this is.
    Namespace,
    /// All that descend from this process, which adopts whatever loses its parent.
    Descendants,
}

impl Family {
    fn found(stage: &Stage) -> io::Result<Self> {
        if let Stage::Namespace { .. } = stage {
            // Signals to "everyone" are for the first process of a namespace alone.
            let first = getpid().as_raw() == 1;
            set_pdeathsig(Signal::SIGKILL)?;
            return if first { Ok(Self::Namespace) } else { Err(Errno::EPERM.into()) };
        }
        set_child_subreaper(true)?;
        // A program may have stopped its init; when the daemon dies, it wakes to end everything.
        set_pdeathsig(Signal::SIGCONT)?;
        Ok(Self::Descendants)
    }

    fn signal(&self, signal: Signal) {
        match self {
            Self::Namespace => {
                let _ = kill(Pid::from_raw(-1), signal);
            }
            Self::Descendants => processes::signal_below(getpid(), signal),
        }
    }

    /// The dead, with their wait status.
    fn reap(&self) -> Vec<(i32, i32)> {
        std::iter::from_fn(|| wait_any().ok().flatten()).collect()
    }

    /// Kills until there is no child left: an init adopts every orphan below it, so no child means
    /// no descendant. Returns the program's status, when it was still there, and how many were
    /// killed besides it.
    fn end(&self, program: i32) -> (Option<i32>, u32) {
        let (mut late, mut killed) = (None, 0);
        let mut pause = Duration::from_millis(1);
        loop {
            self.signal(Signal::SIGKILL);
            loop {
                match wait_any() {
                    Ok(Some((pid, status))) if pid == program => late = Some(status),
                    Ok(Some((_, status))) => killed += u32::from(was_killed(status)),
                    Ok(None) => break,
                    Err(_) => return (late, killed),
                }
            }
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// One dead child with its raw wait status; `None` while all live.
///
/// # Errors
/// There is no child.
fn wait_any() -> nix::Result<Option<(i32, i32)>> {
    let (pid, status) = wait_raw(-1, libc::WNOHANG)?;
    Ok(Some((pid, status)).filter(|(pid, _)| *pid != 0))
}

/// Waits until this child is dead.
fn wait_for(child: Pid) -> io::Result<i32> {
    loop {
        match wait_raw(child.as_raw(), 0) {
            Err(Errno::EINTR) => {}
            ended => return Ok(ended?.1),
        }
    }
}

fn wait_raw(pid: i32, options: libc::c_int) -> nix::Result<(i32, i32)> {
    let mut status = 0;
    // SAFETY: waitpid writes to the status only; nix's own would lose the raw form of it.
    let pid = unsafe { libc::waitpid(pid, &raw mut status, options) };
    Ok((Errno::result(pid)?, status))
}

fn was_killed(status: i32) -> bool {
    ExitStatus::from_raw(status).signal() == Some(Signal::SIGKILL as i32)
}
