//! A child process in its own group.

use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::os::unix::process::ExitStatusExt as _;
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::{Execution, Force, RunnerError};
use crate::experiment::RunOutcome;

pub(super) struct Child {
    child: tokio::process::Child,
    group: Pid,
}

impl Child {
    pub(super) fn spawn(execution: &Execution) -> Result<(Self, pipe::Receiver), RunnerError> {
        let program = &execution.argv[0];
        let failed = |source| RunnerError::Start { program: program.clone(), source };
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(&execution.argv[1..])
            .current_dir(&execution.directory)
            .env_clear()
            .envs(&execution.environment)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        die_with_the_daemon(&mut command);
        let child = command.spawn().map_err(failed)?;
        // The command holds our copies of the pipe's write end; with them gone, the end of the
        // output can be seen.
        drop(command);
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        let group =
            Pid::from_raw(id.ok_or_else(|| failed(std::io::Error::other("no process id")))?);
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        Ok((Self { child, group }, reader))
    }

    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Signals the whole group. A group that is gone already is what we want.
    pub(super) fn end(&self, force: Force) {
        let signal = match force {
            Force::Terminate => Signal::SIGTERM,
            Force::Kill => Signal::SIGKILL,
        };
        let _ = killpg(self.group, signal);
    }
}

/// Asks the kernel to kill the child when the daemon dies, however it dies. The daemon starts
/// children from its main thread only, whose end is the daemon's end.
fn die_with_the_daemon(command: &mut Command) {
    let daemon = nix::unistd::getpid();
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl and getppid are.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The daemon may have died before the request was in place.
            if nix::unistd::getppid() == daemon {
                Ok(())
            } else {
                Err(std::io::Error::from(nix::errno::Errno::ESRCH))
            }
        });
    }
}

pub(super) fn outcome(status: ExitStatus) -> RunOutcome {
    if status.success() {
        return RunOutcome::Finished;
    }
    RunOutcome::Crashed { code: status.code(), signal: status.signal(), cause: None }
}
