//! What a score is worth: the noise is measured, and what scores well is measured again.

use nix::sys::signal::Signal::SIGKILL;
use serde_json::Value;

use crate::environment::{TestEnvironment, reply};

const QUALITY: &str = "quality = 0.600 // knob: 0.500 | 0.600 | 0.700 | 0.800";
/// Seeds of this session: -1 for an idea; for what is measured again, by experiment: 0 -> 1, 1 -> -2,
/// 2 -> 0, 3 -> 1, 4 -> -1, 5 -> 2.
const LUCK: (&str, &str) = ("extra = 1 // knob: 1 | 2", "extra = 1 // knob: 1 | 2\nluck = 0.01");

/// A repository whose scores depend on the seed.
fn lucky() -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.edit("repo/lab/recipe.txt", LUCK);
    environment.commit_all("luck");
    environment
}

fn quality(of: &str) -> String {
    reply(&format!("quality {of}"), &[(QUALITY, &format!("quality = {of}"))])
}

/// The objective of a row, exactly.
fn score(environment: &TestEnvironment, experiment: u32) -> f64 {
    let meta = environment.read(&format!("repo/state/t/exp/{experiment}/meta.json"));
    let meta: Value = serde_json::from_str(&meta).unwrap();
    meta["metrics"]["accuracy"].as_f64().unwrap()
}

#[test]
fn runs_of_one_recipe_tell_the_noise_and_ideas_share_a_seed() {
    let environment = lucky();
    let script = environment.script(&[quality("0.800"), quality("0.600 ")]);
    let arguments = ["--proposer", &script, "--noise-runs", "2", "--max-experiments", "4"];
    environment.run(&mut environment.session(&arguments)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "discard", "discard", "keep"]);
    let scores: Vec<f64> = (0..4).map(|n| score(&environment, n)).collect();
    for (score, expected) in scores.iter().zip([0.59, 0.58, 0.60, 0.79]) {
        assert!((score - expected).abs() < 1e-9, "{scores:?}");
    }
    // Twenty records of a hundred that the incumbent got wrong: no draw of them makes it better.
    let shown = environment.show(3);
    let evidence = "one run, better in 100 % of draws (+0.";
    assert!(shown.contains(evidence) && shown.contains("x the noise"), "{shown}");
    let state = environment.read("repo/state/t/STATE.md");
    assert!(state.contains("Confidence: not confirmed; beyond chance on these records"), "{state}");
    let status = environment.status();
    assert!(
        status.contains(evidence) && status.contains("runs of one recipe differ by"),
        "{status}"
    );
    let rows = environment.rows();
    assert_eq!(rows[1][0], rows[0][0], "the baseline's commit is measured");
    assert_eq!(rows[1][5], "the incumbent again, with another seed");
}

#[test]
fn on_another_machine_the_incumbent_sets_the_score_to_beat_anew() {
    let environment = TestEnvironment::new();
    for place in ["torch-1", "torch-2"] {
        environment.write(&format!("{place}/version"), place);
    }
    let point = |at: &str| {
        let link = environment.path("torch");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(at, link).unwrap();
    };
    point("torch-1");
    let paths = format!("[paths]\nTORCH = {:?}\n[score]", environment.path("torch"));
    environment.edit("task.toml", ("[score]", &paths));
    let run = |answer: String, rows: &str, more: &[&str]| {
        let script = environment.script(&[answer]);
        let arguments = [&["--proposer", &script, "--max-experiments", rows], more].concat();
        environment.run(&mut environment.session(&arguments))
    };
    run(quality("0.700"), "2", &[]).code(0);
    point("torch-2");
    let better = reply("quality 0.800", &[("quality = 0.700", "quality = 0.800")]);
    let ended = run(better, "4", &["--resume"]);
    ended.code(0).says(&["another machine than before: TORCH ", "torch-2 instead of TORCH "]);
    assert_eq!(environment.verdicts(), ["keep", "keep", "keep", "keep"]);
    let rows = environment.rows();
    assert_eq!(
        (&rows[2][0], &rows[2][5]),
        (&rows[1][0], &"the incumbent again, on another machine".to_owned())
    );
    assert!(environment.show(1).contains("torch-1") && environment.show(2).contains("torch-2"));
    assert!(environment.status().contains("torch-2") && environment.show(2).contains(" steps/s"));
    assert!(!environment.show(2).contains("evidence"), "two machines are not compared");
    assert!(environment.show(3).contains("better in 100 % of draws"));
}

