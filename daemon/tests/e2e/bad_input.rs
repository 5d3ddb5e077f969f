//! What cannot work is refused with a documented exit code and a message that names the way out,
//! and nothing is made: no state directory, no branch, no reference.

use std::fs;

use crate::environment::{Daemon, TestEnvironment, reply};
use crate::openai::{Answer, Server};

const ONE: [&str; 2] = ["--max-experiments", "1"];

/// Runs one session that must be refused, and looks that nothing was made.
#[track_caller]
fn refused(environment: &TestEnvironment, arguments: &[&str], code: i32, words: &[&str]) {
    environment.run(&mut environment.session(arguments)).code(code).says(words);
    environment.assert_nothing_created();
}

#[test]
fn words_on_the_command_line_that_mean_nothing() {
    let environment = TestEnvironment::new();
    for (arguments, code, words) in [
        (&["--modality", "smell"][..], 2, &["smell", "image", "video", "audio"][..]),
        (&["--proposer", "oracle"], 2, &["\"oracle\"", "llm", "playbook"]),
        (&["--max-experiments", "0"], 2, &["--max-experiments"]),
        (&["--budget-s", "soon"], 2, &["--budget-s", "soon"]),
        (&["--frobnicate"], 2, &["--frobnicate"]),
        (&["--base", "nowhere"], 3, &["\"nowhere\"", "git log"]),
        (&["--modality", "audio"], 2, &["e2e", "video", "audio"]),
        (&["--proposer", "scripted:/nowhere"], 3, &["/nowhere"]),
        (&["--resume"], 3, &["knows no session t", "without --resume"]),
    ] {
        refused(&environment, arguments, code, words);
    }
    environment
        .run(&mut environment.daemon(&["--proposer", "playbook"]))
        .code(2)
        .says(&["--modality"]);
    // A modality's own task is found; what is missing then is its data.
    for modality in ["image", "audio"] {
        let mut session = environment.daemon(&["--proposer", "playbook", "--modality", modality]);
        let data = format!("no data for task {modality}:");
        environment.run(&mut session).code(3).says(&[&data, "dfr prepare --sample"]);
    }
    environment.assert_nothing_created();
}

#[test]
fn tags_that_are_no_names() {
    let environment = TestEnvironment::new();
    for tag in ["..", "a/..", "../a", "/..", "a b", "", "a.lock", "-a", "ä"] {
        let argument = format!("--tag={tag}");
        let mut session = environment.daemon(&[&argument, "--proposer", "playbook"]);
        session.arg("--task").arg(environment.path("task.toml"));
        let quoted = format!("{tag:?} is no tag");
        environment.run(&mut session).code(2).says(&[&quoted, "video-mar14"]);
        environment.assert_nothing_created();
    }
}

#[test]
fn no_data() {
    let environment = TestEnvironment::new();
    let current = "cache/packs/video/1x1x1-original-80-10-10/current";
    fs::remove_file(environment.path(current)).unwrap();
    refused(&environment, &ONE, 3, &["no data", "dfr prepare --modality video"]);
}

#[test]
fn no_repository() {
    let environment = TestEnvironment::new();
    fs::remove_dir_all(environment.path("repo/.git")).unwrap();
    let ended = environment.run(&mut environment.session(&ONE));
    ended.code(3).says(&["not in a git repository", "--repo", "git init"]);
    assert!(!environment.state().exists());
}

#[test]
fn a_repository_without_a_commit() {
    let environment = TestEnvironment::new();
    environment.git(&["checkout", "--quiet", "--orphan", "empty"]);
    environment.git(&["branch", "-D", "main"]);
    let ended = environment.run(&mut environment.session(&ONE));
    ended.code(3).says(&["no branch main or master", "--base"]);
    assert!(!environment.state().exists());
}

#[test]
fn a_branch_that_exists() {
    let environment = TestEnvironment::new();
    environment.git(&["branch", "autoresearch/t"]);
    let ended = environment.run(&mut environment.session(&ONE));
    ended.code(3).says(&[
        "autoresearch/t exists",
        "knows no session t",
        "git branch -m autoresearch/t",
    ]);
    assert!(!ended.err.contains("--resume"), "there is nothing to go on with: {ended:#?}");
    assert!(!environment.state().exists() && !environment.has_ref("refs/dfr/t/exp/0"));
}

#[test]
fn a_session_that_is_there_is_not_begun_again() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&ONE)).code(0);
    let references = || environment.git(&["for-each-ref"]);
    let before = references();
    let again = environment.run(&mut environment.session(&ONE));
    again.code(3).says(&["the ledger knows session t already", "--resume"]);
    assert!(!again.err.contains("git branch -m"), "{again:#?}");
    assert_eq!(references(), before);
}

