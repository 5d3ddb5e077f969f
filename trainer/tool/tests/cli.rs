//! The real `dfr` in a hermetic environment: real media, and a shell script for `dfr-train`.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use dfr_contract::exit;
use dfr_contract::footer::Footer;
use dfr_contract::modality::Modality;
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;
use home::{Home, fake_trainer, text};
use support::ffmpeg;

/// Runs a command that must fail with `code` and say all of `words`, and leave the cache empty.
fn refused(arguments: &str, code: u8, words: &[&str]) {
    let home = Home::new();
    let output = home.dfr(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(code)), "{arguments}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{arguments}: {stderr}");
    }
    assert!(!home.path("cache").exists(), "{arguments} created something");
}

#[test]
fn bad_input_is_refused_with_the_way_out_and_creates_nothing() {
    refused("prepare --modality smell", exit::USAGE, &["image, video or audio"]);
    let words = ["cannot fetch", "by hand", "cache/gasbench_configs", "--sample"];
    refused("prepare --modality video", exit::OUTSIDE, &words);
    refused("prepare --modality video --max-samples 0", exit::USAGE, &["max-samples"]);
    refused("prepare --modality video --max-gb 0", exit::USAGE, &["max-gb"]);
    refused("prepare --verify --modality video", exit::CONFIGURATION, &["video_datasets.yaml"]);
    refused("prepare --modality video --task x", exit::USAGE, &["image, image-sample, video"]);
    refused("prepare --modality image --task audio", exit::USAGE, &["task audio is about audio"]);
    refused("prepare --sample --modality video --task video", exit::USAGE, &["--sample"]);
    refused("seal --modality video --data /no/such", exit::CONFIGURATION, &["/no/such/datasets"]);
    refused("seal --modality video --task video-sample", exit::USAGE, &["video-sample"]);
    refused("seal --modality video --media-type a=fake", exit::USAGE, &["semisynthetic"]);
    refused("audit --modality video", exit::CONFIGURATION, &["dfr prepare"]);
    refused("prepare --modality video --workers 0", exit::USAGE, &["workers"]);
    for budget in ["0", "1000001", "18446744073709551615"] {
        let arguments = format!("train --modality video --time-budget {budget}");
        refused(&arguments, exit::USAGE, &["--time-budget", "1..=1000000"]);
    }
    let build_line = "`cargo build --release -p dfr-trainer`";
    refused(
        "train --modality video --trainer /no/such",
        exit::CONFIGURATION,
        &["/no/such", build_line],
    );
    refused("train --modality video --trainer /bin/sh", exit::CONFIGURATION, &["dfr prepare"]);
}

/// The decoders are processes of `dfr`: with one pool the rest is decoded after a damaged file too.
#[test]
fn pictures_and_sounds_are_packed_and_a_damaged_file_is_named() {
    for modality in [Modality::Image, Modality::Audio] {
        let home = Home::new();
        let set = SampleSet { modality, recordings: 3 };
        make(&home.path("cache"), set, &ffmpeg(), &|| ()).unwrap();
        let clean = home.dfr(&format!("prepare --modality {modality} --workers 2"));
        let (stdout, stderr) = (text(&clean.stdout), text(&clean.stderr));
        assert_eq!(clean.status.code(), Some(i32::from(exit::OK)), "{stdout}{stderr}");
        assert!(stdout.contains(&format!("pack for task {modality}: 36 files, ")), "{stdout}");
        let folder = home.path(&format!("cache/datasets/{modality}"));
        let dataset = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        let name = dataset.file_name().unwrap().to_str().unwrap().to_owned();
        let files = fs::read_dir(&dataset).unwrap().map(|file| file.unwrap().path());
        let bad =
            files.into_iter().find(|file| file.to_string_lossy().contains("/000001.")).unwrap();
        fs::write(&bad, "neither a picture nor a sound").unwrap();
        let output = home.dfr(&format!("seal --modality {modality}"));
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(i32::from(exit::PARTIAL)), "{stdout}");
        let bad = bad.file_name().unwrap().to_str().unwrap();
        assert!(stdout.contains(&format!("left out {name}/{bad}: cannot decode: ")), "{stdout}");
        let audit = home.dfr(&format!("audit --modality {modality}"));
        assert_eq!(audit.status.code(), Some(i32::from(exit::OK)), "{}", text(&audit.stderr));
        let verify = text(&home.dfr(&format!("prepare --verify --modality {modality}")).stdout);
        assert!(verify.contains("3 OK"), "{verify}");
    }
}

