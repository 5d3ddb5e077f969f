//! Whether the machine slept during a run: its results are then not those of one stretch of time.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

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
    fn this_machine_is_awake() {
        let start = Clocks::read();
        assert!(start.monotonic > Duration::ZERO && start.boot > Duration::ZERO);
        assert!(!start.slept_until(Clocks::read()));
    }
}
