//! Control groups, where the machine lets this user make some: exact limits, and one kill for all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::ResourceLimits;
use super::limits::{HEADROOM, counter};

const MOUNTS: &str = "/proc/self/mountinfo";
const MEMBERSHIP: &str = "/proc/self/cgroup";
/// Begins the name of every group that the daemon makes; its process id and a number follow.
const PREFIX: &str = "dfr-";
/// Within a delegated group: where the daemon itself goes, since only leaves may hold processes.
const OWN_LEAF: &str = "dfr-daemon";

/// The directories below which groups can be made, as found by making one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    memory: Option<Home>,
    pids: Option<Home>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Home {
    directory: PathBuf,
    version: Version,
}

/// Of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

impl Groups {
    /// Looks for a delegated v2 group first, then for the v1 hierarchies.
    pub(super) fn probe() -> Self {
        let unified = own_directory(None).filter(|own| delegate(own).is_ok());
        let home = |controller: &str, limit: &str| {
            let v2 = unified.clone().map(|directory| Home { directory, version: Version::V2 });
            let v1 = own_directory(Some(controller))
                .map(|directory| Home { directory, version: Version::V1 });
            let limit_of = |home: &Home| match home.version {
                Version::V1 => limit.to_owned(),
                Version::V2 => format!("{controller}.max"),
            };
            v2.into_iter().chain(v1).find(|home| home.admits(&limit_of(home)))
        };
        Self { memory: home("memory", "memory.limit_in_bytes"), pids: home("pids", "pids.max") }
    }

    /// The version whose memory limits can be set.
    pub fn memory(&self) -> Option<Version> {
        self.memory.as_ref().map(|home| home.version)
    }

    /// The version whose limits of processes can be set.
    pub fn pids(&self) -> Option<Version> {
        self.pids.as_ref().map(|home| home.version)
    }
}

impl Home {
    /// Whether a group can be made here and limited. The group is removed again.
    fn admits(&self, limit: &str) -> bool {
        remove_stale(&self.directory);
        let Ok(group) = make(&self.directory) else { return false };
        let works = fs::write(group.join(limit), (1u32 << 20).to_string()).is_ok();
        remove(&group);
        works
    }
}

/// Whether a v2 group can be made whose processes one write would kill.
pub(super) fn can_kill() -> bool {
    let Some(group) = own_directory(None).and_then(|own| make(&own).ok()) else { return false };
    let works = fs::write(group.join("cgroup.kill"), "1").is_ok();
    remove(&group);
    works
}

/// The groups of one run; removed when dropped.
#[derive(Default)]
pub(super) struct Group {
    memory: Option<(Version, PathBuf)>,
    pids: Option<PathBuf>,
}

impl Group {
    /// Makes the groups for the limits that are set, as far as the machine has any.
    ///
    /// # Errors
    /// A group that could be made before can no longer be made.
    pub(super) fn make(groups: &Groups, limits: &ResourceLimits) -> io::Result<Self> {
        let mut made = Self::default();
        if let (Some(home), Some(bytes)) = (&groups.memory, limits.memory_bytes) {
            let directory = make(&home.directory)?;
            made.memory = Some((home.version, directory.clone()));
            limit_memory(home.version, &directory, bytes)?;
        }
        if let (Some(home), Some(processes)) = (&groups.pids, limits.processes) {
            let shared = made.memory.as_ref().filter(|(version, _)| *version == Version::V2);
            let directory = match shared {
                Some((_, directory)) if home.version == Version::V2 => directory.clone(),
                _ => make(&home.directory)?,
            };
            made.pids = Some(directory.clone());
            fs::write(directory.join("pids.max"), (processes + HEADROOM).to_string())?;
        }
        Ok(made)
    }

    /// The files through which a process enters.
    pub(super) fn entrances(&self) -> Vec<PathBuf> {
        self.directories().into_iter().map(|group| group.join("cgroup.procs")).collect()
    }

    /// Kills whatever is in a group of version 2; version 1 has no such thing.
    pub(super) fn kill(&self) {
        for group in self.directories() {
            let switch = group.join("cgroup.kill");
            if switch.exists() {
                let _ = fs::write(switch, "1");
            }
        }
    }

    /// Kills for want of memory within the group.
    pub(super) fn oom_kills(&self) -> u64 {
        let file = |version| match version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let events = |(version, group): &(Version, PathBuf)| read(&group.join(file(*version)));
        self.memory.as_ref().map_or(0, |memory| counter(&events(memory), "oom_kill"))
    }

    /// Whether they are counted here.
    pub(super) fn counts_oom_kills(&self) -> bool {
        self.memory.is_some()
    }

    /// Forks that were refused for the limit of processes.
    pub(super) fn refused_forks(&self) -> u64 {
        self.pids.as_ref().map_or(0, |group| counter(&read(&group.join("pids.events")), "max"))
    }

    fn directories(&self) -> Vec<&Path> {
        let memory = self.memory.as_ref().map(|(_, group)| group.as_path());
        let pids = self.pids.as_deref().filter(|group| Some(*group) != memory);
        memory.into_iter().chain(pids).collect()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.directories().into_iter().for_each(remove);
    }
}

fn limit_memory(version: Version, group: &Path, bytes: u64) -> io::Result<()> {
    match version {
        Version::V1 => fs::write(group.join("memory.limit_in_bytes"), bytes.to_string()),
        Version::V2 => {
            fs::write(group.join("memory.max"), bytes.to_string())?;
            // All of it ends, not one process of it; and it does not go to the disk instead.
            let _ = fs::write(group.join("memory.oom.group"), "1");
            let _ = fs::write(group.join("memory.swap.max"), "0");
            Ok(())
        }
    }
}

