//! The one place that starts programs: each in its own process group, which ends with its owner. That we
//! were killed ends only those that were bound to us.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};
use wait_timeout::ChildExt as _;

/// Has the kernel kill the program when the thread that starts it ends, so also when we are killed.
pub fn bind(command: &mut Command) {
    let owner = getpid();
    let bind = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // We may have been killed in between.
        if getppid() == owner { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec it makes two system calls and allocates nothing.
    unsafe { command.pre_exec(bind) };
}

/// A running program and whatever it starts. Dropping it kills the whole group.
pub struct Group {
    child: Child,
}

impl Group {
    /// Starts a command as the leader of a new process group.
    ///
    /// # Errors
    /// Those of [`Command::spawn`]: not found, not executable, out of processes.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: command.process_group(0).spawn()? })
    }

    /// The child's ends of pipes, where the command asked for some: stdin, stdout, stderr.
    pub fn take_pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the leader; `None` when it still runs at the deadline.
    ///
    /// # Errors
    /// Those of `waitpid`.
    pub fn wait_until(&mut self, deadline: Instant) -> io::Result<Option<ExitStatus>> {
        self.child.wait_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    /// Asks the whole group to end.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Ends the whole group at once.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let leader = i32::try_from(self.child.id()).expect("process ids fit into i32");
        // A group that is already gone is what we want.
        let _ = killpg(Pid::from_raw(leader), signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        // Reaps the leader; its exit status was either taken before or does not matter.
        let _ = self.child.wait();
    }
}
