//! Signals, `stop` and sudden death: how a session ends, and that it goes on from there.

use nix::sys::signal::Signal::{self, SIGHUP, SIGINT, SIGKILL, SIGTERM};
use serde_json::Value;

use crate::environment::{BETTER, Daemon, EQUAL, TestEnvironment, reply};

/// A session whose first candidate trains in this mode, at the moment when it takes its first step.
fn training<'a>(
    environment: &'a TestEnvironment,
    mode: &str,
    arguments: &[(&str, &str)],
) -> Daemon<'a> {
    let bad = reply(mode, &[("mode = ok", &format!("mode = {mode}"))]);
    let never = reply("never tried", &[EQUAL]);
    let script = environment.script(&[bad, never]);
    let mut session = environment.session(&["--proposer", &script]);
    for (name, value) in arguments {
        match name.starts_with("--") {
            true => session.args([name, value]),
            false => session.env(name, value),
        };
    }
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(1);
    daemon
}

/// The experiment in hand left no row, no program, and the branch where it was.
#[track_caller]
fn assert_abandoned(environment: &TestEnvironment) {
    environment.wait_for_no_trainer();
    assert_eq!(environment.verdicts(), ["keep"]);
    let [tip, main] = ["autoresearch/t", "main"].map(|name| environment.git(&["rev-parse", name]));
    assert_eq!(tip, main);
    let shown = environment.show(1);
    assert!(
        shown.starts_with("experiment 1: no verdict") && shown.contains("abandoned"),
        "{shown}"
    );
}

