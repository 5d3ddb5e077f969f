//! Damaged and hostile files through the real `dfr` with its workers and the real ffmpeg. `MUTATED=1000`
//! for more of them, as `make mutated` does.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use support::ffmpeg;

/// Largest that any process of a pack may be: a worker has 1 GiB of addresses, ffmpeg 16 frames of
/// 27 MiB, and what decodes them.
const PEAK_MIB: i64 = 1024;

fn encoded(source: &str, arguments: &[&str], to: &Path) {
    let mut command = Command::new(ffmpeg().program());
    command.args(["-y", "-loglevel", "error", "-f", "lavfi", "-i", source]).args(arguments).arg(to);
    assert!(command.status().unwrap().success(), "{source}");
}

/// Whole files that are odd: a clip of one frame, one of very large frames, a sound of eight channels.
fn odd(modality: Modality, folder: &Path) {
    let file = |name: &str| folder.join(name);
    match modality {
        Modality::Image => {
            encoded("color=s=14000x13000,format=gray", &["-frames:v", "1"], &file("800000.png"));
        }
        Modality::Video => {
            encoded("testsrc=s=64x64", &["-frames:v", "1"], &file("800000.mp4"));
            let quick = ["-frames:v", "2", "-threads", "1", "-preset", "ultrafast"];
            encoded("color=s=5000x5000", &quick, &file("800001.mp4"));
        }
        Modality::Audio => {
            encoded("aevalsrc=0.3*sin(440*t)|0|0|0|0|0|0|0:d=1", &[], &file("800000.wav"));
            let mut crowded = fs::read(file("800000.wav")).unwrap();
            crowded[22] = 100;
            fs::write(file("800001.wav"), crowded).unwrap();
        }
    }
}

fn damaged(whole: &[u8], draws: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = draws.random_range(0..whole.len());
    match draws.random_range(0..6) {
        0 => bytes.truncate(at),
        1 => bytes.clear(),
        2 => bytes[at] ^= 1 << draws.random_range(0..8),
        3 => {
            for _ in 0..40 {
                bytes[draws.random_range(0..whole.len())] = draws.random();
            }
        }
        // Sizes, rates, channels and lengths, as large as they can be said.
        4 => bytes[at.min(60)..][..4].fill(0xff),
        _ => draws.fill_bytes(&mut bytes[at..]),
    }
    bytes
}

/// Files of a sample set and so many damaged ones beside them; how many there are in all.
fn files(modality: Modality, cache: &Path, times: usize) -> usize {
    // Enough that every part has both classes.
    let recordings = if modality == Modality::Audio { 12 } else { 4 };
    let set = SampleSet { modality, recordings };
    make(cache, set, &ffmpeg(), &|| ()).unwrap();
    let folders = cache.join("datasets").join(modality.as_str());
    let mut folders: Vec<PathBuf> = paths(&folders);
    folders.sort();
    let whole: Vec<PathBuf> = folders.iter().flat_map(|folder| media(folder)).collect();
    let mut draws = ChaCha8Rng::seed_from_u64(17);
    for turn in 0..times {
        let from = whole.choose(&mut draws).unwrap();
        let name = format!("{:06}.{}", 900_000 + turn, from.extension().unwrap().to_str().unwrap());
        let bytes = damaged(&fs::read(from).unwrap(), &mut draws);
        fs::write(folders.choose(&mut draws).unwrap().join(name), bytes).unwrap();
    }
    odd(modality, &folders[0]);
    folders.iter().map(|folder| media(folder).len()).sum()
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn media(folder: &Path) -> Vec<PathBuf> {
    let numbered = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.len() == 6);
    let mut files: Vec<PathBuf> = paths(folder).into_iter().filter(numbered).collect();
    files.sort();
    files
}

#[test]
fn every_file_is_packed_or_named_with_its_reason() {
    let times = std::env::var("MUTATED").map_or(90, |times| times.parse().unwrap());
    for modality in [Modality::Image, Modality::Video, Modality::Audio] {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("cache");
        let all = files(modality, &cache, times / 3);
        let mut dfr = Command::new(env!("CARGO_BIN_EXE_dfr"));
        dfr.args(["seal", "--modality", modality.as_str()]).current_dir(home.path());
        dfr.env("DFRESEARCH_CACHE", &cache).env("DFR_FFMPEG", ffmpeg().program());
        let output = dfr.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!complaints.contains("panicked"), "{complaints}");
        assert_eq!(output.status.code(), Some(i32::from(exit::PARTIAL)), "{told}{complaints}");

        let pack = pack(&cache, modality);
        let lost = pack["left_out"].as_array().unwrap();
        let records = |source: &serde_json::Value| {
            let records = source["records"].as_array().unwrap();
            records.iter().map(|count| count.as_u64().unwrap()).sum::<u64>()
        };
        let packed: u64 = pack["sources"].as_array().unwrap().iter().map(records).sum();
        assert_eq!(packed + lost.len() as u64, all as u64, "{told}");
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for left_out in lost {
            let reason = left_out["reason"].as_str().unwrap();
            assert!(!reason.trim().is_empty() && !reason.contains("panicked"), "{left_out}");
            *reasons.entry(reason.chars().take(40).collect()).or_default() += 1;
        }
        println!("{modality}: {packed} packed, {} named, {reasons:#?}", lost.len());
        assert!(peak_mib() < PEAK_MIB, "{} MiB", peak_mib());
    }
}

fn pack(cache: &Path, modality: Modality) -> serde_json::Value {
    let inputs = paths(&cache.join("packs").join(modality.as_str()));
    let text = fs::read_to_string(inputs[0].join("current/pack.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Of the largest process that ended below this one, in MiB.
fn peak_mib() -> i64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024
}
