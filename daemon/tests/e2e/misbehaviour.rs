//! Every way a trainer can misbehave ends in a row with its reason, and the loop goes on.

use crate::environment::{BETTER, TestEnvironment, reply};

/// One session: the baseline, a candidate in each mode, and one good candidate at the end.
fn tried(modes: &[&str]) -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.edit("task.toml", ("predict_s = 30", "predict_s = 5"));
    let bad = modes.iter().map(|mode| reply(mode, &[("mode = ok", &format!("mode = {mode}"))]));
    let good = reply("better", &[BETTER]);
    let script = environment.script(&bad.chain([good]).collect::<Vec<_>>());
    let most = (modes.len() + 2).to_string();
    let mut session = environment.session(&["--proposer", &script, "--max-experiments", &most]);
    // Those that never end by themselves end soon; the others need not hurry on a busy machine.
    let is_endless = modes.iter().any(|mode| mode.contains("hang") || *mode == "ignore-term");
    let budget_s = if is_endless { "1" } else { "30" };
    environment.run(session.args(["--budget-s", budget_s])).code(0);
    environment
}

/// Looks at the rows and reasons of one session, and that everything is in order after it.
#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    let environment = tried(&cases.iter().map(|(mode, ..)| *mode).collect::<Vec<_>>());
    let rows = environment.rows();
    let main = environment.git(&["rev-parse", "main"]);
    let mut reflog = vec!["session start".to_owned()];
    for (n, (mode, verdict, reason)) in (1u32..).zip(cases) {
        let row = &rows[n as usize];
        assert_eq!(row[4..], [*verdict, *mode], "{row:?}");
        let shown = environment.show(n);
        let first = shown.lines().next().unwrap();
        assert_eq!(first.split(',').next(), Some(&*format!("experiment {n}: {verdict}")));
        assert!(first.contains(reason), "{mode}: {first}");
        if *verdict == "crash" {
            assert_eq!(row[1..4], ["0.000000", "0.000000", "0.0"], "{row:?}");
        }
        let parent = environment.git(&["rev-parse", &format!("refs/dfr/t/exp/{n}^")]);
        assert_eq!(parent, main, "{mode} was not made from the incumbent");
        let checkpoint = environment.path(&format!("repo/state/t/exp/{n}/run/model.safetensors"));
        assert!(!checkpoint.exists(), "{mode} left its checkpoint");
        reflog.extend(["candidate", verdict].map(|word| format!("experiment {n}: {word}")));
    }
    let last = rows.len() - 1;
    assert_eq!(rows[last][4..], ["keep", "better"]);
    reflog.push(format!("experiment {last}: candidate"));
    reflog.reverse();
    let moves = environment.git(&["reflog", "show", "--format=%gs", "autoresearch/t"]);
    assert_eq!(moves, reflog.join("\n"));
    assert!(environment.git(&["rev-parse", "autoresearch/t"]).starts_with(&rows[last][0]));
    environment.wait_for_no_trainer();
}

#[test]
fn runs_that_fail_are_crashes_with_their_last_words() {
    check(&[
        ("nan", "crash", "training crashed: the loss became NaN or infinite: loss is NaN"),
        ("crash", "crash", "training exit code 1: Traceback: shapes [2] and [3] do not fit"),
    ]);
}

#[test]
fn runs_without_a_whole_footer_are_crashes() {
    check(&[
        ("truncated-footer", "crash", "no footer in run.log"),
        ("no-footer", "crash", "no footer in run.log"),
    ]);
}

#[test]
fn predictions_that_are_none_are_crashes() {
    check(&[
        ("no-predictions", "crash", "no predictions: "),
        ("half-predictions", "crash", "predictions refused: 50 predictions for 100 records"),
        ("nan-predictions", "crash", "predictions refused: line 3: probability NaN"),
        ("binary-predictions", "crash", "predictions refused: not UTF-8"),
    ]);
}

#[test]
fn files_that_a_trainer_takes_away_or_replaces_never_end_the_session() {
    check(&[
        ("log-removed", "crash", "no footer in run.log"),
        ("log-directory", "crash", "no footer in run.log"),
        ("log-removed-late", "discard", "<= "),
        ("model-directory", "discard", "<= "),
    ]);
}

#[test]
fn a_score_that_a_trainer_claims_is_worth_nothing() {
    check(&[("forged-footer", "discard", "<= ")]);
}

#[test]
fn runs_past_their_deadline_are_ended_even_when_they_are_deaf() {
    check(&[
        ("hang", "crash", "training timed out"),
        ("ignore-term", "crash", "training timed out"),
    ]);
}

#[test]
fn a_prediction_past_its_deadline_is_a_crash() {
    check(&[("hang-predict", "crash", "prediction timed out: predicting")]);
}

#[test]
fn a_flood_of_output_hides_no_footer_and_fills_no_disk() {
    check(&[("flood", "discard", "<= ")]);
}

#[test]
fn a_link_in_place_of_the_tree_is_not_followed() {
    let environment = TestEnvironment::new();
    let link = reply("link", &[("mode = ok", "mode = tree-link")]);
    let script = environment.script(&[link, reply("better", &[BETTER])]);
    let three = ["--proposer", &script, "--max-experiments", "3"];
    environment.run(&mut environment.session(&three)).code(0);
    assert_eq!(environment.verdicts()[2], "keep");
    assert_eq!(environment.read("repo/state/t/exp/1.victim/thesis.txt"), "years of work");
}

#[test]
fn a_daemon_whose_state_is_taken_away_says_so_and_ends() {
    let environment = TestEnvironment::new();
    let hang = reply("hang", &[("mode = ok", "mode = hang")]);
    let script = environment.script(&[hang, reply("never tried", &[BETTER])]);
    let one_second = ["--proposer", &script, "--budget-s", "1"];
    let mut daemon = environment.start(&mut environment.session(&one_second));
    daemon.wait_for_training(1);
    std::fs::remove_dir_all(environment.state()).unwrap();
    daemon.wait().code(3).says(&["state/t/lock", "any more", "hint: "]);
}