#[test]
fn an_endpoint_that_is_not_there_or_refuses() {
    let environment = TestEnvironment::new();
    // A port that no program is given by chance.
    let nobody = "http://127.0.0.1:1/v1";
    let wrong = Server::start_with_models(Answer::error(401, "who are you"), []);
    let down = Server::start_with_models(Answer::error(503, "come back"), []);
    for (url, code, words) in [
        (nobody, 4, &[nobody, "OPENAI_BASE_URL", "--proposer playbook"][..]),
        (wrong.base_url(), 3, &["refuses the key", "who are you", "OPENAI_API_KEY"]),
        (down.base_url(), 4, &["503", "come back"]),
    ] {
        let mut session = environment.session(&["--proposer", "llm", "--model", "m"]);
        session.env("OPENAI_API_KEY", "sk-wrong-123").env("OPENAI_BASE_URL", url);
        let ended = environment.run(&mut session);
        ended.code(code).says(words);
        assert!(!ended.err.contains("sk-wrong-123"), "{}", ended.err);
        environment.assert_nothing_created();
    }
    wrong.finish();
    down.finish();
}

#[test]
fn no_key_and_no_proposer() {
    let environment = TestEnvironment::new();
    let both = ["OPENAI_API_KEY", "--proposer playbook"];
    refused(&environment, &["--proposer", "llm"], 3, &both);
    let mut session = environment.daemon(&["--tag", "t", "--modality", "video"]);
    environment.run(&mut session).code(3).says(&both);
    let mut session = environment.session(&["--proposer", "llm"]);
    environment.run(session.env("OPENAI_API_KEY", "k")).code(2).says(&["--model", "DFR_MODEL"]);
    environment.assert_nothing_created();
}

#[test]
fn settings_that_cannot_be_read() {
    let environment = TestEnvironment::new();
    refused(&environment, &["--config", "/nowhere.toml"], 3, &["/nowhere.toml"]);
    environment.write("broken.toml", "budget_s = 3\nbudget-s = 4\n");
    let broken = environment.path("broken.toml").display().to_string();
    refused(&environment, &["--config", &broken], 3, &[&broken, "line 2", "budget-s"]);
    let mut session = environment.session(&ONE);
    let ended = environment.run(session.env("DFR_BUDGET_S", "ten"));
    ended.code(3).says(&["DFR_BUDGET_S", "ten"]);
    environment.write("repo/dfr.toml", "seed = \n");
    refused(&environment, &ONE, 3, &["dfr.toml", "line 1"]);
}

#[test]
fn tasks_that_cannot_be_read() {
    let environment = TestEnvironment::new();
    environment.edit("task.toml", ("train_s", "train_sec"));
    refused(&environment, &ONE, 3, &["task.toml", "line 6", "train_sec"]);
    fs::remove_file(environment.path("task.toml")).unwrap();
    refused(&environment, &ONE, 3, &["task.toml"]);
}

#[test]
fn a_build_program_that_is_missing() {
    let environment = TestEnvironment::new();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    environment.edit("task.toml", (&format!("build = [\"{fake}\""), "build = [\"no-such-tool\""));
    refused(&environment, &ONE, 3, &["no-such-tool", "PATH"]);
}

#[test]
fn a_compiler_that_is_missing() {
    let environment = TestEnvironment::new();
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    environment.edit("task.toml", (&format!("build = [\"{fake}\""), "build = [\"cargo\""));
    let bin = environment.path("bin");
    environment.write("bin/cargo", "");
    let ended = environment.run(environment.session(&ONE).env("PATH", &bin));
    ended.code(3).says(&["rustc", "hint: ", "https://rustup.rs"]);
    environment.assert_nothing_created();
}

#[test]
fn a_path_that_the_build_needs_and_is_missing() {
    let environment = TestEnvironment::new();
    environment
        .edit("task.toml", ("[score]", "[paths]\nLIBTORCH = \"{repository}/third\"\n[score]"));
    refused(&environment, &ONE, 3, &["LIBTORCH", "repo/third", "make setup"]);
}

#[test]
fn a_state_directory_that_cannot_be_written() {
    let environment = TestEnvironment::new();
    let through_a_file = environment.path("task.toml/state").display().to_string();
    for place in ["/proc/dfr-state", &through_a_file] {
        refused(&environment, &["--state-dir", place], 4, &[place]);
    }
}

#[test]
fn a_ledger_that_is_none() {
    let environment = TestEnvironment::new();
    environment.write("other/dfr.db", &"this is no database\n".repeat(100));
    let before = environment.read("other/dfr.db");
    let place = environment.path("other").display().to_string();
    refused(&environment, &["--state-dir", &place], 4, &["dfr.db is not a ledger", "--state-dir"]);
    assert_eq!(environment.read("other/dfr.db"), before);
    assert!(!environment.path("other/t").exists());
    let status = environment.daemon(&["status", "--tag", "t", "--state-dir", &place]);
    environment.run(&mut { status }).code(4).says(&["not a ledger"]);
}

/// A session whose first candidate trains until it is told to stop.
fn busy(environment: &TestEnvironment) -> Daemon<'_> {
    let script = environment.script(&[reply("hang", &[("mode = ok", "mode = hang")])]);
    let mut session = environment.session(&["--proposer", &script, "--max-experiments", "2"]);
    let mut daemon = environment.start(&mut session);
    daemon.wait_for_training(1);
    daemon
}

