//! `dfr prepare` against a hub on this machine.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod support;

#[expect(dead_code, reason = "dfr-media's tests use the rest")]
#[path = "../../media/tests/support/hub.rs"]
mod hub;
#[path = "../../media/tests/support/png.rs"]
mod png;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;

use hub::{Fault, Hub};
use png::png;
use support::ffmpeg;

struct Home {
    dir: tempfile::TempDir,
    hub: Hub,
}

impl Home {
    fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap(), hub: Hub::start() };
        fs::create_dir_all(home.path("work/datasets")).unwrap();
        home
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn dfr(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dfr"));
        command.args(arguments.split_whitespace()).env_clear().current_dir(self.path("work"));
        command.env("HOME", self.dir.path()).env("DFRESEARCH_CACHE", self.path("cache"));
        command.env("DFR_FFMPEG", ffmpeg().program()).env("PATH", "/usr/bin:/bin");
        command.env("HF_ENDPOINT", &self.hub.url);
        command.env("DFR_GASBENCH_CONFIGS", format!("{}/configs", self.hub.url));
        command
    }

    /// The pair of configurations of images: data sets by name and class.
    fn configure(&self, word: &str, format: &str, sets: &[(&str, &str)]) {
        for class in ["real", "synthetic"] {
            let entry = |(name, media_type): &(&str, &str)| {
                format!(
                    "  - {{name: {name}, path: o/{name}, media_type: {media_type}, source_format: \
                     {format}, media_per_archive: -1, archives_per_dataset: -1}}\n"
                )
            };
            let of_class = sets.iter().filter(|(_, m)| (*m == "real") == (class == "real"));
            let text = format!("datasets:\n{}", of_class.map(entry).collect::<String>());
            self.hub.put_text(&format!("/configs/{class}_{word}.yaml"), &text);
        }
    }

    fn with_pictures(each: u32) -> Self {
        let home = Self::new();
        for (n, name) in (0..).zip(["camera", "model"]) {
            for i in 0..each {
                home.hub.put(&format!("o/{name}"), &format!("{i}.png"), &png(n * 10_000 + i));
            }
        }
        home
    }

    /// Every file of a data set but its mark, with its bytes.
    fn files(&self, cache: &str, name: &str) -> BTreeMap<String, Vec<u8>> {
        let folder = self.path(cache).join("datasets/image").join(name);
        let read = |entry: std::io::Result<fs::DirEntry>| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        };
        fs::read_dir(folder).unwrap().map(read).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(output: &Output) -> u8 {
    output.status.code().unwrap().try_into().unwrap()
}

/// Serves each data set of real clips below `root`, and gives their names and classes.
fn serve_clips(hub: &Hub, root: &Path) -> Vec<(String, &'static str)> {
    let folders = fs::read_dir(root.join("datasets/video")).unwrap();
    let mut sets = Vec::new();
    for folder in folders.map(|folder| folder.unwrap().path()).filter(|path| path.is_dir()) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for file in fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "mp4") {
                let path = format!("clips/{}", file.file_name().unwrap().to_string_lossy());
                hub.put(&format!("o/{name}"), &path, &fs::read(&file).unwrap());
            }
        }
        let media_type = if name.ends_with("real") { "real" } else { "synthetic" };
        sets.push((name, media_type));
    }
    sets
}

#[test]
fn clips_are_fetched_packed_and_used_again_without_network() {
    let home = Home::new();
    make(
        &home.path("source"),
        SampleSet { modality: Modality::Video, recordings: 3 },
        &ffmpeg(),
        &|| (),
    )
    .unwrap();
    let sets = serve_clips(&home.hub, &home.path("source"));
    let sets: Vec<(&str, &str)> =
        sets.iter().map(|(name, class)| (name.as_str(), *class)).collect();
    home.configure("videos", "mp4", &sets);
    let output = home.dfr("prepare --modality video");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(code(&output), exit::OK, "{stdout}{stderr}");
    let count = sets.len() * 3;
    let total = format!("Total: {count} video samples across {} datasets ({count} new", sets.len());
    assert!(stdout.contains(&total), "{stdout}");
    assert!(stdout.contains("pack written"), "{stdout}");
    assert!(stderr.contains(&format!("[{}] 3 samples in ", sets[0].0)), "{stderr}");
    for name in ["real_videos.yaml", "synthetic_videos.yaml"] {
        assert!(home.path("cache/gasbench_configs").join(name).is_file());
    }
    home.hub.requests();
    let again = home.dfr("prepare --modality video");
    assert_eq!(code(&again), exit::OK);
    assert!(text(&again.stdout).contains("pack is complete"));
    assert!(home.hub.requests().is_empty(), "what is there needs no network");
    let verify = home.dfr("prepare --verify --modality video");
    let table = text(&verify.stdout);
    assert!(table.contains("3 OK") && !table.contains("problem"), "{table}");
    home.hub.put_text("/configs/real_videos.yaml", "datasets: []\n");
    let refreshed = home.dfr("prepare --refresh-configs --modality video");
    assert_eq!(code(&refreshed), exit::OK);
    assert!(text(&refreshed.stdout).contains("fetched real_videos.yaml, synthetic_videos.yaml"));
    assert!(!text(&home.dfr("prepare --verify --modality video").stdout).contains("-real"));
    home.hub.put_text("/configs/real_videos.yaml", "<html>");
    assert_eq!(code(&home.dfr("prepare --refresh-configs --modality video")), exit::CONFIGURATION);
    assert_eq!(code(&home.dfr("prepare --verify --modality video")), exit::OK, "a good copy stays");
}

