//! What must hold of every night: its events are replayed against the rules as they are specified.

use std::collections::BTreeMap;
use std::time::Duration;

use dfr_daemon::experiment::Usage;
use tokio::time::Instant;

use crate::endpoint::{Call, FAULTS, Fault};
use crate::night::{Event, Night, tokens};

/// Everything that is wrong with a night.
pub fn violations(night: &Night) -> Vec<String> {
    let mut replay = Replay::new(night);
    for (at, event) in &night.events {
        replay.see(*at, event);
    }
    replay.told(night.abandoned, false);
    let owed = replay.owed;
    replay.demand(owed == Usage::default(), "a cost that was never told");
    replay.wrong
}

struct Replay<'a> {
    night: &'a Night,
    wrong: Vec<String>,
    /// What is replayed, for messages.
    now: String,
    /// Bytes of a question that was not shrunk.
    whole: usize,
    is_small: bool,
    /// A question with tools was answered.
    has_tools: bool,
    /// Tools were refused.
    is_plain: bool,
    /// The gate let one call through.
    may_call: bool,
    /// Cost that was not told yet, and that was.
    owed: Usage,
    spent: u64,
    /// Some of it for what never came.
    has_loss: bool,
    /// What the gate was told of before it was recorded.
    untold: Usage,
    /// The breaker.
    failures: u32,
    is_open: bool,
    not_before: Option<Instant>,
    /// Of the last failure.
    is_for_people: bool,
    most: Duration,
    must_recover: bool,
}

impl<'a> Replay<'a> {
    fn new(night: &'a Night) -> Self {
        let bytes = |(_, event): &(Instant, Event)| match event {
            Event::Called(call) => Some(call.bytes),
            _ => None,
        };
        Self {
            night,
            wrong: Vec::new(),
            now: String::new(),
            whole: night.events.iter().filter_map(bytes).max().unwrap_or_default(),
            is_small: false,
            has_tools: false,
            is_plain: false,
            may_call: false,
            owed: Usage::default(),
            spent: 0,
            has_loss: false,
            untold: Usage::default(),
            failures: 0,
            is_open: false,
            not_before: None,
            is_for_people: false,
            most: night.policy.most,
            must_recover: false,
        }
    }

    fn demand(&mut self, holds: bool, what: &str) {
        if !holds {
            self.wrong.push(format!("{what}: {}", self.now));
        }
    }

    fn see(&mut self, at: Instant, event: &Event) {
        self.now = format!("{at:?} {event:?}");
        match event {
            Event::Gate { is_open, untold } => {
                self.demand(covers(*untold, self.owed), "the gate was not told of all");
                (self.may_call, self.untold) = (*is_open, *untold);
            }
            Event::Called(call) => self.called(at, call),
            Event::Ended { call, usage, is_dropped } => self.ended(at, call, (*usage, *is_dropped)),
            Event::Waits { wait, is_alert } => self.waits(at, *wait, *is_alert),
            Event::FallsBack => {
                self.demand(self.is_open && self.night.has_fallback, "the breaker is closed");
            }
            Event::Shrinks => self.demand(self.is_small, "shrunk without need"),
            Event::Recovers => {
                self.demand(self.must_recover, "recovered from nothing");
                self.must_recover = false;
            }
            Event::Recorded { proposer, usage, is_answer } => {
                self.recorded(proposer, *usage, *is_answer);
            }
            Event::Capped => {
                let spent = self.spent + tokens(self.untold);
                self.demand(spent >= self.night.cap, "capped too soon");
            }
            Event::Dropped => {}
        }
    }

    fn called(&mut self, at: Instant, call: &Call) {
        self.demand(self.may_call, "the gate was not asked");
        self.may_call = false;
        let spent = self.spent + tokens(self.owed);
        self.demand(spent < self.night.cap, "called when all was spent");
        let is_told = covers(self.untold, self.owed);
        self.demand(is_told, "called before the last cost was told");
        self.demand(self.not_before.is_none_or(|then| at >= then), "called too soon");
        if call.is_probe {
            let is_due = self.is_open && self.night.has_fallback;
            self.demand(is_due, "a probe where nobody else could answer");
        } else {
            self.demand(call.has_tools != self.is_plain, "tools that were refused, or none");
            let is_small = call.bytes < self.whole;
            self.demand(is_small == self.is_small, "a question of the wrong size");
        }
    }

    fn ended(&mut self, at: Instant, call: &Call, (usage, is_dropped): (Usage, bool)) {
        self.owed += usage;
        self.has_loss |= is_dropped || call.fault.is_loss();
        // What is no outage, the question itself finds out.
        if is_dropped || (call.is_probe && !call.fault.ends_a_probe()) {
            return;
        }
        self.has_tools |= call.has_tools && call.fault.is_answer();
        if call.fault.is_answer() || call.fault.is_final(self.is_small) {
            self.must_recover = self.failures > 0;
            (self.failures, self.is_open, self.not_before) = (0, false, None);
            self.is_small = false;
        } else if call.fault == Fault::TooLong {
            self.is_small = true;
        } else if self.refuses_tools(call) {
            self.is_plain = true;
            self.failed(at, call, (false, Duration::ZERO));
        } else {
            let policy = &self.night.policy;
            let doubled = policy.first.saturating_mul(1 << self.failures.min(20));
            self.failed(at, call, (call.fault.is_for_people(), doubled.min(policy.most)));
        }
    }

