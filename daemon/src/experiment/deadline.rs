//! How long a training run may take, and a prediction.

use std::time::Duration;

/// The least allowance for starting up.
const START_FLOOR: Duration = Duration::from_secs(30);
/// What a prediction, or a first step, may take beyond the baseline's, besides a share of the budget: a
/// cold start.
const COLD: Duration = Duration::from_secs(5);

/// When a run is asked to end, and how long it then has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the trainer's start to TERM.
    pub deadline: Duration,
    /// From TERM to KILL.
    pub grace: Duration,
}

/// The limits of a training run: the budget and an allowance of 1.5 times what the baseline needed to
/// start, at least 30 s, and no less than an honest run may take (`longest`); but everything, grace
/// included, is over at twice the budget. A grace of more than half the budget is cut to that.
pub fn train_limits(
    budget: Duration,
    (start, longest): (Option<Duration>, Option<Duration>),
    grace: Duration,
) -> Limits {
    let grace = grace.min(budget / 2);
    let cap = budget * 2 - grace;
    let deadline = match start {
        None => cap,
        Some(start) => {
            let allowed = budget + start.mul_f64(1.5).max(START_FLOOR);
            cap.min(allowed.max(longest.unwrap_or_default()))
        }
    };
    Limits { deadline, grace }
}

/// When a prediction is asked to end: at the task's limit, or earlier at three times what the baseline's
/// took, or at 5 s and a tenth of the budget beyond that, whichever of the two is later. A larger model
/// predicts more slowly, and fairly so; one that goes on learning while it predicts does not get far.
pub fn predict_deadline(task: Duration, baseline: Option<Duration>, budget: Duration) -> Duration {
    bound(task, baseline, budget / 10)
}

/// The same of the first step, with 3 % of the budget: nothing that it learns is to be worth much.
pub fn smoke_deadline(task: Duration, baseline: Option<Duration>, budget: Duration) -> Duration {
    bound(task, baseline, budget * 3 / 100)
}

fn bound(task: Duration, baseline: Option<Duration>, share: Duration) -> Duration {
    let Some(baseline) = baseline else { return task };
    task.min(baseline.saturating_mul(3).max(baseline + COLD + share))
}

/// What is said of a prediction that was ended earlier than at the task's limit.
pub fn overlong(deadline: Duration) -> String {
    format!(
        "prediction took longer than {:.1} s, which is 3 times the baseline's or 5 s and a tenth of the \
         budget beyond it",
        deadline.as_secs_f64()
    )
}

/// The same of a first step.
pub fn overlong_step(deadline: Duration) -> String {
    format!(
        "the first step took longer than {:.1} s, which is 3 times the baseline's or 5 s and 3 % of the \
         budget beyond it",
        deadline.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_follows_the_baseline_within_its_bounds() {
        let s = Duration::from_secs;
        for (budget, start, longest, grace, deadline, given) in [
            (600, Some(4), None, 10, 630, 10),
            (600, Some(4), Some(627), 10, 630, 10),
            // The baseline took long to close.
            (600, Some(4), Some(680), 10, 680, 10),
            (600, Some(4), Some(1300), 10, 1190, 10),
            (600, Some(40), None, 10, 660, 10),
            (600, Some(4000), None, 10, 1190, 10),
            (20, Some(1), None, 10, 30, 10),
            (600, None, Some(700), 10, 1190, 10),
            (2, None, None, 10, 3, 1),
        ] {
            let limits = train_limits(s(budget), (start.map(s), longest.map(s)), s(grace));
            assert_eq!(limits, Limits { deadline: s(deadline), grace: s(given) });
            assert!(limits.deadline + limits.grace <= s(2 * budget));
        }
    }

    #[test]
    fn a_prediction_may_be_slower_than_the_baselines_but_no_second_training() {
        let s = Duration::from_secs;
        for (task, baseline, budget, deadline) in [
            (600, None, 600, 600),
            // Mostly start-up: what is added counts.
            (600, Some(10), 600, 75),
            (120, Some(2), 20, 9),
            // Mostly work: what is multiplied counts.
            (600, Some(100), 600, 300),
            // The task has the last word.
            (600, Some(300), 600, 600),
            (5, Some(1), 20, 5),
        ] {
            let allowed = predict_deadline(s(task), baseline.map(s), s(budget));
            assert_eq!(allowed, s(deadline), "{task} s, {baseline:?}, {budget} s");
        }
        assert!(overlong(Duration::from_millis(6600)).contains("longer than 6.6 s"));
        for (task, baseline, budget, deadline) in [
            (120, None, 600, 120),
            (120, Some(2), 600, 25),
            (120, Some(20), 600, 60),
            (9, Some(2), 600, 9),
        ] {
            let allowed = smoke_deadline(s(task), baseline.map(s), s(budget));
            assert_eq!(allowed, s(deadline), "{task} s, {baseline:?}, {budget} s");
        }
        assert!(overlong_step(Duration::from_millis(6600)).contains("longer than 6.6 s"));
    }
}
