//! What a run may see and touch. Data only: the runner makes it so, in each tier by other means.
//!
//! Rights add up. What lies below a readable or writable path has at least its rights; nothing can
//! be taken away below it, because one of the means (Landlock) knows no such thing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What every program needs: programs, libraries, and what the C library looks up.
const SYSTEM: [&str; 20] = [
    "/bin",
    "/etc/alternatives",
    "/etc/group",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/sbin",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node/has_cpu",
    "/sys/devices/system/node/has_memory",
    "/sys/devices/system/node/online",
    "/sys/devices/system/node/possible",
    "/usr",
];
/// What a trained model may need of `/usr` and `/lib` where libraries lie by architecture: programs, what
/// the linker finds, and Python's. The less a prediction reads of what other runs read too, the less is
/// made the same again after it.
const OF_PREDICTION: [&str; 7] = [
    "/usr/bin",
    "/usr/lib/python3",
    "/usr/lib/wsl",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local",
    "/usr/sbin",
];
/// Versions of Python 3 whose libraries are looked for.
const PYTHONS: RangeInclusive<u8> = 8..=19;
/// What is told of each memory node: where it lies. What was done there is told beside it.
const OF_NODE: [&str; 3] = ["cpulist", "cpumap", "distance"];
/// Nodes with processors; no machine that trains has more.
const NODES: usize = 16;
/// What libraries ask of the machine as a whole. Of processes nothing: a run finds its own first
/// process only, and where it has a /proc of its own, all that are in it. Nor of what the machine has
/// done so far: counters that a run can move would tell the next one what it saw.
const MACHINE: [&str; 14] = [
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/sys/kernel/cap_last_cap",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/mmap_min_addr",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
];
/// Counters of the whole machine: not there where a run has a /proc of its own, and not to be read
/// where it has none.
pub const COUNTERS: [&str; 22] = [
    "/proc/buddyinfo",
    "/proc/diskstats",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/key-users",
    "/proc/loadavg",
    "/proc/pagetypeinfo",
    "/proc/pressure",
    "/proc/schedstat",
    "/proc/slabinfo",
    "/proc/softirqs",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/fs/dentry-state",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/inode-nr",
    "/proc/sys/fs/inode-state",
    "/proc/sys/fs/aio-nr",
    "/proc/timer_list",
    "/proc/vmallocinfo",
    "/proc/vmstat",
    "/proc/zoneinfo",
];
/// What the libraries of a GPU read besides its device nodes.
const GPU: [&str; 2] = ["/proc/driver/nvidia", "/sys"];

/// What one run may see and touch; everything else is not there or refused, the network wholly.
/// Paths are the same inside and outside. Links on the way are followed when the run begins, so no
/// path may lead through a directory that a candidate could write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Files and directories to read and execute; those that are not there are left out.
    pub readable: BTreeSet<PathBuf>,
    /// Directories to write, which must be there and belong to the run's user.
    pub writable: BTreeSet<PathBuf>,
    /// Device nodes besides `/dev/null` and its like.
    pub devices: BTreeSet<PathBuf>,
    /// Whose code runs in it.
    pub code: Code,
}

/// Whose code runs in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A compiler at work on a candidate's sources.
    Trusted,
    /// The candidate itself: owners, times and attributes of files stay as they are made, and modes
    /// where Landlock alone guards them, because it does not keep these from being changed outside.
    Candidate,
}

impl Sandbox {
    /// What every program needs and nothing else.
    pub fn system(code: Code) -> Self {
        let of_node =
            |node| OF_NODE.map(|name| format!("/sys/devices/system/node/node{node}/{name}").into());
        let system = SYSTEM.iter().chain(&MACHINE).map(PathBuf::from);
        let readable = system.chain((0..NODES).flat_map(of_node)).collect();
        Self { readable, writable: BTreeSet::new(), devices: BTreeSet::new(), code }
    }

    /// With what a trained model may need in place of the whole system; `libraries` is the directory in
    /// `/lib` and `/usr/lib` that holds those of this architecture. What else a task needs to predict it
    /// names.
    #[must_use]
    pub fn predicts(mut self, libraries: &str) -> Self {
        self.readable.retain(|path| !["/usr", "/lib"].map(Path::new).contains(&path.as_path()));
        self.readable.extend(OF_PREDICTION.map(PathBuf::from));
        self.readable.extend(["/lib", "/usr/lib"].map(|path| Path::new(path).join(libraries)));
        self.readable.extend(PYTHONS.map(|minor| format!("/usr/lib/python3.{minor}").into()));
        self
    }

