//! `dfr full` with the real dfr-train on real clips: killed at random moments, it comes to its end and loses
//! at most a checkpoint interval each time.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up may panic")]

use std::env;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use dfr_contract::modality::Modality;
use dfr_contract::resumed::Resumed;
use dfr_contract::{CLOCK_STARTED, exit};
use dfr_media::ffmpeg::{Ffmpeg, SearchPlaces};
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;

const INTERVAL_S: f64 = 1.2;
/// Start and end of a step, and a machine that has other work.
const SLACK_S: f64 = 2.5;

/// The program beside dfr-train: cargo builds both for the tests of the workspace.
fn dfr() -> PathBuf {
    let dfr = Path::new(env!("CARGO_BIN_EXE_dfr-train")).with_file_name("dfr");
    assert!(dfr.is_file(), "test the whole workspace, or build dfr first: cargo build -p dfr-tool");
    dfr
}

fn ffmpeg() -> Ffmpeg {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache_home = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    let named = env::var_os("DFR_FFMPEG").map(PathBuf::from);
    Ffmpeg::find(&SearchPlaces { named, path: env::var_os("PATH"), cache_home }).unwrap()
}

/// How a start went: what it went on from, and what was spent when it ended.
struct Life {
    resumed: f64,
    spent: f64,
    output: String,
    code: Option<i32>,
}

/// When a start is killed: after so long, from its first step on or from its own start.
#[derive(Clone, Copy)]
enum Kill {
    InTraining(Duration),
    AtAnyTime(Duration),
    Never,
}

/// Runs the command, and kills it.
fn live(command: &mut Command, kill: Kill) -> Life {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (begun, begins) = channel();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let note = |line: String| {
            if line == CLOCK_STARTED {
                // Nobody listens when it is killed otherwise.
                let _ = begun.send(());
            }
            (Instant::now(), line)
        };
        lines.map(note).collect::<Vec<_>>()
    });
    match kill {
        Kill::InTraining(time) => {
            // It ends without a training when it has come to its end before.
            let _ = begins.recv_timeout(Duration::from_secs(120));
            thread::sleep(time);
            child.kill().unwrap();
        }
        Kill::AtAnyTime(time) => {
            thread::sleep(time);
            child.kill().unwrap();
        }
        Kill::Never => (),
    }
    let code = child.wait().unwrap().code();
    let ended = Instant::now();
    let lines = reader.join().unwrap();
    let resumed = lines.iter().find_map(|(_, line)| Resumed::parse(line));
    let resumed = resumed.map_or(0.0, |resumed| resumed.seconds);
    let clock = lines.iter().find(|(_, line)| line == CLOCK_STARTED);
    let trained = clock.map_or(0.0, |(started, _)| ended.duration_since(*started).as_secs_f64());
    let output = lines.into_iter().map(|(_, line)| line + "\n").collect();
    Life { resumed, spent: resumed + trained, output, code }
}

#[test]
fn a_long_training_comes_to_its_end_whatever_kills_it() {
    let home = tempfile::tempdir().unwrap();
    let cache = home.path().join("cache");
    make(&cache, SampleSet { modality: Modality::Video, recordings: 2 }, &ffmpeg(), &|| ())
        .unwrap();
    let dfr = dfr();
    let with = |arguments: &str| {
        let mut command = Command::new(&dfr);
        command.args(arguments.split_whitespace()).current_dir(home.path());
        command.env("DFRESEARCH_CACHE", &cache).env("DFR_FFMPEG", ffmpeg().program());
        command
    };
    // So that the kills find a training.
    assert!(with("prepare --modality video").status().unwrap().success());
    let command = || {
        let mut command = with("full --modality video --model r3d-tiny --skip-download");
        // Short steps: one that is in hand is lost too.
        command.args(["--batch-size", "2"]);
        command.args(["--hours", "0.003", "--checkpoint-minutes", "0.02", "--trainer"]);
        command.arg(env!("CARGO_BIN_EXE_dfr-train"));
        command
    };
    let (mut spent, mut kills): (f64, u32) = (0.0, 0);
    for turn in 0..6 {
        let after = Duration::from_millis(1000 + RandomState::new().hash_one(0) % 4000);
        let kill = if turn % 3 == 2 { Kill::AtAnyTime(after) } else { Kill::InTraining(after) };
        let life = live(&mut command(), kill);
        if life.output.contains(CLOCK_STARTED) {
            let lost = spent - life.resumed;
            println!("{lost:.1} s were lost of {spent:.1}");
            assert!(lost <= INTERVAL_S + SLACK_S);
            (spent, kills) = (life.spent, kills + 1);
        }
    }
    assert!(kills > 0, "no training was killed");
    let life = live(&mut command(), Kill::Never);
    assert_eq!(life.code, Some(i32::from(exit::OK)), "{}", life.output);
    let went_on = life.resumed > 0.0 && spent - life.resumed <= INTERVAL_S + SLACK_S;
    assert!(went_on || life.output.contains("train: is done"), "{}", life.output);
    assert!(home.path().join("results/exports/video_detector_r3d-tiny.zip").is_file());
    let again = live(&mut command(), Kill::Never).output;
    assert!(again.ends_with("\ntrain: is done\nevaluate: is done\nexport: is done\n"), "{again}");
    assert!(!home.path().join("results/checkpoints/video/resume").exists());
    assert!(fs::read_dir(home.path().join("runs")).unwrap().count() > 0);
}
