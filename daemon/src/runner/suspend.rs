//! Whether somebody stopped or ended a run from outside: its results are then not its own.

use std::fmt;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// For so long no scheduler keeps a process waiting, beyond when it wanted to look again.
const STOPPED: Duration = Duration::from_secs(5);

/// What somebody did to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taint {
    /// The machine slept meanwhile.
    Slept,
    /// The daemon was stopped or frozen meanwhile, and the run, for all that is known, with it.
    Stopped,
    /// Somebody else filled the disk meanwhile.
    DiskFilled,
    /// Its init was killed from where the program does not reach.
    InitKilled,
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slept => "the machine slept meanwhile",
            Self::Stopped => "the daemon was stopped or frozen meanwhile",
            Self::DiskFilled => "the disk was filled meanwhile, and not by the run",
            Self::InitKilled => "somebody killed its init",
        })
    }
}

/// Whether this process looked at a run as often as it wanted to.
#[derive(Debug)]
pub(super) struct Attention {
    /// When it looked last.
    last: Instant,
    every: Duration,
    was_lost: bool,
}

impl Attention {
    pub(super) fn new(now: Instant, every: Duration) -> Self {
        Self { last: now, every, was_lost: false }
    }

    /// It looks.
    pub(super) fn at(&mut self, now: Instant) {
        self.was_lost |= now.duration_since(self.last) > self.every + STOPPED;
        self.last = now;
    }

    pub(super) fn was_lost(&self) -> bool {
        self.was_lost
    }
}

/// A difference that no scheduler makes.
const TOLERANCE: Duration = Duration::from_secs(2);

/// Both clocks at one moment: one goes on while the machine sleeps, the other does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    pub boot: Duration,
    pub monotonic: Duration,
}

impl Clocks {
    pub(super) fn read() -> Self {
        let read = |id| clock_gettime(id).map_or(Duration::ZERO, Duration::from);
        Self { boot: read(ClockId::CLOCK_BOOTTIME), monotonic: read(ClockId::CLOCK_MONOTONIC) }
    }

    /// Whether the machine slept for more than two seconds between two moments.
    pub(super) fn slept_until(self, end: Self) -> bool {
        let asleep = |clocks: Self| clocks.boot.saturating_sub(clocks.monotonic);
        asleep(end).saturating_sub(asleep(self)) > TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks(boot: u64, monotonic: u64) -> Clocks {
        Clocks { boot: Duration::from_millis(boot), monotonic: Duration::from_millis(monotonic) }
    }

    #[test]
    fn only_sleep_during_the_run_counts() {
        for (start, end, slept) in [
            (clocks(500_000, 400_000), clocks(900_000, 800_000), false),
            (clocks(500_000, 400_000), clocks(902_000, 800_000), false),
            (clocks(500_000, 400_000), clocks(902_001, 800_000), true),
            (clocks(0, 0), clocks(3_600_000, 1_000), true),
        ] {
            assert_eq!(start.slept_until(end), slept, "{start:?} {end:?}");
        }
    }

    #[test]
    fn a_look_that_comes_much_too_late_is_not_forgotten() {
        let (start, every) = (Instant::now(), Duration::from_secs(1));
        let mut attention = Attention::new(start, every);
        for (at_s, was_lost) in [(1, false), (7, false), (14, true), (15, true)] {
            attention.at(start + Duration::from_secs(at_s));
            assert_eq!(attention.was_lost(), was_lost, "{at_s}");
        }
    }

    #[test]
    fn this_machine_is_awake() {
        let start = Clocks::read();
        assert!(start.monotonic > Duration::ZERO && start.boot > Duration::ZERO);
        assert!(!start.slept_until(Clocks::read()));
    }
}
