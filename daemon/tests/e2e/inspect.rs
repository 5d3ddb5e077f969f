//! `status`, `list`, `show` and `stop`: with nothing there, while a session runs, and after it.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::environment::{BETTER, TestEnvironment, reply};

const LOOKS: [&[&str]; 4] =
    [&["status", "--tag", "t"], &["list"], &["show", "0", "--tag", "t"], &["stop", "--tag", "t"]];

#[test]
fn where_no_session_was_started_each_says_so_and_makes_nothing() {
    let environment = TestEnvironment::new();
    for arguments in LOOKS {
        let ended = environment.run(&mut environment.daemon(arguments));
        ended.code(3).says(&["no ledger at", "hint: ", "--state-dir"]);
        assert_eq!(ended.out, "");
        environment.assert_nothing_created();
    }
}

#[test]
fn a_session_or_experiment_that_is_not_there_is_named() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    for arguments in
        [&["status", "--tag", "x"][..], &["show", "0", "--tag", "x"], &["stop", "--tag", "x"]]
    {
        let ended = environment.run(&mut environment.daemon(arguments));
        ended.code(3).says(&["no session x", "dfr-daemon list"]);
    }
    let ended = environment.run(&mut environment.daemon(&["show", "7", "--tag", "t"]));
    ended.code(3).says(&["no experiment 7"]);
    let ended = environment.run(&mut environment.daemon(&["stop", "--tag", "t"]));
    ended.code(3).says(&["no daemon runs session t", "hint: "]);
    let ended = environment.run(&mut environment.daemon(&["show", "--tag", "t"]));
    ended.code(2).says(&["EXPERIMENT"]);
}

#[test]
fn a_running_session_is_alive_in_its_phase_and_dead_afterwards() {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("hang", &[("mode = ok", "mode = hang")])]);
    let mut daemon = environment.start(&mut environment.session(&["--proposer", &script]));
    daemon.wait_for_training(1);
    let look = |arguments: &[&str]| {
        let ended = environment.run(&mut environment.daemon(arguments));
        ended.code(0);
        ended.out
    };
    // The sign of life is written beside the run, not before it.
    daemon.wait_for("its phase", || look(LOOKS[0]).contains("experiment 1, train"));
    let status = look(LOOKS[0]);
    assert!(status.contains("alive") && status.contains(&daemon.id().to_string()), "{status}");
    assert!(status.contains("baseline") && status.contains("keep"), "{status}");
    assert!(look(LOOKS[1]).contains("alive"));
    let shown = look(&["show", "1", "--tag", "t"]);
    assert!(shown.starts_with("experiment 1: no verdict") && shown.contains("built"), "{shown}");
    assert!(look(&["stop", "--tag", "t", "--now"]).contains("abandons"));
    daemon.wait().code(0);
    let status = look(LOOKS[0]);
    assert!(status.contains("dead") && !status.contains("alive"), "{status}");
    assert!(look(LOOKS[1]).contains("dead"));
}

#[test]
fn a_process_that_does_not_hold_the_lock_is_not_signalled() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    // A daemon in another container writes the number that it has there.
    let file = File::create(environment.path("repo/state/t/lock")).unwrap();
    let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    let mut stranger = Command::new("sleep").arg("3600").spawn().unwrap();
    writeln!(lock, "{}", stranger.id()).unwrap();
    for arguments in [LOOKS[3], &["stop", "--tag", "t", "--now"]] {
        let ended = environment.run(&mut environment.daemon(arguments));
        let id = stranger.id().to_string();
        ended.code(4).says(&[&id, "t/lock", "another container or on another host", "SIGINT"]);
        assert_eq!(ended.out, "");
    }
    assert_eq!(stranger.try_wait().unwrap(), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_shown_experiment_has_hypothesis_diff_scores_and_log() {
    let environment = TestEnvironment::new();
    let script = environment.script(&[reply("better", &[BETTER])]);
    let two = ["--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0);
    let shown = environment.show(1);
    let row = environment.rows()[1].clone();
    for part in [
        "experiment 1: keep",
        "better should help",
        "-quality = 0.600",
        "+quality = 0.700",
        "scripted",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    assert!(shown.contains(&row[0]) && shown.contains(&row[1]), "{shown}");
    assert!(shown.contains("sn34_competition:") && shown.ends_with('\n'), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.ends_with("\n\n"), "{shown}");
    assert!(!environment.show(0).contains("diff"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = environment.daemon(&["status", "--tag", "t"]).stdout(writer).status().unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn simulate_compares_rules_for_people_and_for_programs() {
    let environment = TestEnvironment::new();
    let flags =
        ["simulate", "--seeds", "3", "--runs", "20", "--noise", "0.004", "--landscape", "A"];
    let told = environment.run(&mut environment.daemon(&flags));
    told.code(0);
    for word in ["strict", "yield", "confirmed", "3 nights each, of 20 runs"] {
        assert!(told.out.contains(word), "{}", told.out);
    }
    let json = environment.run(&mut environment.daemon(&[&flags[..], &["--json"]].concat()));
    let plans: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(plans.as_array().unwrap().len(), 3);
    assert_eq!(plans[0]["gained_ratio"]["mean"], 1.0);
    for (bad, said) in [
        (["--landscape", "C"], "choose among A, B, knobs"),
        (["--verdict", "lenient"], "choose among strict, yield, confirmed"),
        (["--noise", "0"], "it must be above 0"),
        (["--crashes", "2"], "it must be from 0 to 1"),
    ] {
        let mut command = environment.daemon(&["simulate"]);
        environment.run(command.args(bad)).code(2).says(&[said]);
    }
    environment.assert_nothing_created();
}

#[test]
fn cost_tells_what_came_of_each_proposer() {
    let environment = TestEnvironment::new();
    let wrong = reply("not there", &[("no such line", "another")]);
    let script = environment.script(&[wrong, reply("better", &[BETTER])]);
    let arguments = ["--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.session(&arguments)).code(0);
    let told = environment.run(&mut environment.daemon(&["cost", "--tag", "t"]));
    told.code(0);
    let row: Vec<&str> = told.out.lines().nth(1).unwrap().split_whitespace().collect();
    // Answers, refused, lost, kept, discarded, crashed.
    assert_eq!(row[..7], ["scripted", "2", "1", "0", "1", "0", "0"], "{}", told.out);
    assert!(told.out.ends_with("0.0000 USD in all\n"), "{}", told.out);
    environment.run(&mut environment.daemon(&["cost", "--tag", "no"])).code(3);
}
