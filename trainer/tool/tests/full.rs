//! `dfr full` with a stand-in for dfr-train that keeps its steps: killed at random moments, it goes on.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use dfr_contract::exit;
use home::{Home, fake_trainer, text};

const OUT: &str = "work/results/checkpoints/video";

fn full(home: &Home, more: &str) -> Command {
    let trainer = fake_trainer();
    home.command(&format!(
        "full --modality video --model slow --skip-download --skip-export --hours 0.01 --trainer {} {more}",
        trainer.display()
    ))
}

fn done(output: &Output) -> String {
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    said
}

/// What the stand-in noted: `start STEP KNOBS` and the numbers of steps.
fn noted(home: &Home) -> Vec<String> {
    let notes = fs::read_to_string(home.path(OUT).join("steps")).unwrap_or_default();
    notes.lines().map(str::to_owned).collect()
}

/// Each start goes on after a step that was done, and repeats at most the one that was in hand.
fn check_steps(notes: &[String]) {
    let mut last = 0;
    for note in notes {
        if let Some(start) = note.strip_prefix("start ") {
            let start: u32 = start.split(' ').next().unwrap().parse().unwrap();
            assert!(start == last || start + 1 == last, "{notes:?}");
            last = start;
        } else {
            // Whoever is left of an earlier start would count in between.
            assert_eq!(note.parse::<u32>().unwrap(), last + 1, "{notes:?}");
            last += 1;
        }
    }
    assert_eq!(last, 30, "{notes:?}");
}

#[test]
fn killed_at_any_time_it_goes_on_and_repeats_no_step_that_is_done() {
    let home = Home::with_clips();
    assert_eq!(home.dfr("prepare --modality video").status.code(), Some(0));
    for _ in 0..6 {
        let mut dfr = full(&home, "").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(Duration::from_millis(RandomState::new().hash_one(0) % 2500));
        dfr.kill().unwrap();
        dfr.wait().unwrap();
    }
    let said = done(&full(&home, "").output().unwrap());
    // It may have come to its end before the last kill.
    let is_told = ["Evaluation Results — video / slow", "evaluate: is done"];
    assert!(is_told.iter().any(|words| said.contains(words)), "{said}");
    let notes = noted(&home);
    check_steps(&notes);
    assert!(notes[0].ends_with("schedule=cosine "), "{notes:?}");
    let file = |name: &str| home.path(OUT).join(name).exists();
    assert!(file("full.json") && file("trained.json") && !file("resume"), "what is kept");

    let again = done(&full(&home, "").output().unwrap());
    assert!(again.contains("pack is complete"), "{again}");
    assert!(again.ends_with("\ntrain: is done\nevaluate: is done\n"), "{again}");
    let other = done(&full(&home, "--seed 1 --keep-schedule --lr 0.5").output().unwrap());
    assert!(other.contains("\ntrain:\n"), "{other}");
    let starts: Vec<_> =
        noted(&home).into_iter().filter(|note| note.starts_with("start")).collect();
    assert_eq!(starts.last().unwrap(), "start 0 learning_rate=0.5 ");
}

/// A container that differs in its last bytes is another file of the same clip.
fn add_clips(home: &Home) {
    let sets = fs::read_dir(home.path("cache/datasets/video")).unwrap();
    for set in sets.map(|set| set.unwrap().path()) {
        let mut clip = fs::read(set.join("000000.mp4")).unwrap();
        clip.extend(8u32.to_be_bytes().into_iter().chain(*b"free"));
        fs::write(set.join("900000.mp4"), clip).unwrap();
    }
}

#[test]
fn new_data_waits_until_a_training_that_was_cut_short_is_done() {
    let home = Home::with_clips();
    let mut dfr = full(&home, "").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !home.path(OUT).join("resume/step").exists() {
        sleep(Duration::from_millis(20));
        assert!(dfr.try_wait().unwrap().is_none());
    }
    dfr.kill().unwrap();
    dfr.wait().unwrap();
    add_clips(&home);
    let said = done(&full(&home, "").output().unwrap());
    assert!(said.contains("train: goes on with ") && !said.contains("near-duplicates"), "{said}");
    check_steps(&noted(&home));
    assert!(!home.path(OUT).join("resume").exists());
    let next = done(&full(&home, "").output().unwrap());
    assert!(next.contains("near-duplicates") && next.contains("\ntrain:\n"), "{next}");
}