#[test]
fn completions_are_a_script_that_bash_reads_and_that_knows_the_flags() {
    let home = Home::new();
    let script = home.dfr("completions bash").stdout;
    let script = text(&script)
        + "COMP_WORDS=(dfr train --time); COMP_CWORD=2; _dfr dfr --time train; echo $COMPREPLY";
    let bash = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(text(&bash.stdout), "--time-budget\n", "{}", text(&bash.stderr));
    for shell in ["zsh", "fish"] {
        assert!(text(&home.dfr(&format!("completions {shell}")).stdout).contains("time-budget"));
    }
    assert_eq!(home.dfr("completions csh").status.code(), Some(i32::from(exit::USAGE)));
}

#[test]
fn nobody_but_a_pool_can_talk_to_a_decoder() {
    let output = Home::new().command("decode-worker").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(exit::OK)));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn a_corrupt_file_of_a_download_is_named_and_the_rest_is_packed() {
    let home = Home::with_clips();
    let bad = "datasets/video/sample-waves-real/000001.mp4";
    let bad = home.path("cache").join(bad);
    let whole = fs::read(&bad).unwrap();
    fs::write(&bad, &whole[..whole.len() / 2]).unwrap();
    let output = home.dfr("prepare --modality video --workers 2");
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(i32::from(exit::PARTIAL)), "{stdout}");
    assert!(stdout.contains("left out sample-waves-real/000001.mp4: cannot decode"), "{stdout}");
    assert!(stdout.contains("1 files were left out: they could not be used"), "{stdout}");
    let again = home.dfr("prepare --modality video");
    assert_eq!(again.status.code(), Some(i32::from(exit::PARTIAL)));
    assert!(text(&again.stdout).contains("is complete"));
}

/// Bytes and time of every file and folder below one.
fn tree(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = open.pop() {
        let meta = fs::metadata(&path).unwrap();
        let bytes = if meta.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        found.insert(path, (bytes, meta.modified().unwrap()));
    }
    found
}

#[test]
fn sealing_changes_nothing_of_the_original_names_what_is_corrupt_and_says_how_to_go_on() {
    let home = Home::with_clips_in("data");
    let bad = home.path("data/datasets/video/sample-waves-real/000001.mp4");
    fs::write(&bad, "no video").unwrap();
    // Without a configuration: each folder's manifest says what it is.
    fs::remove_dir_all(home.path("data/gasbench_configs")).unwrap();
    let before = tree(&home.path("data"));
    let seal = format!("seal --modality video --data {}", home.path("data").display());
    let output = home.dfr(&seal);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(i32::from(exit::PARTIAL)), "{}", text(&output.stderr));
    assert!(stdout.contains("left out sample-waves-real/000001.mp4: cannot decode"), "{stdout}");
    assert!(stdout.contains("1 files were left out: they could not be used"), "{stdout}");
    assert!(stdout.contains("dfr-daemon --task video --tag TAG"), "{stdout}");
    assert!(stdout.contains("no verdict: fewer than 200 of a class"), "{stdout}");
    let packs = home.path("cache/packs/video/16x224x224-benchmark-80-10-10");
    assert!(stdout.contains(&format!("in {}/", packs.display())), "{stdout}");
    let audit = home.dfr("audit --modality video");
    assert_eq!(audit.status.code(), Some(0), "{}", text(&audit.stderr));
    assert!(text(&audit.stdout).contains("audit of validation"));
    assert!(tree(&home.path("data")) == before, "something of the original was touched");
    assert!(home.path("cache/vault/shuffle.key").is_file());
    // A part that was touched since has a time of its own.
    fs::write(packs.join("current/holdout/notes"), "x").unwrap();
    let audit = home.dfr("audit --modality video");
    assert_eq!(audit.status.code(), Some(i32::from(exit::TELLS)));
    assert!(text(&audit.stdout).contains("holdout/notes does not belong there"));
}

