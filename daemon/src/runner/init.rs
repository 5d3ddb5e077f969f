//! The init of one run: this program, entered a second time, between the daemon and the program
//! that it runs. Single-threaded, before any runtime exists.
//!
//! Its standard input is the line to the daemon. When that ends, or says so, everything ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use dfr_contract::exit;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{Pid, getegid, geteuid, getpid, setsid};

use super::limits::HEADROOM;
use super::processes;
use super::words::{CONTAIN, Order, Stage, TERMINATE, THIS_PROGRAM, Word};

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
    if order.stage == Stage::Probe {
        return tell_what_is_seen();
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
    let word = word.unwrap_or_else(|error| {
        Some(Word::NotContained { errno: error.raw_os_error().unwrap_or_default() })
    });
    if let Some(word) = word {
        let _ = (&line).write_all(word.print().as_bytes());
    }
    ExitCode::SUCCESS
}

/// What a probe reads: its process id, and the cap on files that it was given.
fn tell_what_is_seen() -> ExitCode {
    let file_bytes = getrlimit(Resource::RLIMIT_FSIZE).map_or(0, |(soft, _)| soft);
    println!("{} {file_bytes}", getpid());
    ExitCode::SUCCESS
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
) -> io::Result<Option<Word>> {
    let (uid, gid) = (geteuid(), getegid());
    if user {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        // Without CAP_SETGID outside, groups may be mapped only when they can no longer be changed.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    unshare(CloneFlags::CLONE_NEWPID)?;
    set_pdeathsig(Signal::SIGKILL)?;
    let order = Order { stage: Stage::First, ..order.clone() };
    let order = serde_json::to_string(&order).map_err(io::Error::other)?;
    let first = Command::new(THIS_PROGRAM)
        .arg(CONTAIN)
        .arg(order)
        .args(argv)
        .stdin(OwnedFd::from(line.try_clone()?))
        .spawn()?
        .wait()?;
    // One that has told how the program ended ends well.
    Ok((!first.success()).then(|| Word::Ended { status: first.into_raw(), killed: 0 }))
}

/// Starts the program, passes requests on, reaps, and leaves nothing behind.
fn serve(order: &Order, argv: &[OsString], line: &UnixStream) -> io::Result<Word> {
    give_up_protection();
    let family = Family::found(order.stage)?;
    let ended = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), SfdFlags::SFD_NONBLOCK)?;
    let program = match start(order, argv) {
        Ok(program) => i32::try_from(program.id()).map_err(io::Error::other)?,
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or_default();
            return Ok(Word::NotStarted { errno });
        }
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
    fn found(stage: Stage) -> io::Result<Self> {
        if stage == Stage::First {
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
    let mut status = 0;
    // SAFETY: waitpid writes to the status only; nix's own would lose the raw form of it.
    let pid = unsafe { nix::libc::waitpid(-1, &raw mut status, nix::libc::WNOHANG) };
    Ok(Some((Errno::result(pid)?, status)).filter(|(pid, _)| *pid != 0))
}

fn was_killed(status: i32) -> bool {
    ExitStatus::from_raw(status).signal() == Some(Signal::SIGKILL as i32)
}

/// Starts the program in a session of its own, within its limits.
fn start(order: &Order, argv: &[OsString]) -> io::Result<Child> {
    let (program, arguments) = argv.split_first().ok_or(Errno::ENOENT)?;
    let enter = |path| File::options().write(true).open(path);
    let groups: Vec<File> = order.groups.iter().map(enter).collect::<io::Result<_>>()?;
    let caps = caps(order);
    let mut command = Command::new(program);
    command.args(arguments);
    // SAFETY: this process has one thread, so the child after fork may do what it likes.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            SigSet::all().thread_unblock()?;
            set_pdeathsig(Signal::SIGKILL)?;
            for mut group in &groups {
                group.write_all(b"0")?;
            }
            for (resource, value) in &caps {
                lower(*resource, *value)?;
            }
            Ok(())
        });
    }
    command.spawn()
}

fn caps(order: &Order) -> Vec<(Resource, u64)> {
    let mut caps = vec![(Resource::RLIMIT_CORE, 0)];
    caps.extend(order.limits.file_bytes.map(|bytes| (Resource::RLIMIT_FSIZE, bytes)));
    // The kernel does not count for root; outside a namespace it counts all of a user's programs.
    if order.stage == Stage::First && !geteuid().is_root() {
        let processes = order.limits.processes.map(|limit| limit + HEADROOM);
        caps.extend(processes.map(|limit| (Resource::RLIMIT_NPROC, limit)));
    }
    caps
}

/// Lowers a limit for good; one that is lower already stays.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    setrlimit(resource, value.min(hard), value.min(hard))
}