    /// Until tools were taken once, a refusal without a reason is one of tools.
    fn refuses_tools(&self, call: &Call) -> bool {
        let is_unexplained = matches!(call.status, Some(400 | 404 | 422 | 500))
            && !(self.has_tools || call.fault.has_other_reason());
        call.has_tools && (call.fault == Fault::ToolsRefused || is_unexplained)
    }

    fn failed(&mut self, at: Instant, call: &Call, (is_for_people, backoff): (bool, Duration)) {
        let policy = &self.night.policy;
        let asked = call.retry_after.unwrap_or_default();
        self.is_for_people = is_for_people;
        self.failures += 1;
        self.is_open |= call.fault == Fault::Silence
            || self.is_for_people
            || asked > policy.most
            || self.failures >= policy.opens_after;
        let least = [
            asked,
            if self.is_for_people { policy.probe } else { Duration::ZERO },
            if self.is_open { policy.cool_down } else { Duration::ZERO },
        ]
        .into_iter()
        .max();
        self.most = least.max(Some(backoff)).unwrap_or_default();
        self.not_before = least.map(|least| at + least);
    }

    fn waits(&mut self, at: Instant, wait: Duration, is_alert: bool) {
        self.demand(self.failures > 0, "nothing had failed");
        self.demand(wait <= self.most, "longer than the cap");
        self.demand(
            self.not_before.is_some_and(|then| at + wait >= then),
            "shorter than asked for",
        );
        self.demand(is_alert == self.is_for_people, "an alert without need, or none in need");
        let has_other = self.is_open && self.night.has_fallback;
        self.demand(!has_other, "the fallback could have answered");
    }

    fn recorded(&mut self, proposer: &str, usage: Usage, is_answer: bool) {
        if proposer == "playbook" {
            self.demand(self.is_open && self.night.has_fallback, "the breaker is closed");
            self.demand(self.may_call, "the gate was not asked");
            (self.may_call, self.is_small) = (false, false);
            return;
        }
        self.told(usage, is_answer);
        self.demand(!(is_answer && self.must_recover), "the recovery was not told");
    }

    /// Of an answer exactly what it cost; of one that never came no less.
    fn told(&mut self, usage: Usage, is_exact: bool) {
        let owed = self.owed;
        self.demand(covers(usage, owed), "told a lower cost than there was");
        let is_known = is_exact && !std::mem::take(&mut self.has_loss);
        self.demand(!is_known || usage == owed, "told another cost than there was");
        self.owed = Usage::default();
        self.spent += tokens(usage);
    }
}

fn covers(told: Usage, owed: Usage) -> bool {
    told.prompt_tokens >= owed.prompt_tokens && told.completion_tokens >= owed.completion_tokens
}

/// What happened in all nights together.
#[derive(Debug, Default)]
pub struct Seen {
    faults: BTreeMap<String, u64>,
    events: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub fn count(&mut self, night: &Night) {
        for (_, event) in &night.events {
            if let Event::Ended { call, .. } = event {
                *self.faults.entry(format!("{:?}", call.fault)).or_default() += 1;
            }
            *self.events.entry(name(event)).or_default() += 1;
        }
    }

    pub fn assert_everything_happened(&self) {
        for fault in FAULTS {
            assert!(self.faults.contains_key(&format!("{fault:?}")), "no {fault:?}: {self:?}");
        }
        for event in EVENTS {
            assert!(self.events.contains_key(event), "no {event}: {self:?}");
        }
    }
}

const EVENTS: [&str; 14] = [
    "abandoned",
    "gate open",
    "gate closed",
    "called",
    "ended",
    "shrinks",
    "waits",
    "alerts",
    "falls back",
    "recovers",
    "answer",
    "loss",
    "capped",
    "dropped",
];

fn name(event: &Event) -> &'static str {
    match event {
        Event::Gate { is_open: true, .. } => "gate open",
        Event::Gate { .. } => "gate closed",
        Event::Waits { is_alert: true, .. } => "alerts",
        Event::Waits { .. } => "waits",
        Event::Called(_) => "called",
        Event::Ended { is_dropped: true, .. } => "abandoned",
        Event::Ended { .. } => "ended",
        Event::Shrinks => "shrinks",
        Event::FallsBack => "falls back",
        Event::Recovers => "recovers",
        Event::Recorded { is_answer: true, .. } => "answer",
        Event::Recorded { .. } => "loss",
        Event::Capped => "capped",
        Event::Dropped => "dropped",
    }
}