#[test]
fn what_scores_well_is_measured_again_before_it_is_believed() {
    let environment = lucky();
    let script = environment.script(&[quality("0.610")]);
    let arguments = ["--proposer", &script, "--verdict", "confirmed", "--noise-runs", "2"];
    let arguments = [arguments.as_slice(), &["--max-experiments", "4"]].concat();
    environment.run(&mut environment.session(&arguments)).code(0);
    let shown = environment.show(3);
    assert!(shown.contains("scored well; measured again"), "{shown}");
    assert_eq!(shown.matches("began: train").count(), 2, "{shown}");
    assert!(shown.contains("(mean of 2 runs)"), "{shown}");
    // 0.60 with the session's seed, and 0.62 with its own.
    assert!((score(&environment, 3) - 0.61).abs() < 1e-9);
    for log in ["run-1.log", "run.log"] {
        assert!(environment.path(&format!("repo/state/t/exp/3/{log}")).exists(), "{log}");
    }
}

#[test]
fn a_second_run_that_died_is_made_again_and_the_first_is_not() {
    let environment = lucky();
    let script = environment.script(&[quality("0.610\nms = 600")]);
    let arguments = ["--proposer", &script, "--verdict", "confirmed", "--noise-runs", "2"];
    let mut daemon = environment.start(&mut environment.session(&arguments));
    daemon.wait_for_log("promising");
    daemon.wait_for_training(3);
    daemon.signal(SIGKILL);
    drop(daemon);
    let resume = ["--proposer", &script, "--resume", "--max-experiments", "4"];
    environment.run(&mut environment.session(&resume)).code(0);
    let shown = environment.show(3);
    assert_eq!(shown.matches("scored well; measured again").count(), 1, "{shown}");
    assert_eq!(shown.matches("began: train").count(), 3, "{shown}");
    assert_eq!(shown.matches("ran: finished").count(), 2, "{shown}");
    assert!((score(&environment, 3) - 0.61).abs() < 1e-9);
}

#[test]
fn a_session_keeps_the_rule_that_it_began_with() {
    let environment = lucky();
    let script = environment.script(&[quality("0.700"), quality("0.800")]);
    let begin = ["--proposer", &script, "--verdict", "yield", "--max-experiments", "1"];
    environment.run(&mut environment.session(&begin)).code(0);
    let other = ["--resume", "--verdict", "strict"];
    let ended = environment.run(&mut environment.session(&other));
    ended.code(3).says(&["verdict", "yield"]);
    let on = ["--proposer", &script, "--resume", "--max-experiments", "5"];
    environment.run(&mut environment.session(&on)).code(0);
    let shown = environment.show(4);
    assert!(shown.contains("it helps with a chance of"), "{shown}");
}

#[test]
fn rules_that_need_the_noise_refuse_to_go_without() {
    let environment = lucky();
    for (arguments, told) in [
        (["--verdict", "lenient"], "strict, yield or confirmed"),
        (["--verdict", "confirmed"], "at least 2"),
    ] {
        let arguments = [arguments.as_slice(), &["--noise-runs", "1"]].concat();
        environment.run(&mut environment.session(&arguments)).code(2).says(&[told]);
        environment.assert_nothing_created();
    }
}

