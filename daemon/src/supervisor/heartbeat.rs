//! Says every few seconds that the daemon lives and what it does.

use std::mem;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::clock;
use crate::experiment::Phase;
use crate::ledger::Ledger;
use crate::session::Heartbeat;

/// Time between beats when nothing changes.
const INTERVAL: Duration = Duration::from_secs(5);

/// The sender's side; the beats end when it is dropped.
pub(super) struct Pulse {
    sender: Option<watch::Sender<Doing>>,
    born: Instant,
    beats: Option<JoinHandle<()>>,
}

#[derive(Clone, Default)]
struct Doing {
    /// Experiment, phase, and since when.
    phase: Option<(u32, Phase, Instant)>,
    paused: Option<String>,
    /// When the endpoint may be asked again.
    asks_at: Option<Instant>,
}

impl Pulse {
    /// Of a daemon that was born then. It does not beat yet.
    pub(super) fn new(born: Instant) -> Self {
        Self { sender: Some(watch::Sender::default()), born, beats: None }
    }

    /// Begins to beat, once the last sign of an earlier life is counted: the first beat replaces it.
    pub(super) fn begin(&mut self, ledger: &Ledger, session: i64) {
        let Some(sender) = self.sender.as_ref().filter(|_| self.beats.is_none()) else { return };
        let (ledger, born, mut receiver) = (ledger.clone(), self.born, sender.subscribe());
        self.beats = Some(tokio::spawn(async move {
            let (host, boot_id) = (kernel("hostname"), kernel("random/boot_id"));
            let mut trouble = Trouble::default();
            loop {
                let Doing { phase, paused, asks_at } = receiver.borrow_and_update().clone();
                let (now, at_ms) = (clock::now(), clock::wall_ms());
                let since = phase.map_or(born, |(_, _, since)| since);
                let beat = Heartbeat {
                    pid: std::process::id(),
                    host: host.clone(),
                    boot_id: boot_id.clone(),
                    phase: phase.map(|(_, phase, _)| phase),
                    phase_since_ms: at_ms.saturating_sub(ms(now.duration_since(since))),
                    experiment: phase.map(|(experiment, _, _)| experiment),
                    paused,
                    asks_at_ms: asks_at
                        .map(|at| at_ms.saturating_add(ms(at.saturating_duration_since(now)))),
                    lived_s: now.duration_since(born).as_secs_f64(),
                    at_ms,
                };
                let beaten = ledger.beat(session, &beat).await;
                if trouble.changes(beaten.is_err()) {
                    match beaten {
                        Err(error) => warn!(%error, "heartbeats are not written"),
                        Ok(()) => info!("heartbeats are written again"),
                    }
                }
                if matches!(timeout(INTERVAL, receiver.changed()).await, Ok(Err(_))) {
                    return;
                }
            }
        }));
    }

    pub(super) fn set(&self, experiment: u32, phase: Phase) {
        if let Some(sender) = &self.sender {
            let since = clock::now();
            sender.send_modify(|doing| doing.phase = Some((experiment, phase, since)));
        }
    }

    /// Says what the loop waits for, or that it goes on.
    pub(super) fn pause(&self, paused: Option<String>) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|doing| doing.paused = paused);
        }
    }

    /// Says how long the endpoint has to be waited for; not at all, once it answers again.
    pub(super) fn postpone(&self, wait: Duration) {
        if let Some(sender) = &self.sender {
            let at = (!wait.is_zero()).then(|| clock::now().checked_add(wait)).flatten();
            sender.send_modify(|doing| doing.asks_at = at);
        }
    }

    /// The last beat says that nothing is in hand, and how long the endpoint has to be waited for.
    pub(super) async fn end(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.send_modify(|doing| {
                *doing = Doing { asks_at: doing.asks_at, ..Doing::default() };
            });
        }
        if let Some(beats) = self.beats.take() {
            let _ = timeout(INTERVAL, beats).await;
        }
    }
}

/// A time in whole milliseconds.
fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Whether beats fail. Only a change is told: a disk that is full all day is not filled further with
/// lines that say so.
#[derive(Default)]
struct Trouble {
    is_there: bool,
}

impl Trouble {
    fn changes(&mut self, is_there: bool) -> bool {
        mem::replace(&mut self.is_there, is_there) != is_there
    }
}

/// A fact that the kernel tells as a file; empty where it does not.
fn kernel(name: &str) -> String {
    let told = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    told.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_that_fail_are_told_once_and_once_that_they_work_again() {
        let mut trouble = Trouble::default();
        let told =
            [false, true, true, true, false, false, true].map(|fails| trouble.changes(fails));
        assert_eq!(told, [false, true, false, false, true, false, true]);
    }
}
