//! `dfr full` with a stand-in for dfr-train that keeps its steps: killed at random moments, it goes on.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use dfr_contract::checked::Checked;
use dfr_contract::modality::Modality;
use dfr_contract::{exit, tasks};
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

/// A training that was killed once it had something to go on from.
fn cut_short() -> Home {
    let home = Home::with_clips();
    let mut dfr = full(&home, "").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !home.path(OUT).join("resume/step").exists() {
        sleep(Duration::from_millis(20));
        assert!(dfr.try_wait().unwrap().is_none());
    }
    dfr.kill().unwrap();
    dfr.wait().unwrap();
    home
}

#[track_caller]
fn refused(output: &Output, code: u8, words: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(code)), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn new_data_waits_until_a_training_that_was_cut_short_is_done() {
    let home = cut_short();
    add_clips(&home);
    let said = done(&full(&home, "").output().unwrap());
    assert!(said.contains("train: goes on with ") && !said.contains("near-duplicates"), "{said}");
    check_steps(&noted(&home));
    assert!(!home.path(OUT).join("resume").exists());
    let next = done(&full(&home, "").output().unwrap());
    assert!(next.contains("near-duplicates") && next.contains("\ntrain:\n"), "{next}");
}

#[test]
fn another_start_is_refused_and_the_one_that_was_cut_short_goes_on() {
    let home = cut_short();
    add_clips(&home);
    let packs = || fs::read_dir(home.path("cache/packs/video")).unwrap().count();
    let standing = || (fs::read_to_string(home.path(OUT).join("full.json")).unwrap(), packs());
    let (before, notes) = (standing(), noted(&home));
    let rebuilt = home.path("other-trainer");
    fs::write(&rebuilt, fs::read_to_string(fake_trainer()).unwrap() + "# rebuilt\n").unwrap();
    let start = |hours: f64, trainer: &Path, more: &str| {
        let trainer = trainer.display();
        let line =
            format!("--model slow --hours {hours} --trainer {trainer} --skip-download {more}");
        home.dfr(&format!("full --modality video --skip-export {line}"))
    };
    let way_out = ["results/checkpoints/video/resume", "another --out"];
    for (output, words) in [
        (
            start(0.01, &fake_trainer(), "--seed 1 --lr 0.5"),
            ["--seed (then 0, now 1)", "now learning_rate=0.5 schedule=cosine)"],
        ),
        (
            start(0.02, &fake_trainer(), ""),
            ["differs from it in --hours, in seconds (then 36, now 72)", "as it was started then"],
        ),
        (start(0.01, &rebuilt, ""), ["differs from it in dfr-train (--trainer)", "SHA-256"]),
    ] {
        refused(&output, exit::CONFIGURATION, &[words, way_out].concat());
    }
    assert_eq!(standing(), before);
    assert_eq!(noted(&home), notes);
    let said = done(&full(&home, "").output().unwrap());
    assert!(said.contains("train: goes on with "), "{said}");
    check_steps(&noted(&home));
}

#[test]
fn a_training_by_hand_overwrites_no_full_one() {
    let home = cut_short();
    let train = |more: &str| {
        let trainer = fake_trainer();
        let line = format!("--preset ok --time-budget 1 --trainer {} {more}", trainer.display());
        home.dfr(&format!("train --modality video {line}"))
    };
    let holds = "results/checkpoints/video holds";
    let words = [holds, "was cut short: slow for 36 s", "another --out"];
    refused(&train(""), exit::CONFIGURATION, &words);
    done(&full(&home, "").output().unwrap());
    refused(&train(""), exit::CONFIGURATION, &[holds, "the weights of a full training"]);
    done(&train("--out elsewhere"));
    // Once others lie there, nothing of it can be lost.
    fs::write(home.path(OUT).join("model.safetensors"), "others").unwrap();
    done(&train(""));
}

#[test]
fn a_loss_that_is_not_finite_is_told_with_the_way_out() {
    let home = Home::with_clips();
    let trainer = fake_trainer();
    let line = format!(
        "full --modality video --model nan --skip-download --trainer {}",
        trainer.display()
    );
    let words = ["the loss was not finite", "checkpoints/video/resume", "--lr", "another --out"];
    refused(&home.dfr(&line), exit::NOT_FINITE, &words);
    fs::remove_dir_all(home.path(OUT).join("resume")).unwrap();
    refused(&home.dfr(&format!("{line} --lr 0.1")), exit::NOT_FINITE, &words);
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
    let refused = |more: &str, code: u8, words: &str| {
        let output = home.dfr(&format!("full --modality video --skip-download {more}"));
        refused(&output, code, &[words]);
    };
    refused("--from-tag night --trainer x", exit::USAGE, "--trainer");
    refused("--hours 0", exit::USAGE, "above 0");
    refused("--hours 1e17", exit::USAGE, "at most 744");
    refused("--task video-sample", exit::USAGE, "not about downloaded data");
    refused("--trainer none", exit::CONFIGURATION, "--trainer none: no such file");
    assert!(!home.path("cache/packs").exists(), "nothing is packed before that is known");
}

