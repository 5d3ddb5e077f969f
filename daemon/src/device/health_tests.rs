use proptest::prelude::*;

use super::*;

fn fault() -> Event {
    Event::Fault("the run died".to_owned())
}

fn wrong() -> Event {
    Event::CanaryFailed(CanaryFailure::WrongAnswer)
}

fn pause(why: &str, waits: u32) -> Step {
    Step::Pause { why: why.to_owned(), waits }
}

/// Every state meets every event.
#[test]
fn the_whole_table() {
    use Event::{CanaryPassed, RunEnded, Waited};
    use Health::{Down, Healthy, OnTrial, Suspect};
    const WRONG: &str = "the canary computed a wrong answer";
    let died = |waits| pause("the run died", waits);
    let trial = |waits| OnTrial { waits };
    let down = |waits| Down { waits };
    let crowded = || Event::Crowded("process 7".to_owned());
    let table = [
        (Healthy, RunEnded, Healthy, Step::GoOn),
        (Healthy, fault(), Suspect, Step::Canary),
        (Healthy, CanaryPassed, Healthy, Step::GoOn),
        (Healthy, wrong(), Suspect, Step::Canary),
        (Healthy, crowded(), Healthy, pause("process 7", 1)),
        (Healthy, Waited, Healthy, Step::GoOn),
        (Suspect, RunEnded, Suspect, Step::Canary),
        (Suspect, fault(), down(1), died(1)),
        (Suspect, CanaryPassed, trial(0), Step::GoOn),
        (Suspect, wrong(), down(1), pause(WRONG, 1)),
        (Suspect, crowded(), Suspect, pause("process 7", 1)),
        (Suspect, Waited, Suspect, Step::Canary),
        (trial(0), RunEnded, Healthy, Step::GoOn),
        (trial(0), fault(), down(1), died(1)),
        (trial(2), fault(), down(3), died(3)),
        (trial(2), CanaryPassed, trial(2), Step::GoOn),
        (trial(0), wrong(), down(1), pause(WRONG, 1)),
        (trial(2), crowded(), trial(2), pause("process 7", 1)),
        (trial(2), Waited, trial(2), Step::GoOn),
        (down(1), RunEnded, down(1), Step::Canary),
        (down(1), fault(), down(2), died(2)),
        (down(1), CanaryPassed, trial(1), Step::GoOn),
        (down(4), wrong(), down(5), pause(WRONG, 5)),
        (down(1), crowded(), down(1), pause("process 7", 1)),
        (down(1), Waited, down(1), Step::Canary),
        (down(u32::MAX), fault(), down(u32::MAX), died(u32::MAX)),
    ];
    for (health, event, expected, step) in table {
        assert_eq!(health.on(event.clone()), (expected, step), "{health:?} {event:?}");
    }
}

#[test]
fn waits_are_counted_until_a_run_ends_well() {
    let down = Health::Healthy.on(fault()).0.on(fault()).0;
    let steps = std::iter::successors(Some(down.on(fault())), |(health, _)| {
        Some(health.on(Event::CanaryPassed).0.on(fault()))
    });
    for (waits, (_, step)) in (2..5).zip(steps) {
        assert_eq!(step, pause("the run died", waits));
    }
}

#[test]
fn a_canary_is_judged_by_how_it_ended() {
    let crashed = |code| RunOutcome::Crashed { code, signal: None, cause: None };
    let failed = |failure| Some(Event::CanaryFailed(failure));
    let aborted = crashed(Some(134));
    let cases = [
        (RunOutcome::Finished, "canary: sound on cuda:0\n", Some(Event::CanaryPassed)),
        (RunOutcome::Finished, "canary: sound on cpu\n", failed(CanaryFailure::WithoutDevice)),
        (RunOutcome::TimedOut, "", failed(CanaryFailure::TimedOut)),
        (crashed(Some(7)), "", failed(CanaryFailure::WrongAnswer)),
        (aborted.clone(), "", failed(CanaryFailure::Crashed(aborted))),
        (RunOutcome::Cancelled, "", None),
    ];
    for (outcome, tail, expected) in cases {
        assert_eq!(Event::of_canary(&outcome, tail, true), expected, "{outcome:?}");
    }
    let on_cpu = Event::of_canary(&RunOutcome::Finished, "canary: sound on cpu\n", false);
    assert_eq!(on_cpu, Some(Event::CanaryPassed));
}

/// The words are the trainer's: should they change there, they must change here.
#[test]
fn the_trainer_says_where_the_canary_computed() {
    let said = include_str!("../../../trainer/src/phases.rs");
    let named = include_str!("../../../trainer/harness/src/device.rs");
    assert!(said.contains("\"canary: sound on {}\"") && named.contains("\"cpu\""));
}

#[test]
fn only_what_the_device_did_counts_against_it() {
    let held = Admission::MemoryHeld { gpu: 0, used_mib: 9, floor_mib: 0 };
    assert_eq!(Event::of_admission(&Admission::Ready), None);
    assert!(matches!(Event::of_admission(&held), Some(Event::Crowded(_))));
    let sick = Admission::Sick { why: "GPU 0 is lost".to_owned() };
    assert_eq!(Event::of_admission(&sick), Some(Event::Fault("GPU 0 is lost".to_owned())));
    let silent = Event::from(&DeviceError::Silent { waited_s: 5 });
    assert!(matches!(silent, Event::Fault(why) if why.contains("silent for more than 5 s")));
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::RunEnded),
        Just(fault()),
        Just(Event::CanaryPassed),
        Just(wrong()),
        Just(Event::CanaryFailed(CanaryFailure::TimedOut)),
        Just(Event::Crowded("process 7".to_owned())),
        Just(Event::Waited),
    ]
}

proptest! {
    #[test]
    fn nothing_goes_on_after_a_fault_without_a_canary(
        events in proptest::collection::vec(any_event(), 0..60)
    ) {
        let mut health = Health::default();
        let mut faulted = false;
        for event in events {
            match event {
                Event::Fault(_) | Event::CanaryFailed(_) => faulted = true,
                Event::CanaryPassed => faulted = false,
                Event::RunEnded | Event::Crowded(_) | Event::Waited => {}
            }
            let (next, step) = health.on(event.clone());
            prop_assert!(!(faulted && step == Step::GoOn), "{:?} {:?}", health, event);
            health = next;
        }
    }

    #[test]
    fn a_run_that_ends_well_after_a_canary_makes_healthy(
        events in proptest::collection::vec(any_event(), 0..60)
    ) {
        let health = events.into_iter().fold(Health::default(), |health, event| health.on(event).0);
        let (health, _) = health.on(Event::CanaryPassed);
        prop_assert_eq!(health.on(Event::RunEnded), (Health::Healthy, Step::GoOn));
    }
}
