//! What stands between a proposer and a call: the caps. And who hears what it waits for.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::heartbeat::Pulse;
use crate::clock;
use crate::experiment::{Cap, Caps, History, Pause, Spent, Usage};
use crate::notebook::Notebook;
use crate::price::Price;
use crate::proposer::{Gate, Notice};
use crate::service::Service;

/// What the session may spend, and what it has spent now.
pub(super) struct Purse<'a> {
    pub(super) caps: Caps,
    pub(super) history: &'a History,
    pub(super) notebook: &'a Notebook,
    /// When this life began.
    pub(super) born: Instant,
}

impl Purse<'_> {
    pub(super) fn spent(&self) -> Spent {
        let lives = clock::now().duration_since(self.born);
        let disk_bytes = self.caps.disk_bytes.map_or(0, |_| self.notebook.size_bytes());
        Spent::new(self.history, lives, disk_bytes)
    }
}

/// One question's gate.
pub(super) struct CallGate<'a> {
    purse: Purse<'a>,
    price: Option<Price>,
    /// Who hears of a wait.
    pulse: &'a Pulse,
    service: &'a Service,
    /// Since when the endpoint is waited for.
    since: Option<Instant>,
    why: String,
}

impl<'a> CallGate<'a> {
    pub(super) fn new(
        (purse, price): (Purse<'a>, Option<Price>),
        pulse: &'a Pulse,
        service: &'a Service,
    ) -> Self {
        Self { purse, price, pulse, service, since: None, why: String::new() }
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

    fn may_call(&mut self, untold: Usage) -> Result<(), Cap> {
        let mut spent = self.purse.spent();
        spent.tokens += untold.prompt_tokens + untold.completion_tokens;
        spent.usd += self.price.map_or(0.0, |price| price.cost_usd(untold));
        self.purse.caps.reached(spent).next().map_or(Ok(()), Err)
    }

    fn open_for(&self) -> Duration {
        let left = |cap: Duration| cap.saturating_sub(self.purse.spent().lived);
        self.purse.caps.lived.map_or(Duration::MAX, left)
    }

    fn hear(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Waits { wait, .. } | Notice::FallsBack { wait, .. } => {
                self.pulse.postpone(*wait);
            }
            Notice::Recovers => self.pulse.postpone(Duration::ZERO),
            Notice::FallbackFails { .. } | Notice::Shrinks { .. } => {}
        }
        match notice {
            Notice::Waits { cause, goes_on: true, .. } => self.waits(cause),
            Notice::Waits { cause, wait, is_alert: true, .. } => {
                error!(cause, wait_s = wait.as_secs(), "paused: somebody has to mend this");
                self.waits(cause);
            }
            Notice::Waits { cause, wait, is_alert: false, .. } => {
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
