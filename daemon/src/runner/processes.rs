//! Processes as /proc shows them: who descends from whom, and how they are ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::statfs::{FsType, HUGETLBFS_MAGIC, TMPFS_MAGIC, statfs};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

use super::mark;

/// How long killed processes are waited for; longer only when the kernel itself holds them.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what is left.
const PAUSE: Duration = Duration::from_millis(10);

/// File systems whose files are memory.
const IN_MEMORY: [FsType; 2] = [TMPFS_MAGIC, HUGETLBFS_MAGIC];
/// Of `st_blocks`, stat(3type).
const BLOCK_BYTES: u64 = 512;

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: i32,
    pub parent: i32,
    /// Threads, itself included.
    pub tasks: u64,
    /// Start, in clock ticks since boot.
    pub started: u64,
    pub zombie: bool,
}

impl Process {
    pub(super) fn read(pid: i32) -> Option<Self> {
        parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Anonymous and mapped shared memory in bytes; pages of files can be dropped and are not counted.
    pub(super) fn memory_bytes(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        resident_kib(&status) * 1024
    }
}

/// Files in memory that have no name any more and that one of these processes holds open, memfds among
/// them, in bytes: mapped nowhere, they stand in no process's figures. One that is mapped counts in
/// both, which is no more than a run could keep so.
pub(super) fn nameless_bytes(processes: &[Process]) -> u64 {
    let files: BTreeMap<(u64, u64), u64> = processes.iter().flat_map(nameless).collect();
    files.values().sum()
}

/// Those of one process, by device and inode.
fn nameless(process: &Process) -> Vec<((u64, u64), u64)> {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { return Vec::new() };
    let nameless = |fd: PathBuf| {
        let is_nameless = fs::read_link(&fd).ok()?.as_os_str().as_bytes().ends_with(b" (deleted)");
        let file = fd.metadata().ok().filter(|_| is_nameless)?;
        let is_in_memory = IN_MEMORY.contains(&statfs(&fd).ok()?.filesystem_type());
        is_in_memory.then(|| ((file.dev(), file.ino()), file.blocks() * BLOCK_BYTES))
    };
    open.filter_map(|fd| nameless(fd.ok()?.path())).collect()
}

/// `pid (any name) state ppid … num_threads itrealvalue starttime …`, proc_pid_stat(5).
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let fields: Vec<&str> = rest.rsplit_once(") ")?.1.split(' ').collect();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        tasks: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
    })
}

fn resident_kib(status: &str) -> u64 {
    let value = |line: &str| line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    let counted = |line: &&str| line.starts_with("RssAnon:") || line.starts_with("RssShmem:");
    status.lines().filter(counted).filter_map(value).sum()
}

fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Every process that can be seen.
pub(super) fn all() -> Vec<Process> {
    pids().into_iter().filter_map(Process::read).collect()
}

/// All that descend from one of the roots; the roots themselves are left out.
pub(super) fn below(table: &[Process], roots: &[i32]) -> Vec<Process> {
    let mut known: BTreeSet<i32> = roots.iter().copied().collect();
    let mut found = Vec::new();
    loop {
        let new: Vec<Process> = table
            .iter()
            .filter(|process| known.contains(&process.parent) && !known.contains(&process.pid))
            .copied()
            .collect();
        if new.is_empty() {
            return found;
        }
        known.extend(new.iter().map(|process| process.pid));
        found.extend(new);
    }
}

