//! The budget clock: it starts at the first step, and the loop asks it once per batch.

use std::time::Duration;

/// Reads a monotonic time since some fixed moment.
pub type Now = Box<dyn Fn() -> Duration>;

/// A clock that has not started: model, data and optimiser are being made.
pub struct BudgetClock {
    budget: Duration,
    now: Now,
}

impl BudgetClock {
    /// A clock for `budget` that reads `now`.
    pub fn new(budget: Duration, now: Now) -> Self {
        Self { budget, now }
    }

    /// Starts the budget, of which so much is spent already.
    pub fn start(self, spent: Duration) -> RunningClock {
        let started = (self.now)();
        RunningClock { clock: self, started, spent }
    }
}

/// A budget that is being used up.
pub struct RunningClock {
    clock: BudgetClock,
    started: Duration,
    /// Of the budget, before the start.
    spent: Duration,
}

impl RunningClock {
    /// Time of the budget that is spent.
    pub fn elapsed(&self) -> Duration {
        self.spent + (self.clock.now)().saturating_sub(self.started)
    }

    /// The whole budget.
    pub fn budget(&self) -> Duration {
        self.clock.budget
    }

    /// The fraction of the budget that is used, in 0..=1.
    pub fn progress(&self) -> f64 {
        if self.clock.budget.is_zero() {
            return 1.0;
        }
        (self.elapsed().as_secs_f64() / self.clock.budget.as_secs_f64()).min(1.0)
    }

    /// Whether the budget is used up.
    pub fn is_over(&self) -> bool {
        self.elapsed() >= self.clock.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    fn clock(budget_s: u64) -> (Rc<Cell<u64>>, BudgetClock) {
        let seconds = Rc::new(Cell::new(100));
        let read = Rc::clone(&seconds);
        let now = Box::new(move || Duration::from_secs(read.get()));
        (seconds, BudgetClock::new(Duration::from_secs(budget_s), now))
    }

    #[test]
    fn what_passes_before_the_start_is_free() {
        let (seconds, clock) = clock(10);
        seconds.set(150);
        let clock = clock.start(Duration::ZERO);
        assert_eq!(clock.elapsed(), Duration::ZERO);
        seconds.set(155);
        assert_eq!((clock.progress(), clock.is_over()), (0.5, false));
        seconds.set(160);
        assert_eq!((clock.progress(), clock.is_over()), (1.0, true));
        seconds.set(999);
        assert_eq!(clock.progress(), 1.0);
    }

    #[test]
    fn what_was_spent_before_counts() {
        let (seconds, clock) = clock(10);
        let clock = clock.start(Duration::from_secs(4));
        seconds.set(101);
        assert_eq!((clock.elapsed().as_secs(), clock.progress()), (5, 0.5));
    }

    #[test]
    fn a_budget_of_nothing_is_over_at_once() {
        let clock = clock(0).1.start(Duration::ZERO);
        assert_eq!((clock.progress(), clock.is_over()), (1.0, true));
    }
}
