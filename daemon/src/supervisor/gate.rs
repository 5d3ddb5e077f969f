//! What stands between a proposer and a call: the caps. And who hears what it waits for.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::heartbeat::Pulse;
use crate::clock;
use crate::experiment::{Cap, Caps, Pause, Spent};
use crate::proposer::{Gate, Notice};
use crate::service::Service;

/// One question's gate.
pub(super) struct CallGate<'a> {
    caps: Caps,
    spent: Spent,
    /// Who hears of a wait.
    pulse: &'a Pulse,
    service: &'a Service,
    /// Since when the endpoint is waited for.
    since: Option<Instant>,
    why: String,
}

impl<'a> CallGate<'a> {
    pub(super) fn new(
        (caps, spent): (Caps, Spent),
        pulse: &'a Pulse,
        service: &'a Service,
    ) -> Self {
        Self { caps, spent, pulse, service, since: None, why: String::new() }
    }

    /// How long was waited, and why the last time.
    pub(super) fn finish(self) -> (Duration, String) {
        let Some(since) = self.since else { return (Duration::ZERO, self.why) };
        self.pulse.pause(None);
        (clock::now().duration_since(since), self.why)
    }

    fn waits(&mut self, cause: &str) {
        self.since.get_or_insert_with(clock::now);
        cause.clone_into(&mut self.why);
        let paused = format!("{}: {cause}", Pause::Endpoint);
        self.service.status(&format!("paused: {paused}"));
        self.pulse.pause(Some(paused));
    }
}

impl Gate for CallGate<'_> {
    type Cap = Cap;

    fn may_call(&mut self) -> Result<(), Cap> {
        self.caps.closed_to_calls(self.spent).map_or(Ok(()), Err)
    }

    fn hear(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Waits { cause, wait, is_alert: true } => {
                error!(cause, wait_s = wait.as_secs(), "paused: somebody has to mend this");
                self.waits(cause);
            }
            Notice::Waits { cause, wait, is_alert: false } => {
                warn!(cause, wait_s = wait.as_secs(), "the loop waits and asks again");
                self.waits(cause);
            }
            Notice::FallsBack { cause, wait, is_alert } => {
                warn!(cause, is_alert, wait_s = wait.as_secs(), "the fallback proposes meanwhile");
            }
            Notice::FallbackFails { cause } => warn!(cause, "the fallback has no proposal"),
            Notice::Shrinks { cause } => info!(cause, "the question is asked again, smaller"),
            Notice::Recovers => info!("the endpoint answers again"),
        }
    }
}
