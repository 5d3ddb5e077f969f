//! What a trainer says about its own run, and the time that it took, held against what the daemon saw.

use std::time::Duration;

/// A clock in the trainer's process starts and stops a little beside the daemon's.
const SLACK_S: f64 = 5.0;
/// Share of the time after the first step that may pass untold: checkpoints on a slow disk.
const UNTOLD: f64 = 0.25;
/// No device takes so many steps in a second.
const STEPS_PER_SECOND: f64 = 1e5;
/// Share of the budget that a run may take beyond what the baseline needed: the last step, a larger model
/// to make and to write.
const OVERTIME: f64 = 0.03;
/// Scores are printed with six digits.
const DIGITS: f64 = 1e-5;

/// What the daemon's own clock says of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// From its start to its end.
    pub elapsed: Duration,
    /// From its start to its first step.
    pub startup: Duration,
}

/// How the claimed training time and number of steps contradict what was seen, if they do.
pub fn contradiction(claimed_s: f64, steps: u64, seen: Seen) -> Option<String> {
    let elapsed_s = seen.elapsed.as_secs_f64();
    let after_start_s = elapsed_s - seen.startup.as_secs_f64();
    if claimed_s > elapsed_s + SLACK_S {
        return Some(format!(
            "it claims {claimed_s:.1} s of training in a run of {elapsed_s:.1} s"
        ));
    }
    if claimed_s < after_start_s * (1.0 - UNTOLD) - SLACK_S {
        return Some(format!(
            "it claims {claimed_s:.1} s of training and went on for {after_start_s:.1} s"
        ));
    }
    let most = STEPS_PER_SECOND * (elapsed_s + 1.0);
    (steps as f64 > most).then(|| format!("it claims {steps} steps in {elapsed_s:.1} s"))
}

/// The most that a run may take from its start to its end. What the baseline took beyond its budget is
/// its start-up and closing, and free.
pub fn longest(baseline: Duration, budget: Duration) -> Duration {
    let slack = Duration::from_secs_f64(SLACK_S);
    baseline.saturating_sub(budget) + budget.mul_f64(1.0 + OVERTIME) + slack
}

/// How a run took time to train that the others do not get, before the trainer's clock or after it, if it
/// did. The trainer's own words do not matter here.
pub fn overtime(elapsed: Duration, baseline: Duration, budget: Duration) -> Option<String> {
    let most = longest(baseline, budget);
    (elapsed > most).then(|| {
        format!(
            "its training took {:.1} s from start to end; with a budget of {} s and the {:.1} s around it \
             that the baseline needed, {:.1} s are the most",
            elapsed.as_secs_f64(),
            budget.as_secs(),
            baseline.saturating_sub(budget).as_secs_f64(),
            most.as_secs_f64()
        )
    })
}

/// How a score that a trainer claims for itself contradicts the official one, if it does.
pub fn false_claim(name: &str, claimed: f64, official: f64) -> Option<String> {
    let is_false = !claimed.is_finite() || (claimed - official).abs() > DIGITS;
    is_false.then(|| format!("it claims {name} {claimed:.6}, official is {official:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(claimed_s: f64, steps: u64) -> bool {
        let seen = Seen { elapsed: Duration::from_secs(110), startup: Duration::from_secs(10) };
        contradiction(claimed_s, steps, seen).is_some()
    }

    #[test]
    fn an_honest_clock_is_believed_and_no_other() {
        for (claimed_s, steps, is_told) in [
            (99.5, 1000, false),
            // Checkpoints take their time, and start-up may have counted.
            (80.0, 1000, false),
            (112.0, 1000, false),
            (0.0, 1000, true),
            (60.0, 1000, true),
            (600.0, 1000, true),
            (99.5, 1 << 40, true),
        ] {
            assert_eq!(told(claimed_s, steps), is_told, "{claimed_s} s, {steps} steps");
        }
    }

    #[test]
    fn a_run_is_over_when_the_baselines_was_but_for_a_larger_model() {
        let s = Duration::from_secs;
        for (elapsed, baseline, budget, is_told) in [
            // Free: 8 s. Then 5 s and 3 % of the budget.
            (608, 608, 600, false),
            (631, 608, 600, false),
            (632, 608, 600, true),
            (28, 22, 20, true),
            (27, 22, 20, false),
            // A baseline that ends early gives nothing away.
            (623, 30, 600, false),
            (624, 30, 600, true),
            (1, 608, 600, false),
        ] {
            let told = overtime(s(elapsed), s(baseline), s(budget));
            assert_eq!(told.is_some(), is_told, "{elapsed} s, {baseline} s, {budget} s: {told:?}");
        }
        let told = overtime(s(640), s(608), s(600)).unwrap();
        assert!(["640.0 s", "600 s", "8.0 s", "631.0 s"].iter().all(|fact| told.contains(fact)));
    }

    #[test]
    fn a_run_shorter_than_the_slack_is_not_called_a_lie() {
        let seen = Seen { elapsed: Duration::from_millis(300), startup: Duration::ZERO };
        assert_eq!(contradiction(1.0, 10, seen), None);
    }

    #[test]
    fn a_claim_is_true_to_the_digits_that_are_printed() {
        assert_eq!(false_claim("mcc", 0.123_457, 0.123_456_7), None);
        for claimed in [0.2, f64::NAN, f64::INFINITY] {
            assert!(false_claim("mcc", claimed, 0.123_456).is_some());
        }
    }
}