#[test]
fn the_log_is_named_added_to_and_shows_the_training() {
    let home = Home::with_clips();
    let said = done(&full(&home, "--log-file logs/mine").output().unwrap());
    assert!(said.contains("log: logs/mine\n") && said.contains("clock started"), "{said}");
    done(&full(&home, "--log-file logs/mine --seed 1").output().unwrap());
    let log = fs::read_to_string(home.path("work/logs/mine")).unwrap();
    assert_eq!(log.matches("clock started").count(), 2, "{log}");
    done(&full(&home, "--seed 2").output().unwrap());
    let logs: Vec<_> = fs::read_dir(home.path("work/runs")).unwrap().collect();
    let name = logs[0].as_ref().unwrap().file_name().into_string().unwrap();
    assert!(name.starts_with("full_video_2") && name.ends_with(".log"), "{name}");
}

#[test]
fn more_data_is_packed_and_trained_on() {
    let home = Home::with_clips();
    let records =
        |said: &str| said.lines().find(|line| line.starts_with("pack for")).map(str::to_owned);
    let first = records(&done(&full(&home, "").output().unwrap())).unwrap();
    add_clips(&home);
    let said = done(&full(&home, "").output().unwrap());
    assert_ne!(records(&said).unwrap(), first);
    assert!(said.contains("near-duplicates") && said.contains("\ntrain:\n"), "{said}");
}

#[test]
fn what_is_missing_is_named() {
    let home = Home::with_clips();
    let run = |more: &str| home.dfr(&format!("full --modality video --skip-download {more}"));
    let refused = |more: &str, code: u8, words: &str| {
        let output = run(more);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(code)), "{said}");
        assert!(said.contains(words), "{said}");
    };
    refused("--from-tag night --trainer x", exit::USAGE, "--trainer");
    refused("--hours 0", exit::USAGE, "above 0");
    refused("--hours 1e17", exit::USAGE, "at most 744");
    refused("--task video-sample", exit::USAGE, "not about downloaded data");
    refused("--trainer none", exit::CONFIGURATION, "--trainer none: no such file");
    assert!(!home.path("cache/packs").exists(), "nothing is packed before that is known");
}

/// Its program is a candidate's: it is not this process that runs it.
#[test]
fn a_sessions_keep_is_handed_to_the_daemon_beside_this_program() {
    let home = Home::with_clips();
    let full = |more: &str| {
        let arguments = format!("full --modality video --skip-download --from-tag night {more}");
        let beside = home.path("bin/dfr");
        let mut command = Command::new(&beside);
        let usual = home.command(&arguments);
        command.args(usual.get_args()).env_clear().current_dir(home.path("work"));
        command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap()
    };
    fs::create_dir_all(home.path("bin")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_dfr"), home.path("bin/dfr")).unwrap();
    let missing = full("");
    assert_eq!(missing.status.code(), Some(i32::from(exit::CONFIGURATION)));
    assert!(text(&missing.stderr).contains("no dfr-daemon"), "{}", text(&missing.stderr));
    let daemon = home.path("bin/dfr-daemon");
    fs::write(&daemon, "#!/bin/sh\necho \"asked: $*\"\nexit 4\n").unwrap();
    fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755)).unwrap();
    let asked = full("--hours 0.5 --skip-export");
    let said = text(&asked.stdout);
    assert!(
        said.contains("asked: full --tag night --hours 0.5 --checkpoint-minutes 10 --skip-export"),
        "{said}"
    );
    assert_eq!(asked.status.code(), Some(4), "{said}");
    // The newest data is what it trains on.
    assert!(home.path("cache/packs/video").is_dir());
}
