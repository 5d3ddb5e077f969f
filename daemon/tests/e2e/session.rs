//! Where settings come from, what a session is called, and what its logs hold.

use serde_json::Value;

use crate::environment::{BETTER, TestEnvironment, reply};
use crate::openai::{Answer, Server};

const ONE: [&str; 2] = ["--max-experiments", "1"];

#[test]
fn a_key_from_a_file_beside_the_repository_is_used_and_not_written_down() {
    let environment = TestEnvironment::new();
    let server = Server::start([Answer::text(reply("well", &[BETTER]))]);
    let url = server.base_url();
    let file = format!("OPENAI_API_KEY=sk-of-the-file\nOPENAI_BASE_URL={url}\nDFR_MODEL=m\n");
    environment.write("repo/.env", &file);
    let two = ["--proposer", "llm", "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0);
    assert_eq!(environment.verdicts(), ["keep", "keep"]);
    let requests = server.finish();
    assert!(requests.iter().all(|request| request.key == "sk-of-the-file"));
    for name in ["daemon.jsonl", "results.tsv", "exp/1/run.log", "exp/1/meta.json"] {
        assert!(!environment.read(&format!("repo/state/t/{name}")).contains("sk-of-the-file"));
    }
}

#[test]
fn programs_that_candidates_run_in_see_no_key() {
    let environment = TestEnvironment::new();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let build = format!("build = [\"{fake}\", \"build\", \"{{tree}}/lab/recipe.txt\"]");
    environment.edit("task.toml", (&build, "build = [\"env\"]"));
    let mut session = environment.session(&ONE);
    session.env("OPENAI_API_KEY", "sk-secret").env("GITHUB_TOKEN", "ghp-secret");
    environment.run(&mut session).code(0);
    let seen = environment.read("repo/state/t/exp/0/build.log");
    assert!(seen.contains("HOME=") && !seen.contains("secret"), "{seen}");
}

#[test]
fn the_file_of_settings_is_used_where_neither_flag_nor_environment_speaks() {
    let environment = TestEnvironment::new();
    let task = environment.path("task.toml").display().to_string();
    let file = format!(
        "task = {task:?}\nproposer = \"playbook\"\nmax_experiments = 2\nstate_dir = \"../kept\"\nbudget_s = 7\n"
    );
    environment.write("repo/dfr.toml", &file);
    let mut session = environment.daemon(&["--tag", "t"]);
    let ended = environment.run(session.env("DFR_BUDGET_S", "8"));
    ended.code(0).says(&["training for 8 s"]);
    assert_eq!(environment.read("kept/t/results.tsv").lines().count(), 3);
    assert!(!environment.state().exists());
}

#[test]
fn a_session_begins_where_another_had_come_to_and_knows_what_was_found_there() {
    let environment = TestEnvironment::new();
    let noted =
        reply("better data", &[BETTER]).replacen("DESCRIPTION", "NEXT: try mixup\nDESCRIPTION", 1);
    let script = environment.script(&[noted]);
    let two = ["--proposer", &script, "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0);
    let from = |tag: &str, more: &[&str]| {
        let arguments = [&["--from-tag", tag, "--max-experiments", "1"], more].concat();
        environment.run(&mut environment.session_of("u", &arguments))
    };
    from("none", &[]).code(3).says(&["no session none", "dfr-daemon list"]);
    from("t", &["--base", "main"]).code(2).says(&["--base"]);
    from("t", &["--resume"]).code(2).says(&["--resume"]);
    assert!(
        !environment.path("repo/state/u").exists()
            && !environment.has_ref("refs/heads/autoresearch/u")
    );
    from("t", &[]).code(0);
    let tip = |tag: &str| environment.git(&["rev-parse", &format!("autoresearch/{tag}")]);
    assert_eq!(tip("u"), tip("t"));
    let state = environment.read("repo/state/u/STATE.md");
    for part in [
        "began at experiment 1 of session t",
        "note of t: keep: better data",
        "1. note of t: try mixup",
    ] {
        assert!(state.contains(part), "{part:?} is not in {state}");
    }
}

#[test]
fn a_session_without_a_name_is_called_by_its_modality_and_day() {
    let environment = TestEnvironment::new();
    let today = || {
        let mut date = std::process::Command::new("date");
        let told = date.args(["-u", "+%b%d"]).env("LC_ALL", "C").output().unwrap().stdout;
        String::from_utf8(told).unwrap().trim().to_lowercase()
    };
    let before = today();
    let mut session = environment.daemon(&["--proposer", "playbook", "--max-experiments", "1"]);
    environment.run(session.arg("--task").arg(environment.path("task.toml"))).code(0);
    let days = [before, today()];
    let made = |day: &String| environment.has_ref(&format!("refs/heads/autoresearch/video-{day}"));
    assert!(days.iter().any(made), "{days:?}");
}

#[test]
fn a_session_starts_where_it_is_told() {
    let environment = TestEnvironment::new();
    environment.edit("repo/lab/recipe.txt", BETTER);
    environment.git(&["checkout", "--quiet", "-b", "idea"]);
    environment.commit_all("better");
    environment
        .run(&mut environment.session(&["--max-experiments", "1", "--base", "idea"]))
        .code(0);
    let [tip, idea] = ["autoresearch/t", "idea"].map(|name| environment.git(&["rev-parse", name]));
    assert_eq!(tip, idea);
    assert_eq!(environment.rows()[0][2], "0.700000");
    environment.git(&["checkout", "--quiet", "main"]);
    environment.run(&mut environment.session_of("u", &ONE)).code(0);
    let [tip, main] = ["autoresearch/u", "main"].map(|name| environment.git(&["rev-parse", name]));
    assert_eq!(tip, main);
}

#[test]
fn every_line_of_the_log_is_json_and_tells_its_experiment() {
    let environment = TestEnvironment::new();
    let mut session = environment.session(&["--max-experiments", "2"]);
    environment.run(session.env("RUST_LOG", "debug")).code(0).says(&["DEBUG", "recorded"]);
    let log = environment.read("repo/state/t/daemon.jsonl");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for n in [0, 1] {
        let of = |line: &&Value| line["span"]["name"] == "experiment" && line["span"]["n"] == n;
        let told: Vec<_> = lines.iter().filter(of).collect();
        let word = |line: &&Value| line["fields"]["phase"].as_str().map(str::to_owned);
        let phases: Vec<_> = told.iter().filter_map(word).collect();
        assert!(phases.iter().any(|phase| phase == "record"), "{phases:?}");
        assert!(told.iter().all(|line| line["span"]["tag"] == "t"));
    }
    assert!(lines.iter().any(|line| line["level"] == "DEBUG"));
}

#[test]
fn the_terminal_tells_each_step_once_in_words() {
    let environment = TestEnvironment::new();
    let two = ["--max-experiments", "2", "--budget-s", "9"];
    let ended = environment.run(&mut environment.session(&two));
    ended.code(0);
    for step in ["building", "training for 9 s", "predicting the validation part", "decided"] {
        assert_eq!(ended.err.matches(step).count(), 2, "{step}: {}", ended.err);
    }
    assert_eq!(ended.err.matches(" proposed ").count(), 1, "{}", ended.err);
    assert!(!ended.err.contains("phase") && !ended.err.contains("DEBUG"), "{}", ended.err);
}

#[test]
fn a_human_on_the_branch_is_told_that_it_moves() {
    let environment = TestEnvironment::new();
    let first = environment.run(&mut environment.session(&ONE));
    first.code(0);
    assert!(!first.err.contains("checked out"), "{}", first.err);
    environment.git(&["checkout", "--quiet", "autoresearch/t"]);
    let two = ["--resume", "--max-experiments", "2"];
    let second = environment.run(&mut environment.session(&two));
    second.code(0).says(&["autoresearch/t is checked out", "git switch main"]);
}

#[test]
fn a_log_filter_that_is_none_is_named_before_anything_is_made() {
    let environment = TestEnvironment::new();
    let mut session = environment.session(&ONE);
    environment.run(session.env("RUST_LOG", "dfr=loudly=x")).code(3).says(&["RUST_LOG"]);
    environment.assert_nothing_created();
}

#[test]
fn a_state_directory_that_was_there_keeps_its_own_rules_for_git() {
    let environment = TestEnvironment::new();
    environment.write("repo/state/.gitkeep", "");
    environment.run(&mut environment.session(&ONE)).code(0);
    assert!(!environment.path("repo/state/.gitignore").exists());
}

#[test]
fn a_session_keeps_the_budget_it_began_with() {
    let environment = TestEnvironment::new();
    let begun =
        environment.run(&mut environment.session(&["--budget-s", "9", "--max-experiments", "1"]));
    begun.code(0);
    let ended = environment.run(&mut environment.session(&["--resume", "--max-experiments", "2"]));
    ended.code(0).says(&["training for 9 s"]);
    let other = ["--resume", "--budget-s", "10", "--max-experiments", "3"];
    environment
        .run(&mut environment.session(&other))
        .code(3)
        .says(&["budget_s is 9, not 10", "scores would not compare"]);
    assert_eq!(environment.verdicts().len(), 2);
}

#[test]
fn a_password_in_the_address_is_nowhere_in_the_state() {
    let environment = TestEnvironment::new();
    let server = Server::start([Answer::text(reply("well", &[BETTER]))]);
    let url = server.base_url().replace("http://", "http://user:pass-word@");
    let mut session =
        environment.session(&["--proposer", "llm", "--model", "m", "--max-experiments", "2"]);
    session.env("OPENAI_API_KEY", "sk-x").env("OPENAI_BASE_URL", url).env("RUST_LOG", "trace");
    environment.run(&mut session).code(0);
    server.finish();
    for (path, bytes) in crate::environment::files_below(&environment.state(), &[]) {
        let found = bytes.windows(9).any(|window| window == b"pass-word");
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn a_session_goes_on_by_its_tag_alone() {
    let environment = TestEnvironment::new();
    environment.git(&["branch", "-m", "main", "trunk"]);
    let begin = ["--base", "trunk", "--max-experiments", "1", "--budget-s", "7", "--seed", "5"];
    environment.run(&mut environment.session(&begin)).code(0);
    // What the task file says now is no longer what the session is about.
    environment.edit("task.toml", ("objective = \"sn34_score\"", "objective = \"mcc\""));
    let go_on = ["--resume", "--tag", "t", "--proposer", "playbook", "--max-experiments", "2"];
    let ended = environment.run(&mut environment.daemon(&go_on));
    ended.code(0).says(&["training for 7 s"]);
    assert!(environment.read("repo/state/t/results.tsv").starts_with("commit\tsn34_score\t"));
    let other = environment.session(&["--resume", "--max-experiments", "3"]);
    environment.run(&mut { other }).code(3).says(&["task file has changed"]);
}

#[test]
fn numbers_out_of_range_are_named() {
    let environment = TestEnvironment::new();
    let most = u64::MAX.to_string();
    environment
        .run(&mut environment.session(&["--budget-s", &most]))
        .code(2)
        .says(&["budget_s", "must be from 1"]);
    let mut zero = environment.session(&[]);
    environment.run(zero.env("DFR_BUDGET_S", "0")).code(2).says(&["budget_s is 0"]);
    environment.assert_nothing_created();
}
