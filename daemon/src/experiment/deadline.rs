//! How long a training run may take.

use std::time::Duration;

/// The least allowance for starting up.
const START_FLOOR: Duration = Duration::from_secs(30);

/// When a run is asked to end, and how long it then has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the trainer's start to TERM.
    pub deadline: Duration,
    /// From TERM to KILL.
    pub grace: Duration,
}

/// The limits of a training run: the budget and an allowance of 1.5 times what the baseline needed to
/// start, at least 30 s; but everything, grace included, is over at twice the budget. A grace of more
/// than half the budget is cut to that.
pub fn train_limits(budget: Duration, start: Option<Duration>, grace: Duration) -> Limits {
    let grace = grace.min(budget / 2);
    let cap = budget * 2 - grace;
    let deadline = match start {
        None => cap,
        Some(start) => cap.min(budget + start.mul_f64(1.5).max(START_FLOOR)),
    };
    Limits { deadline, grace }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_follows_the_baseline_within_its_bounds() {
        let s = Duration::from_secs;
        for (budget, start, grace, deadline, given) in [
            (600, Some(4), 10, 630, 10),
            (600, Some(40), 10, 660, 10),
            (600, Some(4000), 10, 1190, 10),
            (20, Some(1), 10, 30, 10),
            (600, None, 10, 1190, 10),
            (2, None, 10, 3, 1),
        ] {
            let limits = train_limits(s(budget), start.map(s), s(grace));
            assert_eq!(limits, Limits { deadline: s(deadline), grace: s(given) });
            assert!(limits.deadline + limits.grace <= s(2 * budget));
        }
    }
}
