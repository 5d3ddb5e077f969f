//! What the programs of a session are known by when daemon and init are both gone.
//!
//! Two signs, and each is enough: a variable, which a program may clear; and a limit that Linux has
//! not looked at since 2.4 (file locks), whose hard value is inherited by all that comes of a program
//! and can never be raised. In a sandbox it cannot be lowered either.

use std::fs;

use nix::sys::resource::Resource;

/// Variable in which every program of a session carries the session's name.
pub const MARK: &str = "DFR_SESSION";
/// Limit whose hard value is the session's number.
pub(super) const LIMIT: Resource = Resource::RLIMIT_LOCKS;
/// Its row in /proc/PID/limits.
const ROW: &str = "Max file locks";
/// Set in every number, and the one above is not: so it is no limit that anybody means.
const TOP: u64 = 1 << 62;

/// The number of the session of this name: FNV-1a, of which 62 bits are kept.
pub(super) fn number(session: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    (session.bytes().fold(BASIS, step) % TOP) | TOP
}

/// Whether a process is one of this session's, by either sign.
pub(super) fn carries(pid: i32, session: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let variable = format!("{MARK}={session}");
    environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
        || limit_of(pid) == Some(number(session))
}

/// Whether a process is one of any session's.
pub(super) fn is_marked(pid: i32) -> bool {
    limit_of(pid).is_some_and(|limit| limit != u64::MAX && limit & TOP != 0)
}

fn limit_of(pid: i32) -> Option<u64> {
    limit(&fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default())
}

/// The hard limit: `Max file locks  SOFT  HARD  locks`, proc_pid_limits(5).
fn limit(table: &str) -> Option<u64> {
    let row = table.lines().find_map(|line| line.strip_prefix(ROW))?;
    row.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_has_a_number_of_its_own_that_stays() {
        assert_eq!(number("/state/a"), number("/state/a"));
        assert_ne!(number("/state/a"), number("/state/b"));
        // Of an earlier life, which may have been an earlier version.
        assert_eq!(number("/var/lib/dfr/state/t"), 0x511f_8265_17a1_bdcd);
    }

    #[test]
    fn the_hard_limit_is_read_and_none_is_no_number() {
        let table = "Limit  Soft Limit  Hard Limit  Units\nMax file size  1  2  bytes\n";
        let row =
            format!("{ROW}            5                    77                   locks     \n");
        assert_eq!(limit(&format!("{table}{row}")), Some(77));
        assert_eq!(limit(table), None);
        assert_eq!(limit(&format!("{ROW}  unlimited  unlimited  locks\n")), None);
    }
}