#[test]
fn a_data_set_that_nothing_describes_is_asked_about_and_sealed_in_the_cache_itself() {
    let home = Home::with_clips();
    fs::remove_dir_all(home.path("cache/gasbench_configs")).unwrap();
    // A manifest that says both says nothing.
    let manifest = home.path("cache/datasets/video/sample-waves-real/manifest.jsonl");
    let lines = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, lines.replacen("\"real\"", "\"synthetic\"", 1)).unwrap();
    let output = home.dfr("seal --modality video");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(exit::CONFIGURATION)), "{stderr}");
    assert!(stderr.contains("--media-type sample-waves-real=WORD"), "{stderr}");
    assert!(stderr.contains("datasets/video.yaml"), "{stderr}");
    let before = tree(&home.path("cache/datasets"));
    let output = home.dfr("seal --modality video --media-type sample-waves-real=real");
    assert!(tree(&home.path("cache/datasets")) == before, "something of the original was touched");
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    let row = stdout.lines().find(|line| line.contains("sample-waves-real")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("real"), "{stdout}");
}

#[test]
fn verify_lists_the_cache_and_a_local_entry() {
    let home = Home::with_clips();
    fs::create_dir_all(home.path("work/datasets")).unwrap();
    let local = "datasets:\n  - {name: mine, path: o/m, media_type: real}\n";
    fs::write(home.path("work/datasets/video.yaml"), local).unwrap();
    let output = home.dfr("prepare --verify --modality video");
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(stdout.starts_with("\nCache status for video datasets:\n"), "{stdout}");
    assert!(stdout.contains("mine                                real                0 MISSING"));
    assert!(stdout.contains("Balance ratio: 1.00 (1.0 = perfect)"), "{stdout}");
}

#[test]
fn a_read_only_cache_is_named() {
    let home = Home::with_clips();
    // Root may write anywhere: a file in the way stops everybody.
    fs::write(home.path("cache/packs"), "in the way").unwrap();
    let output = home.dfr("prepare --modality video");
    assert_eq!(output.status.code(), Some(i32::from(exit::OUTSIDE)));
    assert!(text(&output.stderr).contains("cache/packs"), "{}", text(&output.stderr));
}

fn train(home: &Home, preset: &str) -> Command {
    let trainer = fake_trainer();
    assert!(trainer.metadata().unwrap().permissions().mode() & 0o111 != 0);
    let trainer = trainer.display();
    home.command(&format!(
        "train --modality video --preset {preset} --time-budget 1 --seed 7 --trainer {trainer}"
    ))
}

#[test]
fn training_by_hand_prints_the_full_footer_and_passes_failures_on() {
    let home = Home::with_clips();
    assert_eq!(home.dfr("prepare --modality video").status.code(), Some(0));
    let output = train(&home, "ok").output().unwrap();
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let footer = Footer::parse(&stdout).expect("a complete footer");
    assert_eq!(footer.claims.model, "fake-7");
    // Every clip has a twin of the other class: a constant is right on half of them.
    assert_eq!(footer.scores[1..], [0.5, 0.0, 0.3125]);
    let log = home.path("work/results/checkpoints/video/run.log");
    assert_eq!(Footer::parse(&fs::read_to_string(log).unwrap()), Some(footer));
    let failures = [
        ("nan", exit::NOT_FINITE, "train failed"),
        ("silent", exit::USAGE, "predict failed"),
        ("short", exit::OUTSIDE, "predictions for"),
    ];
    for (preset, code, words) in failures {
        let _ = fs::remove_dir_all(home.path("work/results"));
        let output = train(&home, preset).output().unwrap();
        let stderr = text(&output.stderr);
        assert!(stderr.contains(words), "{preset}: {stderr}");
        assert_eq!(output.status.code(), Some(i32::from(code)), "{preset}: {stderr}");
    }
}

#[test]
fn ctrl_c_ends_a_trainer_that_hangs() {
    let home = Home::with_clips();
    assert_eq!(home.dfr("prepare --modality video").status.code(), Some(0));
    let mut dfr = train(&home, "hang").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(dfr.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "clock started");
    let kill = Command::new("kill").args(["-INT", &dfr.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(dfr.wait().unwrap().code(), Some(i32::from(exit::INTERRUPTED)));
}