/// Sends a signal to every process below this one.
pub(super) fn signal_below(pid: Pid, signal: Signal) {
    for process in below(&all(), &[pid.as_raw()]) {
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
}

/// Kills what a dead init left to this process: its children that no init of `known` is and that
/// began at `since` (clock ticks) or later, and all below them. Returns how many there were.
pub(super) async fn sweep_orphans(known: impl Fn(i32) -> bool, since: u64) -> u32 {
    let here = getpid().as_raw();
    let orphans = || {
        let table = all();
        // The first process of a namespace adopts everybody's orphans, not those of runs alone.
        let is_ours = |pid: i32| here != 1 || mark::is_marked(pid);
        let is_orphan = |p: &&Process| {
            p.parent == here && p.started >= since && !known(p.pid) && is_ours(p.pid)
        };
        let adopted: Vec<Process> = table.iter().filter(is_orphan).copied().collect();
        let roots: Vec<i32> = adopted.iter().map(|process| process.pid).collect();
        let mut left = below(&table, &roots);
        left.extend(adopted);
        left
    };
    end(orphans).await
}

/// Ends what an earlier life of the daemon left behind: every process that carries the mark of this
/// session, this process apart. Waits until they are gone, at most five seconds. Returns how many
/// there were.
pub async fn end_leftovers(session: &str) -> usize {
    let here = getpid().as_raw();
    let is_left = |pid: &i32| *pid != here && !session.is_empty() && mark::carries(*pid, session);
    // Not by the owner of its files in /proc: of a program that hides its memory that is root.
    let is_ours = |pid: &i32| kill(Pid::from_raw(*pid), None).is_ok();
    let marked = || {
        let left = pids().into_iter().filter(is_left).filter(is_ours).filter_map(Process::read);
        // The dead have a limit still; whoever reaps them, it is not this process.
        left.filter(|process| !process.zombie).collect()
    };
    end(marked).await as usize
}

/// Kills until two looks in a row find nothing: one look is no snapshot, a process whose parent
/// ends in the middle of it can hide.
async fn end(left: impl Fn() -> Vec<Process>) -> u32 {
    let start = tokio::time::Instant::now();
    let mut seen = BTreeSet::new();
    let mut quiet = 0;
    while quiet < 2 && start.elapsed() < PATIENCE {
        let found = left();
        quiet = if found.is_empty() { quiet + 1 } else { 0 };
        for process in &found {
            let pid = Pid::from_raw(process.pid);
            if process.zombie {
                let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            } else {
                seen.insert((process.pid, process.started));
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        if !found.is_empty() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    u32::try_from(seen.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, tasks: 1, started: 0, zombie: false }
    }

    #[test]
    fn a_line_of_the_table_is_read_whatever_the_name() {
        let line = "42 (a) S (b) ) Z 7 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 3 0 991 0 0\n";
        let expected = Process { pid: 42, parent: 7, tasks: 3, started: 991, zombie: true };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse("42 (cut"), None);
        let own = Process::read(getpid().as_raw()).unwrap();
        assert_eq!(own.parent, nix::unistd::getppid().as_raw());
        assert!(!own.zombie && own.started > 0);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_in_any_order() {
        let table = [process(9, 8), process(8, 3), process(3, 1), process(4, 1), process(5, 3)];
        let mut pids: Vec<i32> = below(&table, &[3]).iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [5, 8, 9]);
        assert!(below(&table, &[4]).is_empty());
    }

    #[test]
    fn a_file_in_memory_counts_once_however_often_it_is_open() {
        use nix::sys::memfd::{MFdFlags, memfd_create};
        use std::io::Write as _;
        let own = Process::read(getpid().as_raw()).unwrap();
        let before = nameless_bytes(&[own]);
        let mut file = fs::File::from(memfd_create("held", MFdFlags::empty()).unwrap());
        file.write_all(&vec![1; 8 << 20]).unwrap();
        let again = file.try_clone().unwrap();
        let held = nameless_bytes(&[own, own]) - before;
        assert!((8 << 20..9 << 20).contains(&held), "{held}");
        drop((file, again));
        assert!(nameless_bytes(&[own]) < before + (8 << 20));
    }

    #[test]
    fn memory_is_what_cannot_be_dropped() {
        let status = "VmRSS:\t 99 kB\nRssAnon:\t    40 kB\nRssFile:\t 57 kB\nRssShmem:\t  2 kB\n";
        assert_eq!(resident_kib(status), 42);
        assert!(Process::read(getpid().as_raw()).unwrap().memory_bytes() > 0);
    }
}