#[test]
fn a_second_daemon_on_a_session_is_refused_and_the_first_goes_on() {
    let environment = TestEnvironment::new();
    let daemon = busy(&environment);
    let owner = daemon.id().to_string();
    let second = environment.run(&mut environment.session(&["--resume"]));
    second.code(3).says(&["held by process", &owner, "runs this session already"]);
    let stop = environment.run(&mut environment.daemon(&["stop", "--tag", "t", "--now"]));
    stop.code(0);
    daemon.wait().code(0);
    assert_eq!(environment.rows().len(), 1);
}

#[test]
fn a_second_session_on_one_machine_is_refused_before_it_makes_anything() {
    let environment = TestEnvironment::new();
    let daemon = busy(&environment);
    let second = environment.run(&mut environment.session_of("u", &ONE));
    second.code(3).says(&["another session builds", "dfr-daemon stop"]);
    assert!(!environment.path("repo/state/u").exists());
    assert!(!environment.has_ref("refs/heads/autoresearch/u"));
    environment.run(&mut environment.daemon(&["stop", "--tag", "t", "--now"])).code(0);
    daemon.wait().code(0);
    environment.run(&mut environment.session_of("u", &ONE)).code(0);
}

#[test]
fn a_session_goes_on_with_its_own_data_beside_newer_ones() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&ONE)).code(0);
    environment.use_pack("pack-2");
    let packs = environment.path("cache/packs/video/1x1x1-original-80-10-10");
    fs::write(packs.join("pack-2/vault/validation.labels.u8"), [0; 3]).unwrap();
    let again = ["--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&again)).code(0);
    assert_ne!(environment.rows()[1][4], "crash");
    fs::rename(packs.join("pack-1"), packs.join("aside")).unwrap();
    let before = environment.read("repo/state/t/results.tsv");
    let three = ["--resume", "--max-experiments", "3"];
    let ended = environment.run(&mut environment.session(&three));
    ended.code(3).says(&["the data that the session began with are gone", "pack-1", "new --tag"]);
    assert_eq!(environment.read("repo/state/t/results.tsv"), before);
}

#[test]
fn a_session_does_not_go_on_with_another_task() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&ONE)).code(0);
    let before = environment.read("repo/state/t/results.tsv");
    let two = ["--resume", "--max-experiments", "2"];
    environment.edit("task.toml", ("name = \"e2e\"", "name = \"other\""));
    let ended = environment.run(&mut environment.session(&two));
    ended.code(3).says(&["task is e2e, not other"]);
    assert_eq!(environment.read("repo/state/t/results.tsv"), before);
    environment.edit("task.toml", ("name = \"other\"", "name = \"e2e\""));
    environment.run(&mut environment.session(&two)).code(0);
    assert_eq!(environment.rows().len(), 2);
}

#[test]
fn a_ledger_keeps_its_sessions_when_their_branch_is_gone() {
    let environment = TestEnvironment::new();
    environment.run(&mut environment.session(&ONE)).code(0);
    environment.git(&["branch", "-D", "autoresearch/t"]);
    let again = environment.run(&mut environment.session(&ONE));
    again.code(3).says(&["knows session t already", "--resume"]);
    assert!(!environment.has_ref("refs/heads/autoresearch/t"));
    let two = ["--resume", "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0);
    assert!(environment.has_ref("refs/heads/autoresearch/t"));
}

#[test]
fn a_baseline_that_does_not_build_ends_the_start_and_says_why() {
    for (line, word) in
        [("build = ok", "build"), ("smoke = ok", "smoke"), ("mode = ok", "training")]
    {
        let environment = TestEnvironment::new();
        let broken = line.replace("mode = ok", "mode = crash").replace("= ok", "= broken");
        environment.edit("repo/lab/recipe.txt", (line, &broken));
        environment.commit_all("broken");
        let ended = environment.run(&mut environment.session(&ONE));
        ended.code(3).says(&["the baseline fails", word, "--resume --tag t"]);
        assert_eq!(environment.verdicts(), ["crash"], "{line}");
    }
}

#[test]
fn a_directory_inside_a_repository_is_not_taken_for_it() {
    let environment = TestEnvironment::new();
    let inside = environment.repo().join("lab");
    let mut session = environment.session(&[]);
    session.current_dir(&inside);
    let root = environment.repo().canonicalize().unwrap().display().to_string();
    environment.run(&mut session).code(3).says(&["lab", "inside the repository", &root]);
    environment.assert_nothing_created();
    assert!(!inside.join("state").exists());
}

#[test]
fn a_branch_in_the_way_of_all_sessions_is_named() {
    let environment = TestEnvironment::new();
    environment.git(&["branch", "autoresearch"]);
    environment
        .run(&mut environment.session(&[]))
        .code(3)
        .says(&["branch autoresearch", "git branch -m autoresearch"]);
    assert!(!environment.state().exists());
}
