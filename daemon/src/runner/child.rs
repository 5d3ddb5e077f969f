//! The daemon's end of a run: its init, and the line to it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::Command;

use super::cgroup::Group;
use super::confine::Confinement;
use super::mark::{self, MARK};
use super::processes::{self, Process};
use super::words::{CONTAIN, KILL, Order, TERMINATE, Word};
use super::{Execution, RunnerError};
use crate::sandbox::Sandbox;

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
        // Of its program nothing is known yet.
        let failed = |source| RunnerError::Supervise { program: execution.argv[0].clone(), source };
        Self::start(execution, group).map_err(failed)
    }

    fn start(execution: &Execution, group: &Group) -> io::Result<(Self, pipe::Receiver)> {
        // Whatever loses its init comes to this process, and is found there.
        nix::sys::prctl::set_child_subreaper(true)?;
        let (reader, writer) = io::pipe()?;
        let (line, far) = UnixStream::pair()?;
        let far = far.into_std()?;
        far.set_nonblocking(false)?;
        let mut command = Command::new(execution.containment.init());
        command
            .arg(CONTAIN)
            .arg(serde_json::to_string(&order(execution, group))?)
            .args(&execution.argv)
            .current_dir(&execution.directory)
            .env_clear()
            .envs(execution.environment.iter().filter(|(name, _)| !is_of_loaders(name)))
            .stdin(OwnedFd::from(far))
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        let (init, pid) = spawn(&mut command)?;
        // The command holds our copies of the ends that are not ours; with them gone, the end of
        // the output and of the line can be seen.
        drop(command);
        // Unknown, nothing is adopted: better a leftover than somebody else's process.
        let since = Process::read(pid).map_or(u64::MAX, |init| init.started);
        Ok((Self { init, line, pid, since }, pipe::Receiver::from_owned_fd(reader.into())?))
    }

    /// The process below which the run is.
    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.init.wait().await
    }

    /// Its end, when it has ended.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.init.try_wait()
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

/// Whether it tells a loader, or the C library, what to do.
fn is_of_loaders(name: &str) -> bool {
    ["LD_", "GLIBC_", "MALLOC_"].iter().any(|prefix| name.starts_with(prefix))
}

fn order(execution: &Execution, group: &Group) -> Order {
    let user = execution.containment.run_user();
    let loader = execution.environment.iter().filter(|(name, _)| is_of_loaders(name));
    let confined = |sandbox: &Sandbox| Confinement { sandbox: sandbox.clone(), user };
    Order {
        stage: execution.containment.stage(),
        limits: execution.limits,
        groups: group.entrances(),
        loader: loader.map(|(name, value)| (name.clone(), value.clone())).collect(),
        mark: execution.environment.get(MARK).map(|session| mark::number(session)),
        confinement: execution.sandbox.as_ref().map(confined),
    }
}

/// Starts an init; from its first moment it is known not to be an orphan.
fn spawn(command: &mut Command) -> io::Result<(tokio::process::Child, i32)> {
    let mut known = inits();
    let init = command.spawn()?;
    let id = init.id().and_then(|id| i32::try_from(id).ok());
    let pid = id.ok_or_else(|| io::Error::other("no process id"))?;
    known.insert(pid);
    Ok((init, pid))
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
