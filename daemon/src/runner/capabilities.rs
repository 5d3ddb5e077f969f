//! What this machine allows, found out by doing it once.

use std::fs;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::geteuid;

use super::ResourceLimits;
use super::cgroup::{self, Groups};
use super::words::{CONTAIN, Order, Stage, THIS_PROGRAM};
use crate::tier::Tier;

/// How long a probe may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// A cap on files that only a probe would have.
const PROBE_FILE_BYTES: u64 = 54_321;
/// `landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)` answers the ABI.
const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;

/// What this machine allows.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// This user may make a PID namespace without a user namespace around it.
    pub pid_namespace: bool,
    /// This user may make a PID namespace within a user namespace.
    pub user_namespace: bool,
    /// A control group of version 2 can be made whose processes one write kills.
    pub cgroup_kill: bool,
    /// Control groups that can be limited.
    pub groups: Groups,
    /// Orphans can be adopted.
    pub subreaper: bool,
    /// /proc shows this process its children.
    pub proc_readable: bool,
    /// Processes can be held by a descriptor (`pidfd_open`).
    pub pidfd: bool,
    /// A limit that is set for a program holds in it.
    pub rlimits: bool,
    /// Landlock's version; `None` where the kernel has it not, or not enabled.
    pub landlock_abi: Option<u32>,
    /// bubblewrap is on the PATH and runs.
    pub bubblewrap: bool,
    /// The daemon runs as root.
    pub root: bool,
    /// This looks like the inside of a container.
    pub in_container: bool,
    pub(super) init: PathBuf,
}

/// Probes this machine; takes a fraction of a second, so once per process is enough.
pub fn capabilities() -> Capabilities {
    capabilities_with(Path::new(THIS_PROGRAM))
}

/// The same with another program as the init of runs, for programs whose `main` does not begin with
/// [`contained`](super::contained).
pub fn capabilities_with(init: &Path) -> Capabilities {
    let direct = probe(init, Stage::Namespace { user: false });
    let within = probe(init, Stage::Namespace { user: true });
    let adopted = probe(init, Stage::Subreaper);
    // The program is the second process of its namespace.
    let in_namespace = |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.pid == 2);
    Capabilities {
        pid_namespace: in_namespace(&direct),
        user_namespace: in_namespace(&within),
        cgroup_kill: cgroup::can_kill(),
        groups: Groups::probe(),
        subreaper: adopted.is_some(),
        proc_readable: super::processes::Process::read(std::process::id().cast_signed()).is_some(),
        pidfd: has_pidfd(),
        rlimits: adopted.is_some_and(|seen| seen.file_bytes == PROBE_FILE_BYTES),
        landlock_abi: landlock_abi(),
        bubblewrap: has_bubblewrap(),
        root: geteuid().is_root(),
        in_container: in_container(),
        ..Capabilities::none(init)
    }
}

impl Capabilities {
    /// The best tier that follows; `None` where nothing can be contained.
    pub fn tier(&self) -> Option<Tier> {
        let full = self.full().then_some(Tier::Full);
        full.or(self.container().then_some(Tier::Container))
    }

    pub(super) fn full(&self) -> bool {
        self.pid_namespace || self.user_namespace
    }

    pub(super) fn container(&self) -> bool {
        self.subreaper && self.proc_readable
    }

    pub(super) fn none(init: &Path) -> Self {
        Self {
            pid_namespace: false,
            user_namespace: false,
            cgroup_kill: false,
            groups: Groups::default(),
            subreaper: false,
            proc_readable: false,
            pidfd: false,
            rlimits: false,
            landlock_abi: None,
            bubblewrap: false,
            root: false,
            in_container: false,
            init: init.to_owned(),
        }
    }
}

/// What a contained program saw.
struct Seen {
    pid: i32,
    file_bytes: u64,
}

/// Runs the init itself within an init at this stage.
fn probe(init: &Path, stage: Stage) -> Option<Seen> {
    let limits = ResourceLimits { file_bytes: Some(PROBE_FILE_BYTES), ..Default::default() };
    let order = |stage| serde_json::to_string(&Order { stage, limits, groups: Vec::new() }).ok();
    // Kept until the end: without its line an init ends everything.
    let (_line, far) = UnixStream::pair().ok()?;
    let mut command = Command::new(init);
    command.arg(CONTAIN).arg(order(stage)?);
    command.arg(init).arg(CONTAIN).arg(order(Stage::Probe)?);
    command.stdin(OwnedFd::from(far)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    drop(command);
    wait(&mut child).ok()?;
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    let (pid, file_bytes) = text.trim().split_once(' ')?;
    Some(Seen { pid: pid.parse().ok()?, file_bytes: file_bytes.parse().ok()? })
}

fn wait(child: &mut std::process::Child) -> io::Result<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    Err(io::ErrorKind::TimedOut.into())
}

fn has_bubblewrap() -> bool {
    let mut command = Command::new("bwrap");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().and_then(|mut child| wait(&mut child)).is_ok_and(|status| status.success())
}

fn landlock_abi() -> Option<u32> {
    let (none, size) = (std::ptr::null::<libc::c_void>(), 0usize);
    // SAFETY: with this flag the kernel reads no memory and makes nothing; it answers a number.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            none,
            size,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(abi).ok().filter(|abi| *abi > 0)
}

fn has_pidfd() -> bool {
    use std::os::fd::FromRawFd as _;
    // SAFETY: pidfd_open takes two integers; a descriptor that it answers belongs to nobody else.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, std::process::id(), 0) };
    let Some(fd) = i32::try_from(fd).ok().filter(|fd| *fd >= 0) else { return false };
    // SAFETY: as above.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    true
}

/// The marks that the usual container programs leave.
fn in_container() -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let marks = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    let groups = read("/proc/1/cgroup");
    let named = ["docker", "kubepods", "containerd", "lxc", "libpod"];
    marks
        || named.iter().any(|name| groups.contains(name))
        || fs::read("/proc/1/environ").is_ok_and(|environment| {
            environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(b"container="))
        })
}