#[test]
fn certify_states_what_the_session_came_to() {
    let environment = lucky();
    environment.with_holdout();
    let script = environment.script(&[quality("0.800")]);
    let arguments = ["--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.session(&arguments)).code(0);
    let before = environment.git(&["rev-parse", "autoresearch/t"]);
    let certify = ["certify", "--tag", "t", "--unsealed", "--runs", "2"];
    let ended = environment.run(&mut environment.daemon(&certify));
    ended.code(0);
    // The seeds 1,000,042 and 1,000,043 take 0.01 away and add 0.02.
    let said = "experiment 1 against the baseline (experiment 0)";
    assert!(ended.out.contains(said), "{ended:#?}");
    for part in ["validation", "holdout"] {
        assert!(ended.out.contains(&format!("{part} ")), "{ended:#?}");
    }
    let accuracies: Vec<f64> = (2..6).map(|n| score(&environment, n)).collect();
    for (score, expected) in accuracies.iter().zip([0.59, 0.79, 0.62, 0.82]) {
        assert!((score - expected).abs() < 1e-9, "{accuracies:?}");
    }
    assert_eq!(
        environment.verdicts(),
        ["keep", "keep", "discard", "discard", "discard", "discard"]
    );
    assert_eq!(environment.git(&["rev-parse", "autoresearch/t"]), before);
    assert!(environment.status().contains("(2 runs) to"), "{}", environment.status());
    // All is measured: it only tells.
    let again = environment.run(&mut environment.daemon(&certify));
    assert_eq!(again.out, ended.out);
    assert_eq!(environment.rows().len(), 6);
}

#[test]
fn a_session_that_ends_by_itself_certifies_its_champion_before() {
    let environment = lucky();
    let script = environment.script(&[quality("0.800")]);
    let arguments = ["--proposer", &script, "--max-experiments", "2", "--certify", "2"];
    environment.run(&mut environment.session(&arguments)).code(0);
    assert_eq!(environment.rows().len(), 6);
    assert!(environment.rows()[2][5].contains("the baseline again, to certify"));
    assert!(environment.rows()[3][5].contains("the champion again, to certify"));
}

/// A session whose second idea was begun and has no answer: its script ends before. What stands before
/// the choices of a setting makes it a knob, or not.
fn with_an_idea_in_hand(mark: &str) -> TestEnvironment {
    let environment = lucky();
    let recipe = environment.read("repo/lab/recipe.txt").replace("// knob:", mark);
    environment.write("repo/lab/recipe.txt", &recipe);
    environment.git(&["commit", "--quiet", "--allow-empty", "-a", "-m", "knobs"]);
    let line = QUALITY.replace("// knob:", mark);
    let script = environment.script(&[reply("quality 0.800", &[(&line, "quality = 0.800")])]);
    let arguments = ["--proposer", &script, "--max-experiments", "3"];
    let ended = environment.run(&mut environment.session(&arguments));
    assert_eq!(environment.verdicts(), ["keep", "keep"], "{ended:#?}");
    environment
}

#[test]
fn certify_asks_nobody_whatever_is_in_hand_and_whether_or_not_there_are_knobs() {
    for mark in ["// knob:", "// one of"] {
        let environment = with_an_idea_in_hand(mark);
        let certify = ["certify", "--tag", "t", "--unsealed", "--runs", "2"];
        environment.run(&mut environment.daemon(&certify)).code(0);
        assert!(environment.show(2).contains("certify was asked for"), "{}", environment.show(2));
        let rows = environment.rows();
        assert_eq!(rows.len(), 6, "{rows:?}");
        assert!(
            rows[2..].iter().all(|row| row[5].ends_with("to certify the champion")),
            "{rows:?}"
        );
    }
}

#[test]
fn a_certification_that_was_begun_goes_on_after_a_restart_whatever_the_hour() {
    let environment = with_an_idea_in_hand("// knob:");
    let certify = ["certify", "--tag", "t", "--unsealed", "--runs", "2"];
    environment.run(&mut environment.daemon(&certify)).code(0);
    let script = environment.script(&[]);
    // As far away as an hour can be.
    let hour = environment.run(environment.hermetic("date").args(["-d", "12 hours", "+%H:%M"]));
    let on = ["--proposer", &script, "--resume", "--certify", "3", "--certify-at", hour.out.trim()];
    let _ = environment.run(&mut environment.session(&on));
    let rows = environment.rows();
    assert_eq!(rows.len(), 8, "{rows:?}");
    assert!(rows[6..].iter().all(|row| row[5].ends_with("to certify the champion")), "{rows:?}");
}
