//! The real binary through its phases, on a tiny pack of bright and dark clips.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use dfr_contract::footer::Claims;
use dfr_contract::{CLOCK_STARTED, exit, metrics, pack, predictions, trace};

#[path = "../harness/src/testing.rs"]
mod testing;

const RECORDS: usize = 24;

fn part(dir: &Path) -> String {
    let part = dir.join("train");
    testing::write_part(&part, &testing::PackSpec { records: RECORDS, shape: &[8, 3, 24, 24] });
    part.to_str().unwrap().to_owned()
}

fn dfr_train(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dfr-train"))
        .env_clear()
        .args(args)
        .args(["--threads", "1"])
        .output()
        .unwrap()
}

fn train(part: &str, run: &str) -> Output {
    let fixed = ["--preset", "r3d-tiny", "--budget-s", "2", "--seed", "1"];
    let knobs = ["--prefer", "schedule=cosine", "--prefer", "width=9"];
    dfr_train(&[&["train", "--data", part, "--out", run], &fixed[..], &knobs].concat())
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn check_refused(output: &Output, code: u8, message: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(code)), "{stderr}");
    assert!(stderr.contains(message), "{stderr}");
}

#[test]
fn trains_and_predicts_what_can_be_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (part, run) = (part(dir.path()), dir.path().join("run"));
    let trained = train(&part, run.to_str().unwrap());
    let notes = String::from_utf8_lossy(&trained.stderr);
    assert!(
        notes.contains("takes no width from outside") && !notes.contains("schedule"),
        "{notes}"
    );
    let log = stdout(&trained);
    assert_eq!(log.lines().filter(|line| *line == CLOCK_STARTED).count(), 1, "{log}");
    let claims = Claims::parse(&log).unwrap();
    let saved = fs::read_to_string(run.join("claims.json")).unwrap();
    let saved: Claims = serde_json::from_str(&saved).unwrap();
    assert_eq!((claims.model.as_str(), claims.num_frames), ("r3d-tiny", Some(4)));
    assert_eq!((saved.num_steps, saved.batch_size), (claims.num_steps, claims.batch_size));
    assert!(claims.num_steps > 0 && claims.training_seconds >= 2.0, "{log}");

    let run = run.to_str().unwrap();
    let args = ["--preset", "r3d-tiny", "--inputs", &part, "--model", run, "--out", run];
    stdout(&dfr_train(&[&["predict"], &args[..]].concat()));
    let text = fs::read_to_string(Path::new(run).join(predictions::FILE)).unwrap();
    let p_synthetic = predictions::parse(&text, RECORDS).unwrap();
    let labels = fs::read(Path::new(&part).join(pack::file::LABELS)).unwrap();
    let scores = metrics::score(&labels, &p_synthetic).unwrap();
    assert!(scores.accuracy > 0.9, "{scores:?}");

    let traced = dir.path().join("trace");
    let args = ["--preset", "r3d-tiny", "--shape", "8,3,24,24", "--model", run];
    stdout(&dfr_train(&[&["trace"], &args[..], &["--out", traced.to_str().unwrap()]].concat()));
    let header: trace::Header =
        serde_json::from_slice(&fs::read(traced.join(trace::HEADER)).unwrap()).unwrap();
    assert_eq!((header.model.as_str(), header.shape), ("r3d-tiny", vec![8, 3, 24, 24]));
    assert!(header.variables.is_sorted() && header.variables.len() > 20);
    assert!(trace::GRAPHS.iter().all(|&records| traced.join(trace::graph_file(records)).is_file()));
}

#[test]
fn smoke_and_canary_pass() {
    let dir = tempfile::tempdir().unwrap();
    let part = part(dir.path());
    let smoke = dfr_train(&["smoke", "--preset", "r3d-tiny", "--data", &part]);
    assert!(stdout(&smoke).starts_with("smoke: first loss 0."));
    assert!(stdout(&smoke).ends_with(", exportable\n"));
    assert!(stdout(&dfr_train(&["canary"])).starts_with("canary: sound on "));
}

#[test]
fn refuses_what_it_cannot_work_with() {
    let dir = tempfile::tempdir().unwrap();
    let part = part(dir.path());
    let out = dir.path().join("run").to_str().unwrap().to_owned();
    let smoke = |preset, data| dfr_train(&["smoke", "--preset", preset, "--data", data]);
    check_refused(&smoke("r3d-99", &part), exit::USAGE, "choose one of ast, ast-tiny, audio-tiny");
    check_refused(&dfr_train(&["juggle"]), exit::USAGE, "juggle");
    check_refused(&smoke("r3d-tiny", "/nowhere"), exit::CONFIGURATION, "run `dfr prepare`");
    let untrained =
        ["predict", "--preset", "r3d-tiny", "--inputs", &part, "--model", &out, "--out", &out];
    check_refused(&dfr_train(&untrained), exit::CONFIGURATION, "train first");
    let trace = |shape| {
        let args = ["trace", "--preset", "r3d-tiny", "--shape", shape];
        dfr_train(&[&args[..], &["--model", &out, "--out", &out]].concat())
    };
    check_refused(&trace("8,3,24,24"), exit::CONFIGURATION, "train first");
    check_refused(&trace("8,3,0,24"), exit::USAGE, "--shape");

    let set = |knob| {
        let args = ["train", "--preset", "r3d-tiny", "--data", &part, "--out", &out];
        dfr_train(&[&args[..], &["--budget-s", "1", "--seed", "0", "--set", knob]].concat())
    };
    check_refused(&set("width=9"), exit::USAGE, "takes no width from outside, only learning_rate");
    check_refused(&set("learning_rate=-1"), exit::USAGE, "cannot be \"-1\": it is above 0");
    check_refused(&set("learning_rate"), exit::USAGE, "expected KNOB=VALUE");

    let full = |more: &[&str]| {
        let train = ["train", "--preset", "r3d-18", "--data", &part, "--out", &out];
        let budget = ["--budget-s", "1", "--seed", "0"];
        dfr_train(&[&train[..], &budget[..], more].concat())
    };
    check_refused(&full(&[]), exit::USAGE, "--from-scratch");
    let none = full(&["--weights", "/nowhere"]);
    check_refused(&none, exit::CONFIGURATION, "dfr weights fetch r3d-18");
    assert!(!Path::new(&out).exists(), "nothing is created without weights");

    let records = Path::new(&part).join("records.u8");
    fs::write(&records, [0; 10]).unwrap();
    check_refused(&train(&part, &out), exit::CONFIGURATION, "has 10 bytes");
    assert!(!Path::new(&out).exists(), "nothing is created for a broken pack");
}
