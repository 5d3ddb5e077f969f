//! The phase clock: where the time of one experiment goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::experiment::Phase;

/// Exactly one phase runs at any moment, so the parts add up to the whole.
#[derive(Debug)]
pub(super) struct PhaseClock {
    phase: Phase,
    since: Instant,
    seconds: BTreeMap<Phase, f64>,
}

impl PhaseClock {
    pub(super) fn start(phase: Phase, now: Instant) -> Self {
        Self { phase, since: now, seconds: BTreeMap::new() }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        let spent = now.duration_since(self.since);
        *self.seconds.entry(self.phase).or_default() += spent.as_secs_f64();
        self.phase = phase;
        self.since = now;
    }

    /// Moves time from the phase that just ended, when only its report tells that part of it
    /// belonged to another.
    pub(super) fn carve(&mut self, from: Phase, part: Phase, time: Duration) {
        let whole = self.seconds.entry(from).or_default();
        let time = time.as_secs_f64().min(*whole);
        *whole -= time;
        *self.seconds.entry(part).or_default() += time;
    }

    /// The seconds of every phase up to now.
    pub(super) fn so_far(&mut self, now: Instant) -> BTreeMap<Phase, f64> {
        self.enter(self.phase, now);
        self.seconds.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up_to_the_whole() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut clock = PhaseClock::start(Phase::Propose, start);
        clock.enter(Phase::Train, at(2));
        clock.enter(Phase::Score, at(12));
        clock.carve(Phase::Train, Phase::Start, Duration::from_secs(3));
        clock.enter(Phase::Train, at(13));
        let seconds = clock.so_far(at(20));
        assert_eq!(seconds[&Phase::Start], 3.0);
        assert_eq!(seconds[&Phase::Train], 14.0);
        assert_eq!(seconds.values().sum::<f64>(), 20.0);
    }
}
