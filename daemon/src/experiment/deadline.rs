//! How long a training run may take.

use std::time::Duration;

/// The least allowance for starting up.
const START_FLOOR: Duration = Duration::from_secs(30);

/// Time from a trainer's start to its end: the budget and an allowance of 1.5 times what the
/// baseline needed to start, at least 30 s, and never more than twice the budget. Before the
/// baseline has run, twice the budget.
pub fn train_deadline(budget: Duration, baseline_start: Option<Duration>) -> Duration {
    let cap = budget * 2;
    match baseline_start {
        None => cap,
        Some(start) => cap.min(budget + start.mul_f64(1.5).max(START_FLOOR)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_follows_the_baseline_within_its_bounds() {
        let s = Duration::from_secs;
        for (budget, start, deadline) in [
            (600, Some(4), 630),
            (600, Some(40), 660),
            (600, Some(4000), 1200),
            (20, Some(1), 40),
            (600, None, 1200),
        ] {
            assert_eq!(train_deadline(s(budget), start.map(s)), s(deadline));
        }
    }
}
