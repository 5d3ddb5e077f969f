//! What this machine allows, found out by doing it once.

use std::collections::BTreeMap;
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
use super::confine::{Confinement, RunUser};
use super::seal::{Seal, Unsealed, seal};
use super::words::{CONTAIN, Order, Seen, Stage, THIS_PROGRAM, Word};
use crate::tier::Tier;

/// How long a probe may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);
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
    /// Whether the tier `full` makes sandboxes that hold.
    pub full_seal: Result<Seal, Unsealed>,
    /// Whether the tier `container` does.
    pub container_seal: Result<Seal, Unsealed>,
    /// The daemon runs as root.
    pub root: bool,
    /// This looks like the inside of a container.
    pub in_container: bool,
    /// What could not be found out at this moment, of what a tier is made of.
    pub untried: Option<Unsealed>,
    pub(super) init: PathBuf,
}

/// Probes this machine for runs of this user; takes a fraction of a second, so once per process is
/// enough.
pub fn capabilities(user: Option<RunUser>) -> Capabilities {
    capabilities_with(Path::new(THIS_PROGRAM), user)
}

/// The same with another program as the init of runs, for programs whose `main` does not begin with
/// [`contained`](super::contained).
pub fn capabilities_with(init: &Path, user: Option<RunUser>) -> Capabilities {
    let mut untried = None;
    let mut see = |stage: &Stage| {
        let nothing = Path::new("/dev/null");
        let asked = Asked { init, program: init, stage, canary: nothing, confinement: None };
        probe(&asked)
            .map_err(|why| untried = Some(why).filter(Unsealed::may_pass).or(untried.take()))
            .ok()
    };
    // The program is the second process of its namespace.
    let mut in_namespace = |stage: &Stage| see(stage).is_some_and(|seen| seen.pid == 2);
    let namespace = |user: bool| Stage::Namespace { user };
    let pid_namespace = in_namespace(&namespace(false));
    let user_namespace = in_namespace(&namespace(true));
    let adopted = see(&Stage::Subreaper);
    let sealed = |is_there: bool, stage: &Stage| match is_there {
        true => seal(init, stage, user),
        false => Err(Unsealed::NoTier),
    };
    Capabilities {
        pid_namespace,
        user_namespace,
        full_seal: sealed(pid_namespace || user_namespace, &namespace(!pid_namespace)),
        container_seal: sealed(adopted.is_some(), &Stage::Subreaper),
        cgroup_kill: cgroup::can_kill(),
        groups: Groups::probe(),
        subreaper: adopted.is_some(),
        proc_readable: super::processes::Process::read(std::process::id().cast_signed()).is_some(),
        pidfd: has_pidfd(),
        rlimits: adopted.is_some_and(|seen| seen.file_bytes == PROBE_FILE_BYTES),
        landlock_abi: landlock_abi(),
        root: geteuid().is_root(),
        in_container: in_container(),
        untried,
        ..Capabilities::none(init)
    }
}

impl Capabilities {
    /// The best tier that follows, one that seals before one that does not; `None` where nothing can
    /// be contained.
    pub fn tier(&self) -> Option<Tier> {
        let there = [(self.full(), Tier::Full), (self.container(), Tier::Container)];
        let there = there.into_iter().filter_map(|(is_there, tier)| is_there.then_some(tier));
        let mut there: Vec<Tier> = there.collect();
        there.sort_by_key(|tier| self.seal(*tier).is_err());
        there.first().copied()
    }

    /// Whether a tier makes sandboxes that hold, and why not.
    pub fn seal(&self, tier: Tier) -> &Result<Seal, Unsealed> {
        match tier {
            Tier::Full => &self.full_seal,
            Tier::Container => &self.container_seal,
        }
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
            full_seal: Err(Unsealed::NoTier),
            container_seal: Err(Unsealed::NoTier),
            root: false,
            in_container: false,
            untried: None,
            init: init.to_owned(),
        }
    }
}

/// One trial.
pub(super) struct Asked<'a> {
    pub init: &'a Path,
    /// The same program, as the sandbox knows it.
    pub program: &'a Path,
    pub stage: &'a Stage,
    /// What the program tries to read.
    pub canary: &'a Path,
    pub confinement: Option<Confinement>,
}

/// Runs the init itself within an init at this stage.
pub(super) fn probe(asked: &Asked<'_>) -> Result<Seen, Unsealed> {
    try_probe(asked).map_err(|error| Unsealed::Untried(error.to_string())).and_then(|told| {
        let (seen, word) = told;
        match Word::parse(&word) {
            Some(Word::NotContained(why)) => Err(why.into()),
            _ => serde_json::from_str(&seen).map_err(|_| {
                Unsealed::Untried("a program that tells what it sees told nothing".to_owned())
            }),
        }
    })
}

/// What the program printed, and the init's word.
fn try_probe(asked: &Asked<'_>) -> io::Result<(String, Vec<u8>)> {
    let limits = ResourceLimits { file_bytes: Some(PROBE_FILE_BYTES), ..Default::default() };
    let order = |stage, confinement| {
        serde_json::to_string(&Order {
            stage,
            limits,
            groups: Vec::new(),
            loader: BTreeMap::new(),
            mark: None,
            confinement,
        })
    };
    let (mut line, far) = UnixStream::pair()?;
    let mut command = Command::new(asked.init);
    // As runs have it: nothing of the daemon's own.
    command.env_clear().arg(CONTAIN).arg(order(asked.stage.clone(), asked.confinement.clone())?);
    let last = Stage::Probe { canary: asked.canary.to_owned() };
    command.arg(asked.program).arg(CONTAIN).arg(order(last, None)?);
    // A directory that is there in every sandbox.
    command.current_dir("/");
    command.stdin(OwnedFd::from(far)).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    drop(command);
    wait(&mut child)?;
    let (mut seen, mut word) = (String::new(), Vec::new());
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut seen)?;
    }
    line.set_read_timeout(Some(PATIENCE))?;
    line.read_to_end(&mut word)?;
    Ok((seen, word))
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

pub(super) fn landlock_abi() -> Option<u32> {
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
