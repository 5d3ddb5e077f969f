//! The machine itself: kernel, memory, limits, clock, and who starts us again.

use std::fs;
use std::path::Path;

use super::gib;
use crate::clock;
use crate::disk;
use crate::report::Finding;
use crate::settings::Environment;

/// Memory below which a build of the trainer may fail, in MiB.
const MEMORY_MIB: u64 = 4096;
/// Shared memory below which libraries that compute in several processes fail, in MiB.
const SHARED_MIB: u64 = 512;
/// Open files that a build and a run need.
const OPEN_FILES: u64 = 1024;
/// Processes and threads that a build and a run need.
const PROCESSES: u64 = 1024;
/// 2026-01-01: no clock that is right says less. Milliseconds since 1970.
const EARLIEST_MS: i64 = 1_767_225_600_000;

pub(super) fn findings(environment: &Environment) -> Vec<Finding> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    vec![
        kernel(),
        memory(available_mib(&fs::read_to_string("/proc/meminfo").unwrap_or_default())),
        shared_memory(),
        self::limits(&limits),
        time(clock::wall_ms()),
        service(environment.get("NOTIFY_SOCKET").is_some()),
    ]
}

fn kernel() -> Finding {
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => Finding::ok("kernel", format!("Linux {}", release.trim())),
        Err(error) => Finding::missing("kernel", error.to_string(), "mount /proc"),
    }
}

/// `MemAvailable:` of `proc_meminfo(5)`.
fn available_mib(meminfo: &str) -> Option<u64> {
    let told = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = told.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

fn memory(available_mib: Option<u64>) -> Finding {
    match available_mib {
        None => Finding::warn("memory", "unknown", "/proc/meminfo cannot be read"),
        Some(mib) if mib < MEMORY_MIB => {
            let meaning = format!("builds and runs may fail below {}", gib(MEMORY_MIB));
            Finding::warn("memory", format!("{} available", gib(mib)), meaning)
        }
        Some(mib) => Finding::ok("memory", format!("{} available", gib(mib))),
    }
}

fn shared_memory() -> Finding {
    let free = disk::free_mib(Path::new("/dev/shm"));
    match free {
        Ok(mib) if mib >= SHARED_MIB => Finding::ok("/dev/shm", format!("{} free", gib(mib))),
        Ok(mib) => Finding::warn(
            "/dev/shm",
            format!("{mib} MiB free"),
            "libraries that compute in several processes need more: docker run --shm-size=8g",
        ),
        Err(error) => Finding::warn("/dev/shm", "not here", error.to_string()),
    }
}

/// The soft limit in a line of `/proc/self/limits`; nothing when there is none.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn limits(limits: &str) -> Finding {
    let wanted =
        [("Max open files", "open files", OPEN_FILES), ("Max processes", "processes", PROCESSES)];
    let told = wanted.map(|(name, word, least)| (soft_limit(limits, name), word, least));
    let found = told.map(|(limit, word, _)| {
        let limit = limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
        format!("{limit} {word}")
    });
    let file = soft_limit(limits, "Max file size");
    let low = told.iter().find(|(limit, _, least)| limit.is_some_and(|limit| limit < *least));
    match (low, file) {
        (Some((_, word, least)), _) => {
            Finding::warn("limits", found.join(", "), format!("{word} should be {least} or more"))
        }
        (None, Some(bytes)) => {
            let found = format!("files up to {}", gib(bytes >> 20));
            Finding::warn("limits", found, "checkpoints and the ledger may not fit: ulimit -f")
        }
        (None, None) => Finding::ok("limits", found.join(", ")),
    }
}

fn time(wall_ms: i64) -> Finding {
    let found = clock::readable(wall_ms);
    if wall_ms >= EARLIEST_MS {
        return Finding::ok("clock", found);
    }
    let meaning = "dates of logs and commits will be wrong; nothing is measured by this clock";
    Finding::warn("clock", found, meaning)
}

fn service(notified: bool) -> Finding {
    if notified {
        return Finding::ok("service manager", "systemd");
    }
    let meaning = "nobody starts the daemon again when it is killed or the machine reboots: \
        see deploy/README.md";
    Finding::warn("service manager", "none", meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Grade;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max processes             95000                95000                processes
Max open files            65535                65535                files
";

    #[test]
    fn limits_are_read_and_judged() {
        let cases = [
            (LIMITS.to_owned(), Grade::Ok, "65535 open files, 95000 processes"),
            (LIMITS.replace("65535", "256"), Grade::Warn, "256 open files"),
            (LIMITS.replace("95000", "100"), Grade::Warn, "100 processes"),
            (LIMITS.replace("95000", "unlimited"), Grade::Ok, "unlimited processes"),
            (LIMITS.replacen("unlimited", "1073741824", 1), Grade::Warn, "files up to 1.0 GiB"),
        ];
        for (text, grade, word) in cases {
            let finding = limits(&text);
            assert_eq!(finding.grade, grade, "{finding:?}");
            assert!(finding.found.contains(word), "{finding:?}");
        }
    }

    #[test]
    fn what_is_short_is_told() {
        let text = |kib: u64| format!("MemTotal: 1 kB\nMemAvailable:   {kib} kB\n");
        let graded = |kib| memory(available_mib(&text(kib))).grade;
        assert_eq!(graded(4096 * 1024), Grade::Ok);
        assert_eq!(graded(4095 * 1024), Grade::Warn);
        assert_eq!(memory(None).found, "unknown");
        assert_eq!((time(0).grade, time(EARLIEST_MS).grade), (Grade::Warn, Grade::Ok));
        assert_eq!((service(false).grade, service(true).grade), (Grade::Warn, Grade::Ok));
    }

    #[test]
    fn this_machine_can_be_read() {
        let findings = findings(&Environment::from([("HOME", "/h")]));
        assert!(findings.iter().all(|finding| finding.found != "unknown"), "{findings:?}");
    }
}
