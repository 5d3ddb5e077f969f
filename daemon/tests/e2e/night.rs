//! A whole session of the playbook, and what a human finds in the morning.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::environment::{TestEnvironment, files_below};

const BRANCH: &str = "refs/heads/autoresearch/t";
const SIX: [&str; 2] = ["--max-experiments", "6"];

fn night() -> TestEnvironment {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&SIX)).code(0);
    environment
}

#[test]
fn results_have_the_columns_and_formats_of_the_original() {
    let environment = night();
    let text = environment.read("repo/state/t/results.tsv");
    let header = "commit\tsn34_score\taccuracy\tmemory_gb\tstatus\tdescription";
    assert_eq!(text.lines().next(), Some(header));
    assert!(text.ends_with('\n'));
    let rows = environment.rows();
    assert_eq!(rows.len(), 6, "{text}");
    for row in &rows {
        let [commit, score, accuracy, memory, status, description] = row.as_slice() else {
            panic!("{row:?}");
        };
        assert!(commit.len() == 7 && commit.bytes().all(|b| b.is_ascii_hexdigit()), "{commit}");
        for number in [score, accuracy] {
            let digits = number.strip_prefix("0.").unwrap();
            assert!(digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()), "{number}");
        }
        assert_eq!(memory, "2.0");
        assert!(["keep", "discard"].contains(&status.as_str()), "{status}");
        assert!(!description.is_empty());
    }
    assert_eq!(rows[0][2..], ["0.600000", "2.0", "keep", "baseline"]);
    let verdicts = environment.verdicts();
    assert!(verdicts[1..].iter().any(|v| v == "keep") && verdicts.iter().any(|v| v == "discard"));
}

