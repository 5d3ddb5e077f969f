//! Learning rate schedules: linear warm-up by steps, then a shape over the time budget.

use crate::recipe::Progress;

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Stays at the peak (dfresearch's).
    Constant,
    /// Falls to zero along half a cosine, reaching it when the budget is used up.
    Cosine,
}

impl Schedule {
    /// Fraction of the peak rate, in 0..=1: `(step + 1) / warmup_steps` at first.
    pub fn factor(self, progress: Progress, warmup_steps: u64) -> f64 {
        let warmup = (progress.step + 1) as f64 / warmup_steps.max(1) as f64;
        let decay = match self {
            Self::Constant => 1.0,
            Self::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress.budget).cos()),
        };
        warmup.min(1.0) * decay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warms_up_by_steps_and_decays_by_budget() {
        let check = |schedule: Schedule, (step, budget), expected: f64| {
            let found = schedule.factor(Progress { step, budget }, 4);
            assert!((found - expected).abs() < 1e-12, "{schedule:?} {step} {budget}: {found}");
        };
        check(Schedule::Constant, (0, 0.0), 0.25);
        check(Schedule::Constant, (3, 0.0), 1.0);
        check(Schedule::Constant, (900, 1.0), 1.0);
        check(Schedule::Cosine, (1, 0.0), 0.5);
        check(Schedule::Cosine, (900, 0.5), 0.5);
        check(Schedule::Cosine, (900, 1.0), 0.0);
    }

    #[test]
    fn no_warm_up_starts_at_the_peak() {
        let first = Progress { step: 0, budget: 0.0 };
        assert_eq!(Schedule::Constant.factor(first, 0), 1.0);
    }
}
