use super::*;
use crate::experiment::Entry;
use crate::sample::{Tried, entries, history, tried};

/// Two keeps, then so many candidates that are not.
fn stuck(candidates: u32) -> History {
    let miss =
        |n: u32| Tried { ..tried(Verdict::Discard, 0.5 + f64::from(n) / 100.0, &format!("t{n}")) };
    let keeps = vec![tried(Verdict::Keep, 0.6, "baseline"), tried(Verdict::Keep, 0.7, "better")];
    history(&[keeps, (0..candidates).map(miss).collect()].concat())
}

#[test]
fn more_is_asked_the_longer_nothing_is_kept() {
    use Rethink::{Combine, Radical, Return};
    let asked: Vec<_> = (0..=26).map(|n| rethink(&stuck(n))).collect();
    let expected = |n| match n {
        0..5 => None,
        5..10 => Some(Combine),
        15 | 25 => Some(Return),
        _ => Some(Radical),
    };
    assert_eq!(asked, (0..=26).map(expected).collect::<Vec<_>>());
    assert!(doubts(&stuck(15)) && !doubts(&stuck(14)) && !doubts(&stuck(16)));
    assert_eq!(returns_to(&stuck(15)).map(|row| row.experiment), Some(0));
    assert_eq!(returns_to(&stuck(14)), None);
}

#[test]
fn the_nearest_misses_are_named_best_first() {
    let told = asked(&stuck(6), "sn34_score").unwrap();
    let places: Vec<_> =
        ["#7 (t5", "#6 (t4", "#5 (t3", "#4 (t2"].map(|name| told.find(name).unwrap()).into();
    assert!(places.is_sorted() && !told.contains("(t1"), "{told}");
    assert!(told.starts_with("6 experiments without a keep"), "{told}");
}

#[test]
fn nobody_returns_from_a_baseline() {
    let keep = vec![tried(Verdict::Keep, 0.6, "baseline")];
    let tries = (0..15).map(|_| tried(Verdict::Discard, 0.5, "t"));
    let mut session = history(&keep.into_iter().chain(tries).collect::<Vec<_>>());
    session.rows[0].purpose = Purpose::Baseline;
    assert_eq!(rethink(&session), Some(Rethink::Radical));
    assert_eq!(returns_to(&session), None);
}

#[test]
fn a_return_by_hand_begins_anew() {
    let mut session = stuck(15);
    session.apply(session.current(), &Entry::RolledBack { to: 0 }, 0).unwrap();
    assert_eq!(rethink(&session), None);
    assert!(!doubts(&session) && asked(&session, "sn34_score").is_none());
    for _ in 0..PATIENCE {
        let n = session.current();
        for entry in entries(n, &tried(Verdict::Discard, 0.5, "again")) {
            session.apply(n, &entry, 0).unwrap();
        }
    }
    assert_eq!(rethink(&session), Some(Rethink::Combine));
    let told = asked(&session, "sn34_score").unwrap();
    assert!(told.starts_with("5 experiments without a keep") && !told.contains("(t1"), "{told}");
}
