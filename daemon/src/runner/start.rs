//! From an init to its program: a session of its own, limits, and the doors of its sandbox.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{geteuid, setsid};

use super::confine::Doors;
use super::limits::HEADROOM;
use super::mark;
use super::words::{NotContained, Order, Stage, Step};

/// Starts the program, contained as ordered or not at all.
///
/// # Errors
/// The step tells whether it could not be contained, or not executed.
pub(super) fn start(order: &Order, argv: &[OsString]) -> Result<Child, NotContained> {
    let failed = NotContained::at(Step::Start);
    let (program, arguments) = argv.split_first().ok_or_else(|| failed(Errno::ENOENT.into()))?;
    let mut way = Way::prepare(order)?;
    let (reader, writer) = io::pipe().map_err(NotContained::at(Step::Limits))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(&order.loader);
    // SAFETY: this process has one thread, so the child after fork may do what it likes.
    unsafe { command.pre_exec(move || way.go(&writer)) };
    let started = command.spawn();
    // With it goes our copy of the end that is written to.
    drop(command);
    started.map_err(|error| NotContained::at(reached(reader))(error))
}

/// What the program's process does before it becomes the program.
struct Way {
    groups: Vec<File>,
    caps: Vec<(Resource, u64)>,
    mark: Option<u64>,
    doors: Option<Doors>,
}

impl Way {
    fn prepare(order: &Order) -> Result<Self, NotContained> {
        // Not to be found any more once this process has a root of its own.
        let enter = |path| File::options().write(true).open(path);
        let groups = order.groups.iter().map(enter).collect::<io::Result<_>>();
        let groups = groups.map_err(NotContained::at(Step::Limits))?;
        let mounts = matches!(order.stage, Stage::Namespace { .. });
        let doors = order.confinement.as_ref().map(|wanted| Doors::make(wanted, mounts));
        Ok(Self { groups, caps: caps(order), mark: order.mark, doors: doors.transpose()? })
    }

    fn go(&mut self, steps: &PipeWriter) -> io::Result<()> {
        let reach = |step: Step| (&*steps).write_all(&[step as u8]);
        reach(Step::Limits)?;
        setsid()?;
        SigSet::all().thread_unblock()?;
        set_pdeathsig(Signal::SIGKILL)?;
        for mut group in &self.groups {
            group.write_all(b"0")?;
        }
        for (resource, value) in &self.caps {
            lower(*resource, *value)?;
        }
        self.mark.into_iter().for_each(put_mark);
        if let Some(doors) = &mut self.doors {
            doors.close(&reach)?;
        }
        reach(Step::Start)
    }
}

/// The last step that the program's process began.
fn reached(mut reader: PipeReader) -> Step {
    let mut steps = Vec::new();
    let _ = reader.read_to_end(&mut steps);
    steps.last().and_then(|step| Step::from_byte(*step)).unwrap_or(Step::Limits)
}

fn caps(order: &Order) -> Vec<(Resource, u64)> {
    let mut caps = vec![(Resource::RLIMIT_CORE, 0)];
    caps.extend(order.limits.file_bytes.map(|bytes| (Resource::RLIMIT_FSIZE, bytes)));
    // The kernel does not count for root; outside a namespace it counts all of a user's programs.
    if matches!(order.stage, Stage::Namespace { .. }) && !geteuid().is_root() {
        let processes = order.limits.processes.map(|limit| limit + HEADROOM);
        caps.extend(processes.map(|limit| (Resource::RLIMIT_NPROC, limit)));
    }
    caps
}

/// Some kernels that are not Linux itself know no such limit; the environment is then the only mark.
fn put_mark(number: u64) {
    let _ = lower(mark::LIMIT, number);
}

/// Lowers a limit for good; one that is lower already stays.
fn lower(resource: Resource, value: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    setrlimit(resource, value.min(hard), value.min(hard))
}
