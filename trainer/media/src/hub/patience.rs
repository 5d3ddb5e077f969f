//! How long to wait before asking again. Pure.

use std::time::Duration;

/// A wait that is asked for and longer than this is not waited: the data set is left for later.
const LONGEST: Duration = Duration::from_secs(90);

/// Bounds of asking again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Requests without any progress between them.
    pub tries: u32,
    /// First wait, doubled each time.
    pub first: Duration,
    /// Longest wait of our own.
    pub most: Duration,
}

/// What is asked of a file: a hub that fails for some seconds is waited for.
pub const USUAL: Patience =
    Patience { tries: 5, first: Duration::from_millis(500), most: Duration::from_secs(30) };

/// What is asked of a configuration: a copy is there, or a person waits.
pub const SHORT: Patience =
    Patience { tries: 2, first: Duration::from_millis(500), most: Duration::from_secs(1) };

impl Patience {
    /// Wait after `failures` failures in a row (from 1), at least what the server asks for; `None`
    /// when it is no use. `draw` in 0..1 spreads clients that failed together.
    pub fn wait(&self, failures: u32, asked: Option<Duration>, draw: f64) -> Option<Duration> {
        if failures >= self.tries || asked.is_some_and(|asked| asked > LONGEST) {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << (failures - 1).min(16)).min(self.most);
        let own = doubled.mul_f64(0.5 + draw / 2.0);
        // The draw goes on top of what is asked: all who were refused are told the same.
        Some(asked.map_or(own, |asked| asked + own / 2))
    }
}

/// A `Retry-After` in seconds. A date, which the hub never sends, is no number and reads as none.
pub fn retry_after(header: &str) -> Option<Duration> {
    header.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_never_undercut_what_is_asked() {
        let wait = |failures, asked: Option<u64>, draw| {
            USUAL.wait(failures, asked.map(Duration::from_secs), draw).map(|w| w.as_millis())
        };
        assert_eq!([1, 2, 3, 4].map(|n| wait(n, None, 1.0)), [500, 1000, 2000, 4000].map(Some));
        assert_eq!(wait(1, None, 0.0), Some(250));
        assert_eq!(wait(5, None, 0.0), None, "tries are bounded");
        assert!(wait(1, Some(7), 0.0) >= Some(7000));
        assert_eq!(wait(1, Some(3600), 0.5), None, "an hour is not waited for");
        let patient = Patience { tries: 100, ..USUAL };
        assert_eq!(patient.wait(50, None, 1.0), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_header_that_is_no_number_asks_for_nothing() {
        assert_eq!(retry_after(" 12 "), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("soon"), None);
    }
}
