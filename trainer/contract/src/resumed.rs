//! The line with which `dfr-train` says that it goes on where an earlier start was cut short.

use std::fmt;

/// Directory inside a run directory that holds what it goes on from.
pub const DIR: &str = "resume";

/// Where it goes on. Its text is what [`fmt::Display`] prints: `resumed at step 120, after 37.5 s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resumed {
    /// Batches seen.
    pub step: u64,
    /// Seconds of the budget that are spent.
    pub seconds: f64,
}

impl Resumed {
    /// Reads the line; `None` when it is another one.
    pub fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("resumed at step ")?;
        let (step, seconds) = rest.split_once(", after ")?;
        let seconds: f64 = seconds.strip_suffix(" s")?.parse().ok()?;
        let step = step.parse().ok()?;
        (seconds.is_finite() && seconds >= 0.0).then_some(Self { step, seconds })
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resumed at step {}, after {:.1} s", self.step, self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back_and_nothing_else() {
        let resumed = Resumed { step: 120, seconds: 37.5 };
        assert_eq!(Resumed::parse(&resumed.to_string()), Some(resumed));
        for line in ["resumed at step x, after 1 s", "resumed at step 1, after NaN s", "Epoch 1"] {
            assert_eq!(Resumed::parse(line), None, "{line}");
        }
    }
}