/// A copy of this program with a stand-in for dfr-daemon beside it, which would train a keep for the task in
/// `task.json` if there is that file.
struct Beside {
    home: Home,
}

impl Beside {
    fn new() -> Self {
        let home = Home::with_clips();
        fs::create_dir_all(home.path("bin")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_dfr"), home.path("bin/dfr")).unwrap();
        Self { home }
    }

    fn add_daemon(&self) {
        let daemon = self.home.path("bin/dfr-daemon");
        let script = "#!/bin/sh\ncase $* in\n*--check) cat task.json || { echo 'no session night' >&2; exit 3; };;\n\
            *) echo \"asked: $*\"; exit 4;;\nesac\n";
        fs::write(&daemon, script).unwrap();
        fs::set_permissions(&daemon, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The session trains for this task.
    fn set_task(&self, task: &str) {
        let checked = Checked {
            tag: "night".to_owned(),
            experiment: 3,
            modality: Modality::Video,
            task: task.to_owned(),
        };
        let checked = serde_json::to_string(&checked).unwrap();
        fs::write(self.home.path("work/task.json"), checked).unwrap();
    }

    fn full(&self, arguments: &str) -> Output {
        let usual = self.home.command(&format!("full --from-tag night {arguments}"));
        let mut command = Command::new(self.home.path("bin/dfr"));
        command.args(usual.get_args()).env_clear().current_dir(self.home.path("work"));
        command.envs(usual.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.output().unwrap()
    }
}

/// Its program is a candidate's: it is not this process that runs it.
#[test]
fn a_sessions_keep_is_handed_to_the_daemon_beside_this_program() {
    let beside = Beside::new();
    let missing = beside.full("--modality video --skip-download");
    refused(&missing, exit::CONFIGURATION, &["no dfr-daemon"]);
    beside.add_daemon();
    let own = tasks::built_in("video").unwrap();
    let own = own.replace("name = \"video\"", "name = \"own\"").replace("= 224", "= 32");
    beside.set_task(&own);
    let asked = beside.full("--modality video --skip-download --hours 0.5 --skip-export");
    let said = text(&asked.stdout);
    let words = "asked: full --tag night --hours 0.5 --checkpoint-minutes 10 --skip-export\n";
    assert!(
        said.contains("night: experiment 3, for task own\n") && said.ends_with(words),
        "{said}"
    );
    assert_eq!(asked.status.code(), Some(4), "{said}");
    // The newest data is what it trains on, as its session's task says.
    let packs = fs::read_dir(beside.home.path("cache/packs/video")).unwrap();
    let packs: Vec<_> = packs.map(|pack| pack.unwrap().file_name()).collect();
    assert_eq!(packs, ["16x32x32-benchmark-80-10-10"]);
}

#[test]
fn what_the_daemon_would_not_train_is_refused_before_anything_is_fetched() {
    let beside = Beside::new();
    beside.add_daemon();
    let words = ["no session night", "--from-tag night", "nothing was fetched"];
    refused(&beside.full("--modality video --skip-download"), exit::CONFIGURATION, &words);
    fs::write(beside.home.path("work/task.json"), "trained").unwrap();
    refused(
        &beside.full("--modality video --skip-download"),
        exit::CONFIGURATION,
        &["is not understood"],
    );
    beside.set_task(tasks::built_in("video-sample").unwrap());
    let about = "task video-sample is about video, not image";
    refused(&beside.full("--modality image --skip-download"), exit::USAGE, &[about]);
    let own = "session night trains for its own task video-sample, not for video: leave --task out";
    refused(&beside.full("--modality video --skip-download --task video"), exit::USAGE, &[own]);
    beside.set_task(tasks::built_in("video").unwrap());
    refused(
        &beside.full("--modality video --skip-download --sample"),
        exit::USAGE,
        &["not about sample data"],
    );
    assert!(
        !beside.home.path("cache/packs").exists() && !beside.home.path("work/results").exists()
    );
    assert_eq!(beside.full("--modality video --skip-download --task video").status.code(), Some(4));
}
