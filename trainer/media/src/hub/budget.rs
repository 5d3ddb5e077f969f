//! How many bytes may be fetched. Pure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes of a whole command, shared out to data sets.
#[derive(Debug)]
pub struct Budget {
    /// Bytes that no purse holds, and data sets that have had none yet.
    state: Mutex<(u64, u64)>,
}

impl Budget {
    /// A budget for so many data sets.
    pub fn new(bytes: u64, shares: usize) -> Self {
        Self { state: Mutex::new((bytes, shares as u64)) }
    }

    /// An equal share of what is left: a small budget reaches every data set, not only the first.
    pub fn share(&self) -> Purse {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = state.0 / state.1.max(1);
        *state = (state.0 - bytes, state.1.saturating_sub(1));
        Purse { left: AtomicU64::new(bytes), spent: AtomicU64::new(0) }
    }

    /// What a data set did not need is for those that come after it.
    pub fn give_back(&self, purse: &Purse) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = state.0.saturating_add(purse.left.swap(0, Ordering::Relaxed));
    }
}

/// Bytes that one data set may fetch.
#[derive(Debug)]
pub struct Purse {
    left: AtomicU64,
    spent: AtomicU64,
}

impl Purse {
    /// A purse without end.
    pub fn unlimited() -> Self {
        Self { left: AtomicU64::new(u64::MAX), spent: AtomicU64::new(0) }
    }

    /// Takes `bytes` out before they are asked for; false when there are not so many.
    #[must_use]
    pub fn reserve(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Of what was reserved, `came` bytes arrived; the rest is put back.
    pub fn settle(&self, reserved: u64, came: u64) {
        self.spent.fetch_add(came, Ordering::Relaxed);
        self.left.fetch_add(reserved.saturating_sub(came), Ordering::Relaxed);
    }

    /// Bytes that arrived.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_equal_and_what_is_left_over_goes_to_later_ones() {
        let budget = Budget::new(90, 3);
        let first = budget.share();
        assert!(first.reserve(30) && !first.reserve(1));
        first.settle(30, 10);
        assert_eq!(first.spent(), 10);
        budget.give_back(&first);
        assert!(!first.reserve(1), "given back is gone");
        let second = budget.share();
        assert!(second.reserve(40) && !second.reserve(1));
        assert!(budget.share().reserve(40));
    }
}
