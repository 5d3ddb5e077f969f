//! How much main memory a run may use when nobody says: most of what there is, so that what passes it
//! is ended in its own group and known for it, and not whatever the kernel finds.

use std::fs;

use super::cgroup::memory_limits;

/// Of what there is; the rest is the daemon's and the system's.
const PERCENT: u64 = 90;

/// That share of the machine's memory, or of what the groups that this process is in may use where
/// that is less, in bytes. `None` where /proc does not tell.
pub fn usual_memory_bytes() -> Option<u64> {
    share(&fs::read_to_string("/proc/meminfo").ok()?, memory_limits())
}

fn share(meminfo: &str, limits: impl IntoIterator<Item = u64>) -> Option<u64> {
    let least = limits.into_iter().chain([total_bytes(meminfo)?]).min()?;
    Some(least / 100 * PERCENT)
}

/// `MemTotal:` of proc_meminfo(5).
fn total_bytes(meminfo: &str) -> Option<u64> {
    let told = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = told.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_machine_and_container_is_shared() {
        let meminfo = "MemTotal:       1000000 kB\nMemFree: 5 kB\n";
        // Version 1 says so when there is no limit.
        let none = 9_223_372_036_854_771_712;
        assert_eq!(share(meminfo, []), Some(921_600_000));
        assert_eq!(share(meminfo, [none]), Some(921_600_000));
        assert_eq!(share(meminfo, [none, 1000, 2000]), Some(900));
        assert_eq!(share("MemFree: 5 kB\n", [1000]), None);
    }

    #[test]
    fn this_machine_has_some() {
        let total = total_bytes(&fs::read_to_string("/proc/meminfo").unwrap()).unwrap();
        assert!(usual_memory_bytes().is_some_and(|bytes| bytes > 0 && bytes < total));
    }
}
