//! The daemon's end of a run: its init, and the line to it.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::cgroup::Group;
use super::processes::{self, Process};
use super::words::{CONTAIN, KILL, Order, TERMINATE, Word};
use super::{Execution, RunnerError};

/// How long the rest of a run is awaited when its init was killed before it could end its work.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The inits that live: all children of this process but the orphans that it adopts.
static INITS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn inits() -> MutexGuard<'static, BTreeSet<i32>> {
    INITS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Child {
    init: tokio::process::Child,
    line: UnixStream,
    pid: i32,
    since: u64,
}

/// What is left to know when a run is over.
pub(super) struct Remains {
    /// The init's last word, unless it was killed.
    pub word: Option<Word>,
    /// Processes that the daemon itself had to kill.
    pub killed: u32,
}

impl Child {
    pub(super) fn spawn(
        execution: &Execution,
        group: &Group,
    ) -> Result<(Self, pipe::Receiver), RunnerError> {
        let failed = |source| RunnerError::Start { program: execution.argv[0].clone(), source };
        // Whatever loses its init comes to this process, and is found there.
        nix::sys::prctl::set_child_subreaper(true).map_err(|errno| failed(errno.into()))?;
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let (line, far) = UnixStream::pair().map_err(failed)?;
        let far = far.into_std().map_err(failed)?;
        far.set_nonblocking(false).map_err(failed)?;
        let order = Order {
            stage: execution.containment.stage(),
            limits: execution.limits,
            groups: group.entrances(),
        };
        let mut command = Command::new(execution.containment.init());
        command
            .arg(CONTAIN)
            .arg(serde_json::to_string(&order).map_err(|e| failed(e.into()))?)
            .args(&execution.argv)
            .current_dir(&execution.directory)
            .env_clear()
            .envs(&execution.environment)
            .stdin(OwnedFd::from(far))
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let mut inits = inits();
        let init = command.spawn().map_err(failed)?;
        let id = init.id().and_then(|id| i32::try_from(id).ok());
        let pid = id.ok_or_else(|| failed(std::io::Error::other("no process id")))?;
        inits.insert(pid);
        drop(inits);
        // The command holds our copies of the ends that are not ours; with them gone, the end of
        // the output and of the line can be seen.
        drop(command);
        // Unknown, nothing is adopted: better a leftover than somebody else's process.
        let since = Process::read(pid).map_or(u64::MAX, |init| init.started);
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        Ok((Self { init, line, pid, since }, reader))
    }

    /// The process below which the run is.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.init.wait().await
    }

    /// An init that is gone already is what we want.
    pub(super) fn end(&mut self, force: Force) {
        match force {
            Force::Terminate => drop(self.line.try_write(&[TERMINATE])),
            Force::Kill => drop(self.line.try_write(&[KILL])),
            Force::KillInit => drop(self.init.start_kill()),
        }
    }

    /// Makes sure that nothing is left, whatever became of the init.
    pub(super) async fn bury(mut self, group: &Group) -> Remains {
        let _ = self.line.try_write(&[KILL]);
        let mut words = Vec::new();
        let _ = tokio::time::timeout(LAST_WORDS, self.line.read_to_end(&mut words)).await;
        group.kill();
        let known = |pid| inits().contains(&pid);
        let killed = processes::sweep_orphans(known, self.since).await;
        Remains { word: Word::parse(&words), killed }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        inits().remove(&self.pid);
    }
}

/// How hard a run is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Force {
    /// Ask everything to end.
    Terminate,
    /// Have the init kill everything.
    Kill,
    /// Kill the init, too: it does not do its work.
    KillInit,
}
