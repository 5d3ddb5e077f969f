//! What a trainer says about its own run, held against what the daemon saw of it.

use std::time::Duration;

/// A clock in the trainer's process starts and stops a little beside the daemon's.
const SLACK_S: f64 = 5.0;
/// Share of the time after the first step that may pass untold: checkpoints on a slow disk.
const UNTOLD: f64 = 0.25;
/// No device takes so many steps in a second.
const STEPS_PER_SECOND: f64 = 1e5;
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