#[test]
fn every_candidate_is_in_git_and_the_branch_stands_on_the_last_keep() {
    let environment = night();
    let rows = environment.rows();
    for (n, row) in rows.iter().enumerate() {
        environment.git(&["cat-file", "-e", &format!("{}^{{commit}}", row[0])]);
        let kept = environment.git(&["rev-parse", &format!("refs/dfr/t/exp/{n}")]);
        assert!(kept.starts_with(&row[0]), "{n}: {kept}");
    }
    let last = rows.iter().rfind(|row| row[4] == "keep").unwrap();
    let tip = environment.git(&["rev-parse", BRANCH]);
    assert!(tip.starts_with(&last[0]), "{tip} {last:?}");
    let keeps = rows.iter().filter(|row| row[4] == "keep").count();
    let range = format!("main..{BRANCH}");
    assert_eq!(environment.git(&["rev-list", "--count", &range]), (keeps - 1).to_string());
    assert_eq!(environment.rows()[0][0], environment.git(&["rev-parse", "main"])[..7]);
    environment.git(&["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn state_md_is_short_and_names_the_best() {
    let environment = night();
    let state = environment.read("repo/state/t/STATE.md");
    assert!(state.lines().count() < 100);
    let rows = environment.rows();
    let best = rows.iter().rfind(|row| row[4] == "keep").unwrap();
    let current = state.split("## ").nth(1).unwrap();
    assert!(current.starts_with("Current best") && current.contains(&best[0]), "{state}");
    // What proposers read has no digits beyond the noise.
    assert!(current.contains("sn34_score: 0.7") && !state.contains(&best[1]), "{state}");
    for heading in ["What worked", "What failed", "Next ideas (priority order)", "Observations"] {
        assert!(state.contains(&format!("## {heading}\n")), "{heading}");
    }
}

#[test]
fn the_run_log_ends_with_the_complete_footer_that_the_row_repeats() {
    let environment = night();
    for (n, row) in environment.rows().iter().enumerate() {
        let log = environment.read(&format!("repo/state/t/exp/{n}/run.log"));
        let scores: Vec<_> = log.lines().filter(|line| line.starts_with("sn34_score:")).collect();
        assert_eq!(scores, [format!("{:<17} {}", "sn34_score:", row[1])]);
        let footer = dfr_contract::footer::Footer::parse(&log).unwrap();
        assert_eq!(format!("{:.6}", footer.scores[1]), row[2]);
        let block = log.rsplit("\n---\n").next().unwrap();
        let keys: Vec<_> = block.lines().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(keys[..5], ["model", "sn34_score", "accuracy", "mcc", "brier"]);
        assert_eq!(*keys.last().unwrap(), "sn34_competition");
    }
}

#[test]
fn logs_metas_and_the_checkpoints_of_keeps_are_there() {
    let environment = night();
    let logs = files_below(&environment.path("repo/state/t/runs"), &[]);
    for (path, _) in &logs {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (day, time) = name.strip_suffix("_run.log").unwrap().split_at(8);
        assert!(day.bytes().all(|b| b.is_ascii_digit()) && time.starts_with('_'), "{name}");
    }
    for (n, row) in environment.rows().iter().enumerate() {
        let run = format!("repo/state/t/exp/{n}");
        let log = fs::read(environment.path(&format!("{run}/run.log"))).unwrap();
        assert!(logs.iter().any(|(_, archived)| *archived == log), "{n}");
        let meta: Value =
            serde_json::from_str(&environment.read(&format!("{run}/meta.json"))).unwrap();
        assert_eq!(meta["verdict"], row[4].as_str());
        assert!(meta["commit"].as_str().unwrap().starts_with(&row[0]));
        assert_eq!(format!("{:.6}", meta["metrics"]["sn34_score"].as_f64().unwrap()), row[1]);
        let phases = meta["phase_seconds"].as_object().unwrap();
        for phase in ["build", "start", "train", "predict", "score", "record"] {
            assert!(phases.contains_key(phase), "{phase} of {meta:#}");
        }
        let checkpoint = environment.path(&format!("{run}/run/model.safetensors"));
        assert_eq!(checkpoint.exists(), row[4] == "keep", "{n}: {}", row[4]);
        assert!(environment.path(&format!("{run}/predictions.tsv")).exists());
    }
}

/// Hooks that leave a trace when anything runs them.
fn plant_hooks(environment: &TestEnvironment) {
    for name in [
        "pre-commit",
        "prepare-commit-msg",
        "commit-msg",
        "post-commit",
        "post-checkout",
        "post-rewrite",
        "reference-transaction",
        "update",
        "post-update",
        "pre-auto-gc",
        "post-index-change",
    ] {
        let hook = format!("repo/.git/hooks/{name}");
        let trace = environment.path("trace").display().to_string();
        environment.write(&hook, &format!("#!/bin/sh\necho {name} >> {trace}\n"));
        fs::set_permissions(environment.path(&hook), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn the_human_s_checkout_is_never_touched_clean_dirty_or_detached() {
    for case in ["clean", "dirty", "detached"] {
        let environment = TestEnvironment::new();
        match case {
            "dirty" => {
                environment.write("repo/lab/recipe.txt", "mode = crash\n");
                environment.write("repo/staged.txt", "staged");
                environment.git(&["add", "staged.txt"]);
                environment.write("repo/untracked.txt", "untracked");
            }
            "detached" => drop(environment.git(&["checkout", "--quiet", "--detach"])),
            _ => {}
        }
        plant_hooks(&environment);
        let status = || environment.git(&["--no-optional-locks", "status", "--porcelain"]);
        let untouched = || {
            let git = [".git/index", ".git/config", ".git/HEAD"];
            let git = git.map(|name| environment.read(&format!("repo/{name}")));
            let hidden = [".git", "state"];
            (files_below(&environment.repo(), &hidden), git)
        };
        let before = (status(), untouched());
        environment.run(&mut environment.session(&["--max-experiments", "3"])).code(0);
        assert_eq!(before.1, untouched(), "{case}");
        assert_eq!(before.0, status(), "{case}");
        assert_eq!(environment.peek("trace"), "", "{case}");
        assert_eq!(environment.rows().len(), 3, "{case}");
    }
}

#[test]
fn two_equal_nights_have_equal_rows() {
    let told = |environment: TestEnvironment| {
        let row = |row: Vec<String>| row[1..].to_vec();
        environment.rows().into_iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(told(night()), told(night()));
}

#[test]
fn a_second_session_begins_beside_the_first() {
    let environment = night();
    environment.run(&mut environment.session_of("u", &["--max-experiments", "1"])).code(0);
    assert!(environment.has_ref("refs/heads/autoresearch/u") && environment.has_ref(BRANCH));
    let listed = environment.run(&mut environment.daemon(&["list"]));
    assert!(listed.out.contains('t') && listed.out.contains('u'), "{}", listed.out);
}
