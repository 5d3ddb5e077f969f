use proptest::prelude::*;

use super::*;
use crate::experiment::Usage;

const POLICY: Policy = Policy {
    first: Duration::from_secs(1),
    most: Duration::from_secs(300),
    probe: Duration::from_secs(240),
    opens_after: 3,
    cool_down: Duration::from_secs(60),
    look: Duration::from_secs(60),
};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn overloaded(retry_after: Option<u64>) -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    let (retry_after, usage) = (retry_after.map(s), Usage::default());
    ProposerError::Overloaded { endpoint, reason, retry_after, usage }
}

fn unauthorized() -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    ProposerError::Unauthorized { endpoint, reason, retry_after: None }
}

fn overflow() -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    ProposerError::Overflow { endpoint, reason }
}

fn content_refused() -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    ProposerError::ContentRefused { endpoint, reason }
}

fn refused() -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    ProposerError::Refused { endpoint, reason, retry_after: None }
}

fn spent(retry_after: u64) -> ProposerError {
    let [endpoint, reason] = ["e", "r"].map(str::to_owned);
    ProposerError::SpendLimit { endpoint, reason, retry_after: Some(s(retry_after)) }
}

#[test]
fn every_class_has_its_response() {
    let usage = Usage::default();
    let respond = |error: &ProposerError, size| POLICY.respond(error, size, (0, 0.5));
    let whole = |error: ProposerError| respond(&error, Size::Whole);
    assert_eq!(whole(overloaded(None)), Response::Retry(Duration::from_millis(500)));
    assert_eq!(whole(overloaded(Some(17))), Response::Retry(s(17)));
    assert_eq!(whole(unauthorized()), Response::Probe(s(240)));
    assert_eq!(whole(overflow()), Response::Shrink);
    assert_eq!(respond(&overflow(), Size::Small), Response::Answer);
    assert_eq!(whole(content_refused()), Response::Answer);
    assert_eq!(whole(refused()), Response::Probe(s(240)));
    assert_eq!(whole(spent(7)), Response::Probe(s(240)));
    assert_eq!(whole(spent(3600)), Response::Probe(s(3600)));
    let tools_refused = |error| whole(ProposerError::ToolsRefused(Box::new(error)));
    assert_eq!(tools_refused(refused()), Response::Retry(Duration::ZERO));
    assert_eq!(tools_refused(overloaded(Some(17))), Response::Retry(s(17)));
    assert_eq!(whole(ProposerError::Truncated { usage }), Response::Answer);
    assert_eq!(whole(ProposerError::Empty { usage }), Response::Answer);
    assert_eq!(whole(ProposerError::Exhausted), Response::Fatal);
}

#[test]
fn the_breaker_opens_after_three_failures_and_one_success_closes_it() {
    let mut patience = Patience::new(POLICY);
    let mut now = s(1000);
    for (failure, left) in [(1, s(1)), (2, s(2)), (3, s(60)), (4, s(60))] {
        assert_eq!(patience.turn(now), Turn::Ask);
        let next = patience.failed(&overloaded(None), Size::Whole, (now, 1.0));
        assert_eq!(next, Next::Wait { is_alert: false });
        assert_eq!(patience.turn(now), Turn::Wait { left, is_open: failure >= 3 });
        now += left;
    }
    assert!(patience.succeeded());
    assert_eq!(patience.turn(now), Turn::Ask);
    patience.failed(&overloaded(None), Size::Whole, (now, 1.0));
    assert_eq!(patience.turn(now), Turn::Wait { left: s(1), is_open: false });
}

#[test]
fn a_long_wait_and_a_wrong_key_open_it_at_once() {
    for (error, left) in [(overloaded(Some(301)), s(301)), (unauthorized(), s(240))] {
        let mut patience = Patience::new(POLICY);
        patience.failed(&error, Size::Whole, (s(5), 0.0));
        assert_eq!(patience.turn(s(5)), Turn::Wait { left, is_open: true });
        // Half open: the first failure keeps it open, whatever it is.
        patience.failed(&overloaded(None), Size::Whole, (s(900), 0.0));
        assert_eq!(patience.turn(s(900)), Turn::Wait { left: s(60), is_open: true });
    }
}

#[test]
fn a_wait_of_days_is_kept_and_told_to_somebody() {
    for (least, is_alert) in [(s(24 * 3600), false), (s(10 * 24 * 3600), true), (s(u64::MAX), true)]
    {
        let mut patience = Patience::new(POLICY);
        let next = patience.failed(&overloaded(Some(least.as_secs())), Size::Whole, (s(5), 1.0));
        assert_eq!(next, Next::Wait { is_alert });
        let left = s(5).saturating_add(least) - s(5);
        assert_eq!(patience.turn(s(5)), Turn::Wait { left, is_open: true });
    }
}

#[test]
fn an_unusable_answer_and_a_smaller_question_are_no_failures() {
    let mut patience = Patience::new(POLICY);
    let usage = Usage::default();
    for (error, next) in
        [(ProposerError::Empty { usage }, Next::Answer), (overflow(), Next::Shrink)]
    {
        assert_eq!(patience.failed(&error, Size::Whole, (s(0), 1.0)), next);
        assert_eq!(patience.turn(s(0)), Turn::Ask);
    }
    assert!(!patience.succeeded());
}

proptest! {
    #[test]
    fn no_wait_is_above_the_cap_unless_the_server_asks_for_it(
        failures in any::<u32>(), jitter in 0.0..1.0f64, least in proptest::option::of(any::<u64>()),
    ) {
        let response = POLICY.respond(&overloaded(least), Size::Whole, (failures, jitter));
        let Response::Retry(wait) = response else { panic!("{response:?}") };
        let least = s(least.unwrap_or_default());
        prop_assert!(wait >= least && wait <= POLICY.most.max(least));
    }

    #[test]
    fn jitter_is_full(failures in 0..40u32) {
        let wait = |jitter| POLICY.respond(&overloaded(None), Size::Whole, (failures, jitter));
        prop_assert_eq!(wait(0.0), Response::Retry(Duration::ZERO));
        prop_assert_eq!(wait(1.0), Response::Retry(s(1u64 << failures.min(9)).min(s(300))));
    }
}