    /// With another file or directory to read and execute.
    #[must_use]
    pub fn reads(mut self, path: impl Into<PathBuf>) -> Self {
        self.readable.insert(path.into());
        self
    }

    /// With another directory to write.
    #[must_use]
    pub fn writes(mut self, path: impl Into<PathBuf>) -> Self {
        self.writable.insert(path.into());
        self
    }

    /// With these device nodes of GPUs and what their libraries read; unchanged when there are none.
    #[must_use]
    pub fn computes_on(mut self, nodes: BTreeSet<PathBuf>) -> Self {
        if !nodes.is_empty() {
            self.readable.extend(GPU.map(PathBuf::from));
            self.devices.extend(nodes);
        }
        self
    }
}

/// What both of these sandboxes may read.
pub fn shared(one: &Sandbox, other: &Sandbox) -> BTreeSet<PathBuf> {
    let within = |a: &Sandbox, b: &Sandbox| -> Vec<PathBuf> {
        a.readable.iter().filter(|path| covers(&b.readable, path)).cloned().collect()
    };
    let all = within(one, other).into_iter().chain(within(other, one));
    outermost(all.collect())
}

/// Without those that lie below another one of them.
pub fn outermost(paths: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut kept = BTreeSet::new();
    // In this order an ancestor comes before all that lies below it.
    for path in paths {
        if !covers(&kept, &path) {
            kept.insert(path);
        }
    }
    kept
}

/// Whether one of them is the path or an ancestor of it.
pub fn covers(paths: &BTreeSet<PathBuf>, path: &Path) -> bool {
    path.ancestors().any(|ancestor| paths.contains(ancestor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> BTreeSet<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn only_what_lies_below_another_is_left_out() {
        let all = paths(&["/a/b", "/a", "/a-b", "/a/b/c", "/b/c", "/b/cd"]);
        assert_eq!(outermost(all), paths(&["/a", "/a-b", "/b/c", "/b/cd"]));
        assert!(
            covers(&paths(&["/"]), Path::new("/a")) && !covers(&paths(&["/a/b"]), "/a".as_ref())
        );
    }

    #[test]
    fn what_both_may_read_is_shared() {
        let reading = |names: &[&str]| Sandbox {
            readable: paths(names),
            writable: BTreeSet::new(),
            devices: BTreeSet::new(),
            code: Code::Candidate,
        };
        let one = reading(&["/all", "/data/train", "/one", "/usr"]);
        let other = reading(&["/all/below", "/data/validation", "/other", "/usr"]);
        assert_eq!(shared(&one, &other), paths(&["/all/below", "/usr"]));
        assert_eq!(shared(&other, &one), paths(&["/all/below", "/usr"]));
    }

    #[test]
    fn a_sandbox_begins_with_no_secret_and_grows_by_what_is_named() {
        let plain = Sandbox::system(Code::Candidate);
        let counters = COUNTERS.iter().chain(&["/sys/devices/system/node/node0/vmstat"]);
        let places =
            ["/root", "/home", "/etc/shadow", "/tmp", "/proc/1", "/proc/self", "/sys", "/"];
        for place in places.iter().chain(counters) {
            assert!(!covers(&plain.readable, Path::new(place)), "{place}");
        }
        assert_eq!(plain.clone().computes_on(BTreeSet::new()), plain);
        let predicting = plain.clone().predicts("x86_64-linux-gnu").readable;
        for place in ["/usr/share/man", "/usr/include", "/usr/lib/gcc", "/lib/modules"] {
            assert!(covers(&plain.readable, Path::new(place)), "{place}");
            assert!(!covers(&predicting, Path::new(place)), "{place}");
        }
        for place in ["/bin/sh", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld.so"] {
            assert!(covers(&predicting, Path::new(place)), "{place}");
        }
        let grown = plain.reads("/x").writes("/y").computes_on(paths(&["/dev/nvidia0"]));
        assert!(
            grown.readable.contains(Path::new("/sys")) && covers(&grown.readable, "/x/z".as_ref())
        );
        assert_eq!((grown.writable, grown.devices), (paths(&["/y"]), paths(&["/dev/nvidia0"])));
    }
}
