//! A disk that is full from some call on until space is freed, and a disk that fails once.

use std::process::Command;
use std::sync::Mutex;

use crate::contract::{Rule, Violation, none, tell};
use crate::crash_points::{ROWS, undisturbed};
use crate::night::{Life, Night, told};
use crate::shim::{Fault, free_space, inflict};
use crate::workers::{each, many};

/// Answers that a session can use up.
const ANSWERS: usize = 60;
/// Points of the short form.
const SHORT: usize = 8;
/// Calls that take space.
const WRITES: [&str; 8] =
    ["open", "write", "writev", "pwrite", "copy_file_range", "fallocate", "mkdir", "link"];

/// How a session met a full disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    /// It said so and waited.
    Paused,
    /// It was not begun yet, and said why it could not be.
    Refused,
    /// What was left to write was of no importance.
    Ended,
}

/// Fills the disk at a call, frees it once the daemon has said that it waits, and lets it finish.
fn fill(point: u32, turn: usize) -> (Met, Vec<Violation>) {
    let mut night = Night::by_turn(ANSWERS, turn);
    let rows = ROWS.to_string();
    let mut session = night.session(&["--max-experiments", &rows]);
    inflict(&night, &mut session, Fault::DiskFull(point));
    let mut daemon = night.environment.start(&mut session);
    let paused = night.hears(&mut daemon, "paused");
    free_space(&night);
    let ended = daemon.wait();
    let was_ready = ended.err.contains(" ready ");
    let met = match ended.status.success() {
        _ if paused => Met::Paused,
        false if !was_ready => Met::Refused,
        _ => Met::Ended,
    };
    let holds = ended.status.success() || met == Met::Refused;
    night.demand(holds, Rule::GoesOn, || told(&ended));
    night.look(Life { was_ready, ..Life::WHOLE });
    night.finish(ROWS);
    // No answer is lost, so that every idea is judged as if nothing had happened.
    let verdicts = night.environment.verdicts();
    let as_ever = verdicts == ["keep", "keep", "discard", "discard"];
    night.demand(as_ever, Rule::Verdict, || verdicts.join(", "));
    (met, at(&format!("full at call {point}"), night.end()))
}

fn at(what: &str, mut violations: Vec<Violation>) -> Vec<Violation> {
    for violation in &mut violations {
        violation.told = format!("{what}: {}", violation.told);
    }
    violations
}

/// The calls that take space, every so many of them.
fn writes(most: usize) -> Vec<u32> {
    let calls = undisturbed();
    let takes_space = |call: &String| WRITES.contains(&call.split(' ').next().unwrap_or_default());
    let points: Vec<u32> =
        (1..).zip(&calls).filter(|(_, call)| takes_space(call)).map(|(n, _)| n).collect();
    let step = points.len().div_ceil(most);
    points.into_iter().step_by(step).collect()
}

#[test]
fn a_full_disk_pauses_a_session_and_loses_nothing() {
    let asked = std::env::var("DISK_FULL").unwrap_or_default();
    let all = asked == "all";
    let points = match asked.parse() {
        Ok(point) => vec![point],
        Err(_) => writes(if all { usize::MAX } else { SHORT }),
    };
    let tried = Mutex::new((Vec::new(), Vec::new()));
    let turns = points.iter().copied().enumerate().collect();
    each(turns, if all { many() } else { 1 }, |(turn, point)| {
        let (how, mut broken) = fill(point, turn);
        let (met, violations) = &mut *tried.lock().unwrap();
        met.push(how);
        if all && (met.len() % 25 == 0 || !broken.is_empty()) {
            let first = broken.first().map(ToString::to_string).unwrap_or_default();
            println!("{} of {} calls, {how:?} {first}", met.len(), points.len());
        }
        violations.append(&mut broken);
    });
    let (met, violations) = tried.into_inner().unwrap();
    let times = |wanted: Met| met.iter().filter(|met| **met == wanted).count() as f64;
    if all {
        let counts = [
            ("calls at which the disk was full", points.len() as f64),
            ("sessions that paused and went on", times(Met::Paused)),
        ];
        tell("disk_full", &counts, &violations);
    }
    none(&violations);
    assert!(times(Met::Paused) > 0.0, "no session ever paused: {met:?}");
}

/// Its footer would have nowhere to stand, and the idea would pay for it.
#[test]
fn no_run_begins_without_its_log() {
    let log = |call: &String| call == "open repo/state/t/exp/0/run.log";
    let calls = undisturbed();
    let point = calls.iter().position(log).unwrap_or_else(|| panic!("{}", calls.join("\n")));
    let (met, violations) = fill(u32::try_from(point + 1).unwrap(), 0);
    none(&violations);
    assert_eq!(met, Met::Paused);
}

#[test]
fn one_failed_call_loses_nothing() {
    let mut violations = Vec::new();
    for (turn, point) in writes(SHORT / 2).into_iter().enumerate() {
        let mut night = Night::by_turn(ANSWERS, turn);
        let rows = ROWS.to_string();
        let mut session = night.session(&["--max-experiments", &rows]);
        inflict(&night, &mut session, Fault::Broken(point));
        // A disk that fails may end it; what was recorded must stand all the same.
        let ended = night.environment.run(&mut session);
        let was_ready = ended.err.contains(" ready ");
        night.look(Life { was_ready, daemon_kills: 1, trainer_kills: 0 });
        night.finish(ROWS);
        violations.extend(at(&format!("failed at call {point}"), night.end()));
    }
    none(&violations);
}

#[test]
fn a_start_on_a_full_disk_gives_the_ballast_up() {
    let mut night = Night::new(ANSWERS);
    let ballast = night.environment.path("repo/state/ballast");
    let full = |night: &Night, command: &mut Command| {
        inflict(night, command, Fault::DiskFull(1));
        night.environment.run(command.env("FAULT_WHILE", &ballast))
    };
    night.finish(1);
    let recovered = full(&night, &mut night.environment.daemon(&["recover", "--tag", "t"]));
    assert!(recovered.code(0).out.contains("a ballast of 1 MiB was given up"), "{recovered:?}");
    night.finish(2);
    let resumed = full(&night, &mut night.session(&["--max-experiments", "3"]));
    resumed.code(0).says(&["the ballast was given up"]);
    night.finish(3);
    none(&night.end());
}
