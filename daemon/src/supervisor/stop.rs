//! Signals become a stop level that only rises.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::experiment::StopLevel;

/// Listens from now on: Ctrl-C once finishes the experiment in hand, twice abandons it, three
/// times stops at once; TERM counts as the second. HUP, a vanished terminal, is no reason to stop.
///
/// # Errors
/// The handlers cannot be installed.
pub fn listen() -> io::Result<watch::Receiver<StopLevel>> {
    let (sender, receiver) = watch::channel(StopLevel::Continue);
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = signals.map(signal);
    let mut signals = Signals { interrupt: interrupt?, terminate: terminate?, hangup: hangup? };
    tokio::spawn(async move {
        loop {
            let heard = signals.next().await;
            let level = raised(*sender.borrow(), heard);
            if level > *sender.borrow() {
                announce(level);
                sender.send_replace(level);
            }
        }
    });
    Ok(receiver)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Interrupt,
    Terminate,
    Hangup,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::Interrupt,
            _ = self.terminate.recv() => Heard::Terminate,
            _ = self.hangup.recv() => Heard::Hangup,
        }
    }
}

fn raised(level: StopLevel, heard: Heard) -> StopLevel {
    match (heard, level) {
        (Heard::Hangup, level) => level,
        (Heard::Interrupt, StopLevel::Continue) => StopLevel::AfterExperiment,
        (Heard::Interrupt, StopLevel::AfterExperiment)
        | (Heard::Terminate, StopLevel::Continue | StopLevel::AfterExperiment) => {
            StopLevel::AbandonRun
        }
        (_, StopLevel::AbandonRun | StopLevel::Now) => StopLevel::Now,
    }
}

fn announce(level: StopLevel) {
    match level {
        StopLevel::Continue => {}
        StopLevel::AfterExperiment => {
            info!("stopping after the experiment in hand (Ctrl-C again abandons it)");
        }
        StopLevel::AbandonRun => warn!("abandoning the run in hand (Ctrl-C again stops at once)"),
        StopLevel::Now => warn!("stopping now"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StopLevel::{AbandonRun, AfterExperiment, Continue, Now};

    #[test]
    fn each_signal_raises_the_level() {
        for (level, heard, expected) in [
            (Continue, Heard::Interrupt, AfterExperiment),
            (AfterExperiment, Heard::Interrupt, AbandonRun),
            (AbandonRun, Heard::Interrupt, Now),
            (Continue, Heard::Terminate, AbandonRun),
            (AfterExperiment, Heard::Terminate, AbandonRun),
            (AbandonRun, Heard::Terminate, Now),
            (Now, Heard::Interrupt, Now),
        ] {
            assert_eq!(raised(level, heard), expected);
        }
    }

    #[test]
    fn a_vanished_terminal_changes_nothing() {
        for level in [Continue, AfterExperiment, AbandonRun, Now] {
            assert_eq!(raised(level, Heard::Hangup), level);
        }
    }
}
