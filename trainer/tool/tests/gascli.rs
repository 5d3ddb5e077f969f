//! `dfr push` and `dfr perf` with a stand-in for gascli that checks what it is asked.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/home.rs"]
mod home;
#[path = "support/made.rs"]
mod made;
mod support;

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dfr_contract::exit;
use home::{Home, text};
use made::{MODEL, YAML, python, torch_python, weights, zip};

const RECORD: &str = "cache/submissions/record.jsonl";

/// dfr with the stand-in on its PATH.
fn command(home: &Home, arguments: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut command = home.command(arguments);
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    command.env("GASCLI_LOG", home.path("asked"));
    command
}

fn check(output: &Output, code: u8, words: &[&str]) {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(code)), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {said}");
    }
}

fn push(zip: &Path, more: &str) -> String {
    format!("push --video-model {} --python {} {more}", zip.display(), python().display())
}

/// An archive that differs from the others.
fn another(home: &Home, number: u32) -> PathBuf {
    let from = zip(home, &format!("{MODEL}\nNUMBER = {number}\n"), YAML, &weights("bias"));
    let to = home.path(&format!("{number}.zip"));
    fs::rename(from, &to).unwrap();
    to
}

fn recorded(home: &Home) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(home.path(RECORD)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn asked(home: &Home) -> String {
    fs::read_to_string(home.path("asked")).unwrap_or_default()
}

#[test]
fn a_model_is_checked_submitted_as_documented_and_recorded_before_and_after() {
    let home = Home::new();
    let zip = another(&home, 1);
    let wallet = "--wallet-name miner1 --wallet-hotkey hot1";
    let line = format!(
        "d push --video-model {} {wallet} --netuid 34 --chain-endpoint wss://entrypoint-finney.opentensor.ai:443/ \
         --retry-delay 60\n",
        zip.display()
    );
    let dry = home.dfr(&push(&zip, &format!("{wallet} --dry-run")));
    check(&dry, exit::OK, &["follows the rules"]);
    assert_eq!(text(&dry.stdout), format!("gascli {line}"));
    assert!(recorded(&home).is_empty() && asked(&home).is_empty());

    let output = command(&home, &push(&zip, wallet)).output().unwrap();
    check(&output, exit::OK, &["registered 1", "submissions/record.jsonl"]);
    assert_eq!(asked(&home), line);
    let lines = recorded(&home);
    let exits: Vec<_> = lines.iter().map(|line| line["exit"].as_i64()).collect();
    assert_eq!(exits, [None, Some(0)]);
    for line in &lines {
        assert_eq!((&line["hotkey"], &line["modality"]), (&"hot1".into(), &"video".into()));
        assert_eq!(line["sha256"].as_str().unwrap().len(), 64);
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}

#[test]
fn a_session_is_told_the_same_as_the_record() {
    let home = Home::new();
    let told = home.path("state/t/submissions.jsonl");
    let more = format!("--name t-3 --record {}", told.display());
    let output = command(&home, &push(&another(&home, 1), &more)).output().unwrap();
    check(&output, exit::OK, &[]);
    assert!(recorded(&home).iter().all(|line| line["name"] == "t-3"));
    assert_eq!(fs::read_to_string(told).unwrap(), fs::read_to_string(home.path(RECORD)).unwrap());
}

#[test]
fn the_fourth_of_a_modality_under_one_hotkey_is_refused() {
    let home = Home::new();
    let zips: Vec<_> = (0..4).map(|number| another(&home, number)).collect();
    let pushed = |zip: &Path, more: &str| command(&home, &push(zip, more)).output().unwrap();
    check(
        &pushed(&zips[3], "--wallet-name nobody"),
        exit::OUTSIDE,
        &["gascli failed", "no wallet"],
    );
    assert_eq!(recorded(&home)[1]["exit"], 1);
    for zip in &zips[..3] {
        check(&pushed(zip, ""), exit::OK, &[]);
    }
    let words =
        ["3.zip: hotkey default/default has 3 video models already", "submissions/record.jsonl"];
    check(&pushed(&zips[3], ""), exit::REFUSED, &words);
    check(&pushed(&zips[3], "--dry-run"), exit::REFUSED, &words);
    check(&pushed(&zips[0], ""), exit::OK, &[]);
    check(&pushed(&zips[3], "--wallet-hotkey other"), exit::OK, &[]);
}

#[test]
fn what_could_not_be_submitted_never_reaches_gascli() {
    let home = Home::new();
    let refused = |module: &str, yaml: &str, (code, reason): (u8, &str)| {
        let zip = zip(&home, module, yaml, &weights("bias"));
        let output = command(&home, &push(&zip, "")).output().unwrap();
        check(&output, code, &[reason]);
    };
    refused(&format!("import os\n{MODEL}"), YAML, (exit::REFUSED, "line 1: import of os"));
    let of_pictures = YAML.replace("video", "image");
    refused(MODEL, &of_pictures, (exit::CONFIGURATION, "should be video"));
    let run = |arguments: &str| command(&home, arguments).output().unwrap();
    check(&run("push"), exit::USAGE, &["--image-model", "--audio-model"]);
    check(
        &run(&push(&home.path("none.zip"), "")),
        exit::CONFIGURATION,
        &["none.zip: no such archive", "dfr-daemon export"],
    );
    assert!(asked(&home).is_empty() && recorded(&home).is_empty());
    // Where it is not installed, that is said before anything is checked.
    let output = home.dfr("push --video-model none.zip");
    check(&output, exit::CONFIGURATION, &["no gascli on PATH", "bitmind-subnet", "--dry-run"]);
    check(&home.dfr("perf"), exit::CONFIGURATION, &["no gascli on PATH"]);
}

#[test]
fn a_model_is_asked_about_blank_records_where_python_has_torch() {
    let Some(python) = torch_python() else { return };
    let home = Home::new();
    let pushed = |module: &str, weights: &[u8]| {
        let zip = zip(&home, module, YAML, weights);
        let (zip, python) = (zip.display(), python.display());
        home.dfr(&format!("push --video-model {zip} --python {python} --dry-run"))
    };
    check(&pushed(MODEL, &weights("bias")), exit::OK, &["answers under torch"]);
    check(&pushed(MODEL, &weights("other")), exit::REFUSED, &["Missing key(s)"]);
    let of_one = MODEL.replace("x.shape[0]", "1");
    let words = ["the answer for 3 records has shape (1, 2), not (3, 2)"];
    check(&pushed(&of_one, &weights("bias")), exit::REFUSED, &words);
}

#[test]
fn a_gascli_that_never_ends_is_stopped_by_the_time_limit_or_by_ctrl_c() {
    let home = Home::new();
    let arguments = push(&another(&home, 1), "--wallet-hotkey sleepy --timeout-s");
    let output = command(&home, &format!("{arguments} 1")).output().unwrap();
    check(&output, exit::OUTSIDE, &["trying again", "not done within 1 s"]);
    assert_eq!(recorded(&home)[1]["exit"], -1);

    let mut dfr = command(&home, &format!("{arguments} 100"));
    let mut dfr = dfr.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(dfr.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "trying again");
    let kill = Command::new("kill").args(["-INT", &dfr.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(dfr.wait().unwrap().code(), Some(i32::from(exit::INTERRUPTED)));
    assert_eq!(recorded(&home).len(), 4);
}

#[test]
fn how_models_fare_is_passed_on_explained_and_recorded() {
    let home = Home::new();
    let perf = |more: &str| command(&home, &format!("perf {more}")).output().unwrap();
    let good = perf("--modality video --vertical human --wallet-hotkey good");
    let words = [
        "| 1 | success | video",
        "success        1  the benchmark is done",
        "queued         1  the run waits",
    ];
    check(&good, exit::OK, &words);
    assert_eq!(
        asked(&home),
        "d perf --modality video --vertical human --wallet-name default --wallet-hotkey good\n"
    );
    check(&perf(""), exit::REFUSED, &["exam_failed    1  fewer than 80 %", "(exit code 10)"]);
    let lines = recorded(&home);
    assert_eq!(lines[0]["statuses"], serde_json::json!({"success": 1, "queued": 1}));
    assert_eq!(lines[1]["rows"], serde_json::json!(["| 1 | exam_failed | video | human | - |"]));
    check(&perf("--vertical smell"), exit::OUTSIDE, &["choose human or nature"]);
    check(&perf("--modality smell"), exit::USAGE, &["image, video or audio"]);
    let dry = home.dfr("perf --modality audio --dry-run");
    assert_eq!(
        text(&dry.stdout),
        "gascli d perf --modality audio --wallet-name default --wallet-hotkey default\n"
    );
}
