//! A crash at every call that makes something durable or visible, and a second one soon after the
//! restart.

use std::sync::Mutex;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::SEED;
use crate::contract::{Rule, Violation, none, tell};
use crate::night::{Life, Night, told};
use crate::shim::{Fault, calls, inflict};
use crate::workers::{each, many};

/// Rows of the short session: a baseline, a keep, a discard, a crash that is mended.
pub const ROWS: usize = 4;
/// Answers that a session can use up, crashes included.
const ANSWERS: usize = 60;
/// Points of the short form.
const SHORT: usize = 12;
/// The second crash comes within so many calls after the restart.
const SOON: u32 = 80;

/// The calls of a short session that nothing disturbs.
pub fn undisturbed() -> Vec<String> {
    let mut night = Night::new(ANSWERS);
    let life = live(&mut night, Fault::Count);
    assert_eq!(life.daemon_kills, 0);
    let calls = calls(&night);
    none(&night.end());
    for expected in [
        "pwrite repo/state/dfr.db-wal",
        "fsync repo/state/dfr.db-wal",
        "rename repo/state/t/results.tsv",
        "rename repo/.git/refs/heads/autoresearch/t",
        "link repo/.git/refs/dfr/t/exp/1",
        "fallocate repo/state/ballast",
        "open repo/state/t/exp/1/program",
        "rename repo/state/t/holdout.tsv",
        "fsync repo/.git/refs/heads/autoresearch",
    ] {
        let is_there = calls.iter().any(|call| call == expected);
        assert!(is_there, "no {expected} in\n{}", calls.join("\n"));
    }
    calls
}

/// One life towards the short session's rows under a fault, and a look at what it left.
fn live(night: &mut Night, fault: Fault) -> Life {
    let rows = ROWS.to_string();
    let mut session = night.session(&["--max-experiments", &rows]);
    inflict(night, &mut session, fault);
    let ended = night.environment.run(&mut session);
    let was_killed = ended.status.code().is_none();
    night.demand(was_killed || ended.status.success(), Rule::GoesOn, || told(&ended));
    let was_ready = ended.err.contains(" ready ");
    let life = Life { was_ready, daemon_kills: i64::from(was_killed), trainer_kills: 0 };
    night.look(life);
    life
}

/// A crash at one point, a second one, and the end of the session. Gives what was broken, with the
/// calls at which it crashed.
fn crash(turn: usize, (fault, second): (Fault, Fault)) -> (i64, Vec<Violation>) {
    let mut night = Night::measuring_by_turn(ANSWERS, turn);
    let mut crashes = 0;
    let mut at = Vec::new();
    for fault in [fault, second] {
        crashes += live(&mut night, fault).daemon_kills;
        let last = calls(&night).pop().unwrap_or_default();
        at.push(format!("{fault:?} ({last})"));
    }
    night.finish(ROWS);
    let mut violations = night.end();
    for violation in &mut violations {
        violation.told = format!("{}: {}", at.join(", then "), violation.told);
    }
    (crashes, violations)
}

/// For each point a crash before or after it, and a second one.
fn faults(points: impl Iterator<Item = usize>) -> Vec<(Fault, Fault)> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let faults = |point| {
        let n = u32::try_from(point).unwrap();
        let fault = if rng.random_bool(0.5) { Fault::Kill(n) } else { Fault::KillAfter(n) };
        (fault, Fault::Kill(rng.random_range(1..=SOON)))
    };
    points.map(faults).collect()
}

#[test]
fn a_crash_at_every_call_loses_nothing() {
    let points = undisturbed().len();
    let all = std::env::var("CRASH_POINTS").is_ok_and(|which| which == "all");
    let (every, workers) = if all { (1, many()) } else { (points.div_ceil(SHORT), 1) };
    let found = Mutex::new((0, 0, Vec::new()));
    let faults = faults((1..=points).step_by(every));
    each(faults.into_iter().enumerate().collect(), workers, |(turn, faults)| {
        let (crashed, mut broken) = crash(turn, faults);
        let (tried, crashes, violations) = &mut *found.lock().unwrap();
        *tried += 1;
        *crashes += crashed;
        if all && (*tried % 25 == 0 || !broken.is_empty()) {
            let first = broken.first().map(ToString::to_string).unwrap_or_default();
            println!("{tried} of {points} calls, {crashes} crashes {first}");
        }
        violations.append(&mut broken);
    });
    let (_, crashes, violations) = found.into_inner().unwrap();
    assert!(crashes > 0, "nothing crashed");
    if all {
        let counts = [("calls of a short session", points as f64), ("crashes", crashes as f64)];
        tell("crash_points", &counts, &violations);
    }
    none(&violations);
}
