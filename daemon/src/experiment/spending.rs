//! Budgets of a session: what may be spent, what was spent, and which cap is reached.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::History;

const BYTES_PER_GIB: f64 = (1u64 << 30) as f64;

/// The most that a session may spend; what is not named has no cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    /// US dollars for the model.
    pub usd: Option<f64>,
    /// Tokens sent and received.
    pub tokens: Option<u64>,
    /// Time on the device.
    pub device: Option<Duration>,
    /// Time that daemons of the session lived.
    pub lived: Option<Duration>,
    /// Bytes of the session's files.
    pub disk_bytes: Option<u64>,
}

/// What a session has spent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// US dollars for the model.
    pub usd: f64,
    /// Tokens sent and received.
    pub tokens: u64,
    /// Time on the device.
    pub device: Duration,
    /// Time that daemons of the session lived.
    pub lived: Duration,
    /// Bytes of the session's files.
    pub disk_bytes: u64,
}

/// A cap that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cap {
    /// US dollars.
    Usd,
    /// Tokens.
    Tokens,
    /// Time on the device.
    Device,
    /// Time alive.
    Lived,
    /// Bytes on disk.
    Disk,
}

impl Cap {
    /// The flag that raises it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Usd => "--max-usd",
            Self::Tokens => "--max-tokens",
            Self::Device => "--max-gpu-hours",
            Self::Lived => "--max-hours",
            Self::Disk => "--max-disk-gib",
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usd => "US dollars",
            Self::Tokens => "tokens",
            Self::Device => "GPU-hours",
            Self::Lived => "hours",
            Self::Disk => "bytes on disk",
        })
    }
}

impl Spent {
    /// What the ledger knows, with this life's time and the bytes on disk.
    pub fn new(history: &History, lives: Duration, disk_bytes: u64) -> Self {
        let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
        Self {
            usd: history.cost_usd,
            tokens: history.usage.prompt_tokens + history.usage.completion_tokens,
            device: seconds(history.device_s),
            lived: seconds(history.lived_s) + lives,
            disk_bytes,
        }
    }
}

impl Caps {
    /// These, and of those that are not named the others'.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            usd: self.usd.or(others.usd),
            tokens: self.tokens.or(others.tokens),
            device: self.device.or(others.device),
            lived: self.lived.or(others.lived),
            disk_bytes: self.disk_bytes.or(others.disk_bytes),
        }
    }

    /// The cap that keeps anything from being built or trained, if one does: whatever was paid for the
    /// answer is kept until it is raised.
    pub fn closed_to_runs(self, spent: Spent) -> Option<Cap> {
        self.reached(spent).find(|cap| matches!(cap, Cap::Device | Cap::Lived | Cap::Disk))
    }

    /// What of each cap may still be spent, for people and proposers.
    pub fn left(self, spent: Spent) -> impl Iterator<Item = String> {
        let hours = |cap: Option<Duration>, spent: Duration| {
            cap.map(|cap| cap.saturating_sub(spent).as_secs_f64() / 3600.0)
        };
        let gib = |bytes: u64| bytes as f64 / BYTES_PER_GIB;
        [
            self.usd.map(|cap| format!("{:.2} US dollars", (cap - spent.usd).max(0.0))),
            self.tokens.map(|cap| format!("{} tokens", cap.saturating_sub(spent.tokens))),
            hours(self.device, spent.device).map(|hours| format!("{hours:.1} GPU-hours")),
            hours(self.lived, spent.lived).map(|hours| format!("{hours:.1} hours")),
            self.disk_bytes
                .map(|cap| format!("{:.1} GiB on disk", gib(cap.saturating_sub(spent.disk_bytes)))),
        ]
        .into_iter()
        .flatten()
    }

    /// The caps that are reached, so that nothing more of their kind may be spent.
    pub fn reached(self, spent: Spent) -> impl Iterator<Item = Cap> {
        [
            (self.usd.is_some_and(|cap| spent.usd >= cap), Cap::Usd),
            (self.tokens.is_some_and(|cap| spent.tokens >= cap), Cap::Tokens),
            (self.device.is_some_and(|cap| spent.device >= cap), Cap::Device),
            (self.lived.is_some_and(|cap| spent.lived >= cap), Cap::Lived),
            (self.disk_bytes.is_some_and(|cap| spent.disk_bytes >= cap), Cap::Disk),
        ]
        .into_iter()
        .filter_map(|(is_reached, cap)| is_reached.then_some(cap))
    }
}

impl fmt::Display for Caps {
    /// As the flags that say the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = |cap: Option<Duration>| cap.map(|cap| cap.as_secs_f64() / 3600.0);
        let gib = self.disk_bytes.map(|bytes| bytes as f64 / BYTES_PER_GIB);
        let named = [
            (Cap::Usd, self.usd),
            (Cap::Tokens, self.tokens.map(|tokens| tokens as f64)),
            (Cap::Device, hours(self.device)),
            (Cap::Lived, hours(self.lived)),
            (Cap::Disk, gib),
        ];
        let told =
            named.iter().filter_map(|(cap, most)| Some(format!("{} {}", cap.flag(), (*most)?)));
        let told: Vec<_> = told.collect();
        f.write_str(if told.is_empty() { "without a cap" } else { "" })?;
        f.write_str(&told.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_that_are_not_named_are_the_earlier_ones_and_are_told_as_flags() {
        let earlier = Caps { usd: Some(2.5), tokens: Some(100), ..Caps::default() };
        let hours = Some(Duration::from_secs(5400));
        let named = Caps { tokens: Some(200), device: hours, ..Caps::default() };
        let both = named.or(earlier);
        assert_eq!(both, Caps { usd: Some(2.5), ..named });
        assert_eq!(both.to_string(), "--max-usd 2.5 --max-tokens 200 --max-gpu-hours 1.5");
        assert_eq!(Caps::default().to_string(), "without a cap");
    }

    #[test]
    fn a_cap_is_reached_by_its_own_spending_alone() {
        let hour = Duration::from_secs(3600);
        let caps = Caps {
            usd: Some(5.0),
            tokens: Some(100),
            device: Some(hour),
            lived: Some(hour),
            disk_bytes: Some(1 << 30),
        };
        let below = Spent {
            usd: 4.99,
            tokens: 99,
            device: hour - Duration::from_secs(1),
            lived: hour / 2,
            disk_bytes: 1 << 29,
        };
        assert_eq!(caps.reached(below).count(), 0);
        let left: Vec<_> = caps.left(below).collect();
        let expected =
            ["0.01 US dollars", "1 tokens", "0.0 GPU-hours", "0.5 hours", "0.5 GiB on disk"];
        assert_eq!(left, expected);
        assert_eq!(Caps::default().left(below).count(), 0);
        for (spent, cap) in [
            (Spent { usd: 5.0, ..below }, Cap::Usd),
            (Spent { tokens: 100, ..below }, Cap::Tokens),
            (Spent { device: hour, ..below }, Cap::Device),
            (Spent { lived: hour, ..below }, Cap::Lived),
            (Spent { disk_bytes: 1 << 30, ..below }, Cap::Disk),
        ] {
            assert_eq!(caps.reached(spent).collect::<Vec<_>>(), [cap]);
            assert_eq!(Caps::default().reached(spent).count(), 0);
        }
    }
}