/// Goes on with one more candidate, which is experiment 2 and better.
#[track_caller]
fn assert_goes_on(environment: &TestEnvironment) {
    let before = environment.read("repo/state/t/results.tsv");
    let better = reply("better", &[BETTER]);
    let script = environment.script(&[better]);
    let arguments = ["--proposer", &script, "--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&arguments)).code(0);
    let after = environment.read("repo/state/t/results.tsv");
    assert!(after.starts_with(&before), "{before}\n{after}");
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    let shown = environment.show(2);
    assert!(shown.starts_with("experiment 2: keep"), "{shown}");
    let third = environment.run(&mut environment.daemon(&["show", "3", "--tag", "t"]));
    third.code(3).says(&["no experiment 3", "it has 0 to 2"]);
    assert!(
        environment.git(&["rev-parse", "autoresearch/t"]).starts_with(&environment.rows()[1][0])
    );
}

/// Goes on with the experiment that was in hand: its run is repeated, nothing is asked again.
#[track_caller]
fn assert_repeated(environment: &TestEnvironment) {
    let before = environment.read("repo/state/t/results.tsv");
    let nobody = environment.script(&[reply("never asked", &[BETTER])]);
    let arguments = ["--proposer", &nobody, "--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&arguments)).code(0);
    let after = environment.read("repo/state/t/results.tsv");
    assert!(after.starts_with(&before), "{before}\n{after}");
    assert_eq!(environment.verdicts(), ["keep", "discard"]);
    let shown = environment.show(1);
    assert!(shown.contains("a daemon took the session up again"), "{shown}");
    assert_eq!(shown.matches("began: train").count(), 2, "{shown}");
    let [tip, main] = ["autoresearch/t", "main"].map(|name| environment.git(&["rev-parse", name]));
    assert_eq!(tip, main);
}

#[test]
fn the_first_interrupt_finishes_the_experiment_in_hand() {
    let environment = TestEnvironment::new();
    let mut daemon = training(&environment, "hang", &[("--budget-s", "1")]);
    daemon.signal(SIGINT);
    daemon.wait_for_log("stopping after the experiment in hand");
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash"]);
    assert!(environment.show(1).contains("timed out"));
    environment.wait_for_no_trainer();
}

#[test]
fn the_second_interrupt_abandons_it_and_a_resume_goes_on() {
    let environment = TestEnvironment::new();
    let mut daemon = training(&environment, "hang", &[]);
    daemon.signal(SIGINT);
    daemon.wait_for_log("stopping after the experiment in hand");
    daemon.signal(SIGINT);
    daemon.wait().code(0).says(&["abandoning the run in hand"]);
    assert_abandoned(&environment);
    assert_goes_on(&environment);
}

#[test]
fn a_termination_abandons_it() {
    let environment = TestEnvironment::new();
    let daemon = training(&environment, "ignore-term", &[]);
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
    assert_abandoned(&environment);
    assert_goes_on(&environment);
}

#[test]
fn an_experiment_that_is_abandoned_while_it_predicts_leaves_no_checkpoint() {
    let environment = TestEnvironment::new();
    let mut daemon = training(&environment, "hang-predict", &[]);
    let log = "repo/state/t/exp/1/run.log";
    daemon.wait_for("prediction", || environment.peek(log).contains("predicting"));
    assert!(environment.path("repo/state/t/exp/1/run/model.safetensors").exists());
    daemon.signal(SIGTERM);
    daemon.wait().code(0);
    assert_abandoned(&environment);
    assert!(!environment.path("repo/state/t/exp/1/run/model.safetensors").exists());
    assert!(environment.path("repo/state/t/exp/0/run/model.safetensors").exists());
    assert_goes_on(&environment);
}

#[test]
fn the_third_interrupt_stops_at_once_and_leaves_no_trainer() {
    let environment = TestEnvironment::new();
    // It would be waited for all day if the third one did not end it.
    let mut daemon = training(&environment, "ignore-term", &[("DFR_GRACE_S", "86400")]);
    for said in ["stopping after the experiment", "abandoning the run", "stopping now"] {
        daemon.signal(SIGINT);
        daemon.wait_for_log(said);
    }
    daemon.wait().code(130);
    environment.wait_for_no_trainer();
    assert_eq!(environment.verdicts(), ["keep"]);
    assert_goes_on(&environment);
}

#[test]
fn a_hangup_and_a_vanished_terminal_stop_nothing() {
    let environment = TestEnvironment::new();
    let arguments = [("--budget-s", "1"), ("--max-experiments", "3")];
    let daemon = training(&environment, "hang", &arguments);
    daemon.signal(SIGHUP);
    daemon.wait().code(0);
    assert_eq!(environment.verdicts(), ["keep", "crash", "discard"]);

    let environment = TestEnvironment::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut session = environment.session(&["--max-experiments", "2"]);
    let status = session.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(environment.rows().len(), 2);
}

#[test]
fn a_stop_is_asked_for_from_another_terminal() {
    for (now, rows) in [(false, 2), (true, 1)] {
        let environment = TestEnvironment::new();
        let daemon = training(&environment, "hang", &[("--budget-s", "2")]);
        let mut stop = environment.daemon(&["stop", "--tag", "t"]);
        let asked = environment.run(if now { stop.arg("--now") } else { &mut stop });
        asked.code(0);
        assert!(asked.out.contains("the experiment in hand"), "{}", asked.out);
        daemon.wait().code(0);
        assert_eq!(environment.rows().len(), rows);
        environment.wait_for_no_trainer();
    }
}

#[test]
fn a_killed_daemon_takes_its_trainer_along_and_a_resume_puts_things_right() {
    for signal in [SIGKILL, Signal::SIGQUIT] {
        let environment = TestEnvironment::new();
        let daemon = training(&environment, "hang-once", &[]);
        let candidate = environment.git(&["rev-parse", "autoresearch/t"]);
        daemon.signal(signal);
        assert_eq!(daemon.wait().status.code(), None);
        environment.wait_for_no_trainer();
        assert_eq!(environment.git(&["rev-parse", "autoresearch/t"]), candidate);
        assert_repeated(&environment);
    }
}

#[test]
fn a_commit_of_a_human_on_the_branch_stays_and_is_measured_as_the_new_incumbent() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    environment.edit("repo/lab/recipe.txt", ("quality = 0.600", "quality = 0.550"));
    environment.commit_all("mine");
    let mine = environment.git(&["rev-parse", "HEAD"]);
    let two = ["--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0).says(&["somebody else moved"]);
    assert_eq!(environment.git(&["rev-parse", "autoresearch/t"]), mine);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    let shown = environment.show(1);
    assert!(shown.contains("by hand: mine") && shown.contains(&mine[..7]), "{shown}");
}

/// Kills a session in the training of a repaired candidate, and puts the branch where it stood at
/// another moment of the experiment.
#[track_caller]
fn killed_with_branch_at(reference: Option<&str>) {
    let environment = TestEnvironment::new();
    let broken = reply("breaks", &[("build = ok", "build = broken")]);
    let hangs = reply("hangs", &[("mode = ok", "mode = hang-once")]);
    let script = environment.script(&[broken, hangs]);
    let mut daemon = environment.start(&mut environment.session(&["--proposer", &script]));
    daemon.wait_for_training(1);
    daemon.signal(SIGKILL);
    assert_eq!(daemon.wait().status.code(), None);
    match reference {
        Some(at) => environment.git(&["update-ref", "refs/heads/autoresearch/t", at]),
        None => environment.git(&["update-ref", "-d", "refs/heads/autoresearch/t"]),
    };
    assert_repeated(&environment);
}

#[test]
fn a_branch_that_is_a_step_behind_the_ledger_is_put_right() {
    killed_with_branch_at(Some("refs/dfr/t/exp/1.1"));
    killed_with_branch_at(Some("main"));
    killed_with_branch_at(None);
}

#[test]
fn a_run_whose_directory_somebody_removed_is_repeated() {
    let environment = TestEnvironment::new();
    let go = environment.path("go");
    let mut session = environment.session(&["--max-experiments", "1"]);
    let waits = format!("[environment]\nFAKE_WAITS = {go:?}\n[score]");
    environment.edit("task.toml", ("[score]", &waits));
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(0);
    std::fs::remove_dir_all(environment.path("repo/state/t/exp")).unwrap();
    environment.write("go", "");
    daemon.wait().code(0).says(&["exp/0/run is gone", "it is repeated"]);
    assert_eq!(environment.verdicts(), ["keep"]);
}

/// Each wait is longer than the one before, whatever could be done in between.
#[test]
fn what_fails_again_and_again_is_tried_less_and_less_often() {
    let environment = TestEnvironment::new();
    let (fake, copy) = (env!("CARGO_BIN_EXE_fake-trainer"), environment.path("trainer"));
    std::fs::copy(fake, &copy).unwrap();
    environment.edit("task.toml", (&format!("build = [{fake:?}"), &format!("build = [{copy:?}")));
    environment.run(&mut environment.session(&["--max-experiments", "1"])).code(0);
    std::fs::remove_file(&copy).unwrap();
    let mut daemon = environment.start(&mut environment.session(&["--resume"]));
    let waits = || -> Vec<f64> {
        let log = environment.peek("repo/state/t/daemon.jsonl");
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ended = lines.filter(|line| {
            line["fields"]["message"].as_str().is_some_and(|told| told.starts_with("goes on after"))
        });
        ended.map(|line| line["fields"]["seconds"].as_f64().unwrap()).collect()
    };
    daemon.wait_for("three waits", || waits().len() >= 3);
    daemon.signal(SIGINT);
    daemon.signal(SIGINT);
    let _ = daemon.wait();
    let waits = waits();
    assert!(waits[0] < waits[1] && waits[1] < waits[2], "{waits:?}");
}