fn make(below: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let group = below.join(format!("{PREFIX}{}-{number}", std::process::id()));
    fs::create_dir(&group)?;
    Ok(group)
}

/// The kernel lets go of a group a moment after its last process.
fn remove(group: &Path) {
    for _ in 0..20 {
        if fs::remove_dir(group).is_ok() || !group.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Removes the groups of daemons that were killed.
fn remove_stale(below: &Path) {
    let Ok(entries) = fs::read_dir(below) else { return };
    for group in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = group.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        if owner.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(&group);
        }
    }
}

/// Makes the controllers of a delegated v2 group available to groups below it. Only a group without
/// processes of its own may do that, so this process moves to a leaf; and back, when others stay.
fn delegate(own: &Path) -> io::Result<()> {
    let has = |file: &str| {
        let names = read(&own.join(file));
        ["memory", "pids"].iter().all(|name| names.split_whitespace().any(|n| n == *name))
    };
    if !has("cgroup.controllers") {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if has("cgroup.subtree_control") {
        return Ok(());
    }
    let leaf = own.join(OWN_LEAF);
    fs::create_dir(&leaf)?;
    let enabled = fs::write(leaf.join("cgroup.procs"), "0")
        .and_then(|()| fs::write(own.join("cgroup.subtree_control"), "+memory +pids"));
    if enabled.is_err() {
        let _ = fs::write(own.join("cgroup.procs"), "0");
        remove(&leaf);
    }
    enabled
}

/// This process's group in the hierarchy of a v1 controller, or in the v2 one; out of its leaf.
fn own_directory(controller: Option<&str>) -> Option<PathBuf> {
    let own = directory(&read(Path::new(MOUNTS)), &read(Path::new(MEMBERSHIP)), controller)?;
    let in_leaf = own.file_name().is_some_and(|name| name == OWN_LEAF);
    Some(if in_leaf { own.parent()?.to_owned() } else { own })
}

/// What this process's groups of both versions, and those above them, may use of memory, in bytes.
pub(super) fn memory_limits() -> Vec<u64> {
    let own = [(None, "memory.max"), (Some("memory"), "memory.limit_in_bytes")];
    let places = own.map(|(controller, file)| Some((own_directory(controller)?, file)));
    let limits = |(own, file): (PathBuf, &str)| {
        let limit = |group: &Path| read(&group.join(file)).trim().parse().ok();
        own.ancestors().filter_map(limit).collect::<Vec<u64>>()
    };
    places.into_iter().flatten().flat_map(limits).collect()
}

/// `… ROOT MOUNTPOINT … - TYPE SOURCE OPTIONS` and `ID:CONTROLLERS:PATH`: proc_pid_mountinfo(5),
/// cgroups(7). In a container the mount may begin in the middle of the hierarchy.
fn directory(mounts: &str, membership: &str, controller: Option<&str>) -> Option<PathBuf> {
    let (root, mountpoint) = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (left, right): (Vec<_>, Vec<_>) =
            (left.split(' ').collect(), right.split(' ').collect());
        let fits = match controller {
            None => right.first() == Some(&"cgroup2"),
            Some(name) => {
                right.first() == Some(&"cgroup")
                    && right.last()?.split(',').any(|option| option == name)
            }
        };
        fits.then_some((*left.get(3)?, *left.get(4)?))
    })?;
    let own = membership.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let names = fields.next()?;
        let fits = controller.map_or(names.is_empty(), |c| names.split(',').any(|n| n == c));
        fields.next().filter(|_| fits)
    })?;
    let below = Path::new(own).strip_prefix(root).ok()?;
    Some(Path::new(mountpoint).join(below))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
36 31 0:33 /docker/ab /sys/fs/cgroup/cpu,pids ro,nosuid shared:9 - cgroup cgroup rw,cpu,pids
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

    #[test]
    fn a_group_is_found_behind_its_mount() {
        let membership = "9:cpu,pids:/docker/ab/inner\n4:memory:/api/59\n0::/me\n";
        for (controller, expected) in [
            (Some("memory"), Some("/sys/fs/cgroup/memory/api/59")),
            (Some("pids"), Some("/sys/fs/cgroup/cpu,pids/inner")),
            (None, Some("/sys/fs/cgroup/unified/me")),
            (Some("cpuset"), None),
        ] {
            assert_eq!(directory(MIXED, membership, controller), expected.map(PathBuf::from));
        }
        // A mount that shows other people's groups only.
        assert_eq!(directory(MIXED, "9:pids:/elsewhere\n", Some("pids")), None);
    }

    #[test]
    fn a_hierarchy_without_the_controllers_is_not_taken() {
        let own = tempfile::TempDir::new().unwrap();
        fs::write(own.path().join("cgroup.controllers"), "cpu hugetlb\n").unwrap();
        assert!(delegate(own.path()).is_err());
        assert!(!own.path().join(OWN_LEAF).exists());
        fs::write(own.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(own.path().join("cgroup.subtree_control"), "memory pids\n").unwrap();
        assert!(delegate(own.path()).is_ok());
    }

    #[test]
    fn groups_of_a_run_are_removed_with_it() {
        let groups = Groups::probe();
        let limits = ResourceLimits {
            memory_bytes: groups.memory.is_some().then_some(1 << 30),
            processes: groups.pids.is_some().then_some(10),
            ..ResourceLimits::default()
        };
        let made = Group::make(&groups, &limits).unwrap();
        let files = made.entrances();
        assert!(files.iter().all(|file| file.exists()));
        assert_eq!(files.is_empty(), groups == Groups::default());
        assert_eq!((made.oom_kills(), made.refused_forks()), (0, 0));
        drop(made);
        assert!(!files.iter().any(|file| file.exists()));
    }
}