#[test]
fn sets_that_cannot_be_had_are_listed_with_their_reason_and_the_code_says_so() {
    let home = Home::with_pictures(40);
    let bad = [("gated", "real"), ("missing", "synthetic"), ("limited", "real")];
    let sets = [&[("camera", "real"), ("model", "synthetic")][..], &bad].concat();
    home.configure("images", "png", &sets);
    home.hub.put("o/gated", "a.png", &png(1));
    home.hub.put("o/limited", "a.png", &png(2));
    home.hub.fail_always("o/gated/", Fault::Status(401, None));
    home.hub.fail_always("o/limited/", Fault::Status(429, Some(3600)));
    let output = home.dfr("prepare --modality image --max-samples 30");
    let stdout = text(&output.stdout);
    assert_eq!(code(&output), exit::PARTIAL, "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("Total: 60 image samples across 2 datasets (60 new"), "{stdout}");
    for words in [
        "incomplete: gated (0 samples): ",
        "set HF_TOKEN",
        "incomplete: missing (0 samples): ",
        "not there (404)",
        "incomplete: limited (0 samples): ",
        "too many requests (wait 3600 s)",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let only_bad = Home::new();
    only_bad.configure("images", "png", &bad);
    let output = only_bad.dfr("prepare --modality image");
    assert_eq!(code(&output), exit::OUTSIDE, "{}", text(&output.stdout));
}

#[test]
fn a_budget_is_kept_and_said() {
    let home = Home::with_pictures(100);
    home.configure("images", "png", &[("camera", "real"), ("model", "synthetic")]);
    let output = home.dfr("prepare --modality image --max-gb 0.0001");
    let stdout = text(&output.stdout);
    assert_eq!(code(&output), exit::PARTIAL, "{stdout}");
    assert!(stdout.contains("the byte budget is spent: raise --max-gb"), "{stdout}");
    assert!(!home.files("cache", "model").is_empty() && !home.files("cache", "camera").is_empty());
}

#[test]
fn a_list_of_ones_own_is_enough_and_a_token_from_the_env_file_is_sent() {
    let home = Home::with_pictures(10);
    let own = "datasets:\n  - {name: camera, path: o/camera, media_type: real, source_format: png}\n  \
               - {name: model, path: o/model, media_type: synthetic, source_format: png}\n";
    fs::write(home.path("work/datasets/image.yaml"), own).unwrap();
    fs::write(home.path("work/.env"), "HF_TOKEN=hf_mine\n").unwrap();
    let output = home.dfr("prepare --modality image");
    assert!(text(&output.stderr).contains("using datasets/image.yaml alone"));
    assert_eq!(
        home.files("cache", "camera").keys().filter(|name| name.ends_with("png")).count(),
        10
    );
    let requests = home.hub.requests();
    let listing = requests.iter().find(|request| request.path.contains("/api/")).unwrap();
    assert_eq!(listing.authorization.as_deref(), Some("Bearer hf_mine"));
    let configs = requests.iter().filter(|request| request.path.contains("/configs/"));
    assert!(configs.count() > 0);
}

#[test]
fn killed_anywhere_it_goes_on_to_the_same_files_without_a_half_one() {
    let home = Home::with_pictures(120);
    home.configure("images", "png", &[("camera", "real"), ("model", "synthetic")]);
    let mut whole = home.command("prepare --modality image --max-samples 60");
    whole.env("DFRESEARCH_CACHE", home.path("whole")).output().unwrap();
    home.hub.fail_always("/resolve/", Fault::Slow(20));
    let manifest = home.path("cache/datasets/image/camera/manifest.jsonl");
    let lines = || fs::read_to_string(&manifest).unwrap_or_default().lines().count();
    for kill_after in [1, 7, 20, 33, 50] {
        let mut dfr = home.command("prepare --modality image --max-samples 60");
        let mut dfr = dfr.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while lines() < kill_after {
            assert!(dfr.try_wait().unwrap().is_none(), "it ended before it was killed");
            sleep(Duration::from_millis(1));
        }
        dfr.kill().unwrap();
        dfr.wait().unwrap();
        let shown = home.files("cache", "camera");
        for (name, bytes) in shown.iter().filter(|(name, _)| !name.starts_with('.')) {
            assert!(
                name == "manifest.jsonl" || bytes.ends_with(b"IEND\xaeB`\x82"),
                "{name} is half"
            );
        }
        assert!(!shown.contains_key(".download_complete"));
    }
    home.hub.heal();
    home.dfr("prepare --modality image --max-samples 60");
    for name in ["camera", "model"] {
        assert_eq!(home.files("cache", name), home.files("whole", name), "{name}");
    }
}

#[test]
fn a_long_training_tops_up_what_is_there_and_asks_the_hub_no_more_once_that_is_done() {
    let home = Home::with_pictures(160);
    home.configure("images", "png", &[("camera", "real"), ("model", "synthetic")]);
    let full = |samples: u32| {
        let output =
            home.dfr(&format!("full --modality image --download-only --max-samples {samples}"));
        assert_eq!(code(&output), exit::OK, "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let first = full(100);
    assert!(first.contains("Total: 200 image samples across 2 datasets (200 new"), "{first}");
    let more = full(150);
    assert!(more.contains("Total: 300 image samples across 2 datasets (100 new"), "{more}");
    assert!(more.contains("pack for task image: 300 files"), "{more}");
    home.hub.requests();
    let again = full(150);
    assert!(again.starts_with("download: is done\n") && again.contains("is complete"), "{again}");
    assert!(home.hub.requests().is_empty(), "nothing is fetched again");
}
