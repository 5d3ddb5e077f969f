//! A session as data: what the ledger keeps of it besides the entries, and what reports tell.

use std::path::PathBuf;
use std::time::Duration;

use dfr_contract::modality::Modality;
use serde::{Deserialize, Serialize};

use crate::experiment::{Entry, Phase};
use crate::task::{Task, TaskError};

/// A heartbeat older than this is no sign of life.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);

/// What is decided when a session begins, and never changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewSession {
    /// Tag of the branch `autoresearch/<tag>`.
    pub tag: String,
    /// Name of the task.
    pub task: String,
    /// Kind of media.
    pub modality: Modality,
    /// Full object id of the commit that the branch began at.
    pub base_commit: String,
    /// Content hash of the pack that every experiment is scored on.
    pub pack_hash: String,
    /// The user's repository.
    pub repository: PathBuf,
    /// The settings that were in force, for people.
    pub settings: serde_json::Value,
    /// Wall time of the beginning, milliseconds since 1970.
    pub created_at_ms: i64,
}

impl NewSession {
    /// The task as it was when the session began.
    ///
    /// # Errors
    /// The ledger does not hold it, or it cannot be read any more.
    pub fn recorded_task(&self) -> Result<Task, TaskError> {
        Task::parse(&self.task, self.settings["task_text"].as_str().unwrap_or_default())
    }
}

/// One tag on one branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Key in the ledger.
    pub id: i64,
    /// What was decided when it began.
    pub begun: NewSession,
}

/// An entry as it stands in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Key in the ledger; grows with time.
    pub id: i64,
    /// Number of the experiment.
    pub experiment: u32,
    /// Wall time, milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub entry: Entry,
}

/// The last sign of life of a session's daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Process id of the daemon.
    pub pid: u32,
    /// Name of its machine.
    pub host: String,
    /// The machine's boot, so that a pid of an earlier boot is not believed.
    pub boot_id: String,
    /// The phase in hand; none between experiments.
    pub phase: Option<Phase>,
    /// When the phase (or the wait) began, milliseconds since 1970: `at_ms` less the time since then
    /// on the monotonic clock.
    pub phase_since_ms: i64,
    /// The experiment in hand.
    pub experiment: Option<u32>,
    /// What the loop waits for, if it waits.
    pub paused: Option<String>,
    /// When the endpoint may be asked again, where it has to be waited for, milliseconds since 1970.
    pub asks_at_ms: Option<i64>,
    /// How long this daemon has lived, in seconds on the monotonic clock.
    pub lived_s: f64,
    /// Wall time of this sign, milliseconds since 1970.
    pub at_ms: i64,
}

impl Heartbeat {
    /// How long the endpoint has still to be waited for, whatever became of the wall clock since: at most
    /// as long as it was at this sign.
    pub fn postponed(&self, now_ms: i64) -> Duration {
        let Some(asks_at_ms) = self.asks_at_ms else { return Duration::ZERO };
        since(now_ms, asks_at_ms).min(since(self.at_ms, asks_at_ms))
    }

    /// How long the phase had taken at this sign, in seconds, whatever became of the wall clock: both
    /// times are of one reading of it. What an earlier version wrote is at most the daemon's life.
    pub fn phase_s(&self) -> f64 {
        let ms = self.at_ms.saturating_sub(self.phase_since_ms).max(0);
        (ms as f64 / 1000.0).min(self.lived_s)
    }
}

/// Whether a session's daemon is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It holds the lock and gave a sign lately.
    Alive,
    /// It holds the lock but gave no sign lately: hung, suspended, or just starting.
    Silent,
    /// Nobody holds the lock.
    Dead,
}

impl Life {
    /// Judged by the session's lock, which the operating system frees with the daemon, and by the
    /// age of the last heartbeat.
    pub fn judge(lock: Lock, heartbeat: Option<&Heartbeat>, now_ms: i64) -> Self {
        let fresh = |h: &Heartbeat| since(h.at_ms, now_ms) <= SILENT_AFTER;
        match lock {
            Lock::Free => Self::Dead,
            Lock::Held(_) if heartbeat.is_some_and(fresh) => Self::Alive,
            Lock::Held(_) => Self::Silent,
        }
    }

    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Silent => "silent",
            Self::Dead => "dead",
        }
    }
}

/// Whether a daemon holds a session's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The process of this number does.
    Held(i32),
    /// Nobody does.
    Free,
}

/// The time from one wall time to a later one; zero when the clock was set back between them.
pub fn since(earlier_ms: i64, later_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(later_ms.saturating_sub(earlier_ms)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_of_an_earlier_version_is_read() {
        let read = |text: &str| serde_json::from_str::<Entry>(text).unwrap();
        let began = read(r#"{"entry":"began","phase":"propose"}"#);
        assert_eq!(began, Entry::Began { phase: Phase::Propose, sealed: None, stake: None });
        let resumed = read(r#"{"entry":"resumed","lived_s":5.0}"#);
        assert_eq!(resumed, Entry::Resumed { lived_s: 5.0, device_s: 0.0, sign_ms: None });
    }

    /// A sign of life at this time.
    fn beat(at_ms: i64) -> Heartbeat {
        Heartbeat {
            pid: 1,
            host: "h".into(),
            boot_id: "b".into(),
            phase: None,
            phase_since_ms: 0,
            experiment: None,
            paused: None,
            asks_at_ms: None,
            lived_s: 0.0,
            at_ms,
        }
    }

    #[test]
    fn an_endpoint_is_waited_for_no_longer_than_it_asked() {
        let beat = Heartbeat { asks_at_ms: Some(70_000), ..beat(10_000) };
        // In time, late, and on a clock that was set back.
        for (now_ms, left_s) in [(30_000, 40), (90_000, 0), (0, 60)] {
            assert_eq!(beat.postponed(now_ms), Duration::from_secs(left_s));
        }
    }

    #[test]
    fn life_needs_the_lock_and_a_fresh_heartbeat() {
        let cases = [
            (Lock::Held(42), Some(beat(70_000)), Life::Alive),
            (Lock::Held(42), Some(beat(69_999)), Life::Silent),
            (Lock::Held(42), Some(beat(200_000)), Life::Alive),
            (Lock::Held(42), None, Life::Silent),
            (Lock::Free, Some(beat(100_000)), Life::Dead),
            (Lock::Free, None, Life::Dead),
        ];
        for (lock, heartbeat, life) in cases {
            assert_eq!(Life::judge(lock, heartbeat.as_ref(), 100_000), life, "{lock:?}");
        }
    }
}
