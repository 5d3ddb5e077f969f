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
    let asked: Vec<_> = (0..=26).map(|n| rethink(&stuck(n), true)).collect();
    let expected = |n| match n {
        0..5 => None,
        5..10 => Some(Combine),
        15 | 25 => Some(Return),
        _ => Some(Radical),
    };
    assert_eq!(asked, (0..=26).map(expected).collect::<Vec<_>>());
    let doubts = |n| doubts(&stuck(n), true);
    assert!(doubts(15) && !doubts(14) && !doubts(16));
    let keeps: Vec<_> = earlier_keeps(&stuck(15)).map(|row| row.experiment).collect();
    assert_eq!(keeps, [0]);
    assert!(returns(&stuck(15), true) && !returns(&stuck(14), true));
    let told = |from| super::asked(&stuck(15), "sn34_score", from).unwrap();
    assert!(told(Some(0)).contains("begin at experiment 0"), "{}", told(Some(0)));
    // Where no earlier keep is there, nothing is measured again either.
    assert!(!returns(&stuck(15), false) && !super::doubts(&stuck(15), false));
    assert!(told(None).contains("leave this neighbourhood"), "{}", told(None));
}

#[test]
fn the_nearest_misses_are_named_best_first() {
    let told = asked(&stuck(6), "sn34_score", None).unwrap();
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
    assert_eq!(earlier_keeps(&session).count(), 0);
}

#[test]
fn a_return_by_hand_begins_anew() {
    let mut session = stuck(15);
    session.apply(session.current(), &Entry::RolledBack { to: 0 }, 0).unwrap();
    assert_eq!(rethink(&session, true), None);
    assert!(!doubts(&session, true) && asked(&session, "sn34_score", None).is_none());
    for _ in 0..PATIENCE {
        let n = session.current();
        for entry in entries(n, &tried(Verdict::Discard, 0.5, "again")) {
            session.apply(n, &entry, 0).unwrap();
        }
    }
    assert_eq!(rethink(&session, true), Some(Rethink::Combine));
    let told = asked(&session, "sn34_score", None).unwrap();
    assert!(told.starts_with("5 experiments without a keep") && !told.contains("(t1"), "{told}");
}
