//! What one run may use, and how it is watched.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::processes;
use crate::experiment::Cause;

/// Between two looks at what a run uses.
pub(super) const WATCH_EVERY: Duration = Duration::from_millis(300);
/// The kernel's own cap on processes lies this much above the limit: passing the limit is then seen
/// and named, and a bomb is small until it is.
pub(super) const HEADROOM: u64 = 64;

/// Limits of one run; an absent one is not enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Main memory of all its processes together, in bytes. Exact with a memory control group,
    /// otherwise looked at a few times a second.
    pub memory_bytes: Option<u64>,
    /// Processes and threads together, as the kernel counts them.
    pub processes: Option<u64>,
    /// Size of any one file that it writes, in bytes.
    pub file_bytes: Option<u64>,
    /// What its directories may hold together, in bytes on disk; looked at while it runs and once
    /// more when it has ended. Only a sandbox says which directories these are.
    #[serde(default)]
    pub directory_bytes: Option<u64>,
    /// What must stay free where these directories are, in bytes: files without a name any more take
    /// room as well.
    #[serde(default)]
    pub free_bytes: Option<u64>,
}

/// What a run uses at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub memory_bytes: u64,
    pub processes: u64,
}

impl Usage {
    /// Of everything below a process, the process itself left out.
    pub(super) fn below(root: i32) -> Self {
        let found = processes::below(&processes::all(), &[root]);
        Self {
            memory_bytes: found.iter().map(|process| process.memory_bytes()).sum::<u64>()
                + processes::nameless_bytes(&found),
            processes: found.iter().map(|process| process.tasks).sum(),
        }
    }
}

impl ResourceLimits {
    /// Whether the daemon has to look: the kernel alone enforces the size of files.
    pub(super) fn are_watched(&self) -> bool {
        let Self { memory_bytes, processes, directory_bytes, free_bytes, .. } = self;
        [memory_bytes, processes, directory_bytes, free_bytes].iter().any(|limit| limit.is_some())
    }

    /// The limit that is passed, if one is.
    pub(super) fn breach(&self, usage: Usage) -> Option<Cause> {
        let passed = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
        if passed(self.memory_bytes, usage.memory_bytes) {
            return Some(Cause::OutOfMemory);
        }
        passed(self.processes, usage.processes).then_some(Cause::TooManyProcesses)
    }
}

/// Kills for want of memory on this machine since boot.
pub(super) fn machine_oom_kills() -> u64 {
    counter(&fs::read_to_string("/proc/vmstat").unwrap_or_default(), "oom_kill")
}

/// A `name value` line of one of the kernel's tables.
pub(super) fn counter(table: &str, name: &str) -> u64 {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    table.lines().find_map(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_passed_only_beyond_it_and_only_where_it_is_set() {
        let limits = ResourceLimits {
            memory_bytes: Some(100),
            processes: Some(8),
            ..ResourceLimits::default()
        };
        for (memory_bytes, processes, expected) in [
            (100, 8, None),
            (101, 8, Some(Cause::OutOfMemory)),
            (100, 9, Some(Cause::TooManyProcesses)),
            (101, 9, Some(Cause::OutOfMemory)),
        ] {
            let usage = Usage { memory_bytes, processes };
            assert_eq!(limits.breach(usage), expected);
            assert_eq!(ResourceLimits::default().breach(usage), None);
        }
    }

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let table = "oom_kill_disable 1\nunder_oom 0\noom_kill 3\n";
        assert_eq!(counter(table, "oom_kill"), 3);
        assert_eq!(counter(table, "oom"), 0);
    }
}
