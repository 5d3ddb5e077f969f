//! Exams: with gasbench, for which a program stands in, and without it, where scripts stand in for Python. Those that
//! a model really answers need torch for Python: with EXPORT_CHECK=1 only (make export-check).

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use dfr_contract::exit;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::home::{Home, text};
use crate::made::{MODEL, YAML, python, torch_python, weights, zip};
use crate::{code, exam};

const SIDE: u32 = 32;

/// A BMP of noise around a brightness.
fn picture(seed: u64, level: u8) -> Vec<u8> {
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let pixels = (0..SIDE * SIDE * 3).map(|_| level - 40 + draws.random_range(0..80));
    let head = [54 + SIDE * SIDE * 3, 0, 54, 40, SIDE, SIDE, 1 | 24 << 16, 0, 0, 0, 0, 0, 0];
    b"BM".iter().copied().chain(head.into_iter().flat_map(u32::to_le_bytes)).chain(pixels).collect()
}

/// Bright pictures and dark ones in `folder(<data set>)`.
fn pictures(folder: impl Fn(&str) -> PathBuf, each: u64) {
    for (name, level, first) in [("bright", 200, 0), ("dark", 50, 1000)] {
        let folder = folder(name);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..each {
            fs::write(folder.join(format!("{number:06}.bmp")), picture(first + number, level))
                .unwrap();
        }
    }
}

/// A home with pictures in the layout of gasbench's cache: what is bright is synthetic.
fn with_pictures() -> Home {
    let home = Home::new();
    pictures(|name| home.path(&format!("data/datasets/{name}/samples")), 40);
    for (name, media_type) in [("bright", "synthetic"), ("dark", "real")] {
        let info = format!(r#"{{"media_type": "{media_type}", "modality": "image"}}"#);
        fs::write(home.path(&format!("data/datasets/{name}/dataset_info.json")), info).unwrap();
    }
    home
}

/// An archive of pictures whose `forward` returns that.
fn archive(home: &Home, answer: &str) -> PathBuf {
    let module = MODEL.replace("self.bias.expand(x.shape[0], 2)", answer);
    assert_ne!(module, MODEL);
    zip(
        home,
        &module,
        &YAML.replace("video", "image").replace("  num_frames: 2\n", ""),
        &weights("bias"),
    )
}

fn of_pictures(zip: &Path, python: &Path, more: &str) -> String {
    exam(zip, python).replace("--modality video", "--modality image") + " " + more
}

const BRIGHT_IS_SYNTHETIC: &str = "torch.stack([-self.light(x), self.light(x)], 1)\n\n    \
     def light(self, x):\n        return x.float().mean((1, 2, 3)) / 127.5 - self.bias[1]";

#[test]
fn brightness_passes_where_it_tells_the_classes_and_fails_the_other_way_round() {
    let Some(python) = torch_python() else { return };
    let home = with_pictures();
    let asked = |answer: &str| {
        let output = home.dfr(&of_pictures(&archive(&home, answer), &python, "--data ../data"));
        (code(&output), text(&output.stdout))
    };
    let (passed, said) = asked(BRIGHT_IS_SYNTHETIC);
    assert_eq!(passed, exit::OK, "{said}");
    assert!(
        said.contains("PASS: 100.00 % of 80") && said.contains("accuracy:          1.0"),
        "{said}"
    );
    let bright = said.lines().find(|line| line.starts_with("bright ")).unwrap();
    assert_eq!(bright.split_whitespace().nth(2), Some("40"), "{said}");
    let swapped = BRIGHT_IS_SYNTHETIC
        .replace("-self.light(x), self.light(x)", "self.light(x), -self.light(x)");
    let (failed, said) = asked(&swapped);
    assert_eq!(failed, exit::REFUSED, "{said}");
    assert!(said.contains("FAIL: 0.00 % of 80"), "{said}");
}

#[test]
fn a_largest_share_that_is_real_and_a_tie_are_real() {
    let Some(python) = torch_python() else { return };
    let home = with_pictures();
    fs::remove_dir_all(home.path("data/datasets/bright")).unwrap();
    for logits in [
        "torch.tensor([[0.4, 0.3, 0.3]]).log()",
        "torch.tensor([[7.0, 7.0]])",
        "torch.tensor([[0.0]])",
    ] {
        let zip = archive(&home, &format!("{logits}.repeat(x.shape[0], 1)"));
        check(
            &home.dfr(&of_pictures(&zip, &python, "--data ../data")),
            exit::OK,
            &["PASS: 100.00 % of 40"],
        );
    }
    let nan = archive(&home, "torch.full((x.shape[0], 2), float('nan'))");
    let output = home.dfr(&of_pictures(&nan, &python, "--data ../data"));
    assert_eq!(code(&output), exit::REFUSED);
    assert!(text(&output.stderr).contains("record 0 with NaN"), "{}", text(&output.stderr));
}

/// A home whose pictures lie elsewhere than in the cache, and are sealed.
fn sealed() -> Home {
    let home = Home::new();
    pictures(|name| home.path(&format!("elsewhere/datasets/image/{name}")), 60);
    let seal = "seal --modality image --data ../elsewhere --media-type bright=synthetic --media-type dark=real";
    assert_eq!(code(&home.dfr(seal)), exit::OK);
    home
}

#[test]
fn a_pack_that_was_sealed_elsewhere_is_asked_about() {
    let Some(python) = torch_python() else { return };
    let home = sealed();
    let zip = archive(&home, BRIGHT_IS_SYNTHETIC);
    let output = home.dfr(&of_pictures(&zip, &python, ""));
    assert_eq!(code(&output), exit::OK, "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("PASS: 100.00 %"));
}

/// A program that stands in for Python: it finds no broken rule, and does that where a submission is asked.
fn script(home: &Home, when_asked: &str) -> PathBuf {
    let path = home.path("python");
    fs::write(&path, format!("#!/bin/sh\n[ $# -gt 5 ] || exit 0\n{when_asked}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn check(output: &Output, wanted: u8, words: &[&str]) {
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(i32::from(wanted)), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing: {said}");
    }
}

#[test]
fn what_is_no_answer_of_the_submission_is_no_verdict() {
    let home = sealed();
    let zip = archive(&home, "x");
    let silent = script(&home, "cat > /dev/null");
    check(
        &home.dfr(&of_pictures(&zip, &silent, "")),
        exit::REFUSED,
        &["model.py answered 0 of 22"],
    );
    fs::rename(home.path("elsewhere"), home.path("gone")).unwrap();
    let words = ["not one of 22 recordings", "elsewhere/datasets/image/", "dfr seal --data DIR"];
    check(&home.dfr(&of_pictures(&zip, &silent, "")), exit::CONFIGURATION, &words);
    // The same files, sealed again where they are now: the pack is reused.
    let seal =
        "seal --modality image --data ../gone --media-type bright=synthetic --media-type dark=real";
    check(&home.dfr(seal), exit::OK, &["pack is complete"]);
    check(
        &home.dfr(&of_pictures(&zip, &silent, "")),
        exit::REFUSED,
        &["model.py answered 0 of 22"],
    );
    let empty = format!("--data {}", home.path("cache").display());
    fs::create_dir_all(home.path("cache/datasets")).unwrap();
    let words = ["no recordings to ask about"];
    check(&home.dfr(&of_pictures(&zip, &silent, &empty)), exit::CONFIGURATION, &words);
}

#[test]
fn a_library_that_is_missing_and_answers_that_are_no_numbers_are_told_apart() {
    let home = with_pictures();
    let zip = archive(&home, "x");
    // Without the packages of any site.
    let bare = script(&home, &format!("exec {} -S \"$@\"", python().display()));
    let words = ["this python has no numpy", "make setup-python", "--python"];
    check(&home.dfr(&of_pictures(&zip, &bare, "--data ../data")), exit::CONFIGURATION, &words);
    let wild = script(&home, "cat > /dev/null; echo p 0.5 0; echo p nan 1");
    let words = ["model.py answers record 1 with NaN"];
    check(&home.dfr(&of_pictures(&zip, &wild, "--data ../data")), exit::REFUSED, &words);
    let yaml = format!("dtype: float16\n{}", YAML.replace("video", "image"));
    let half = crate::made::zip(&home, MODEL, &yaml, &weights("bias"));
    let words = ["with NaN", "--dtype bfloat16"];
    check(&home.dfr(&of_pictures(&half, &wild, "--data ../data")), exit::REFUSED, &words);
}

/// What dfr says where gasbench, on PATH, leaves these results.
fn by_gasbench(home: &Home, arguments: &str, results: &str) -> Output {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let mut command = home.command(arguments);
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    command.env("GASBENCH_RESULTS", results).output().unwrap()
}

const GOOD: &str = r#"{"results": {"total_samples": 50, "accuracy": 0.9, "sn34_score": 0.8},
    "per_dataset": {"dark": {"total": 50, "accuracy": 0.9}}}"#;

#[test]
fn the_real_benchmark_decides_where_it_is_installed() {
    let home = with_pictures();
    let arguments = of_pictures(&archive(&home, "x"), &python(), "--data ../data");
    let taken = |results: &str| code(&by_gasbench(&home, &arguments, results));
    let words = [
        "--small: 80 samples of bright dark",
        "  dark                                          50    0.900",
    ];
    check(&by_gasbench(&home, &arguments, GOOD), exit::OK, &words);
    assert_eq!(taken(r#"{"results": {"total_samples": 50, "accuracy": 0.7}}"#), exit::REFUSED);
    // It ends with 0 also when nothing was answered.
    assert_eq!(taken(r#"{"results": {"total_samples": 0, "accuracy": 1.0}}"#), exit::REFUSED);
    assert_eq!(taken("no results"), exit::OUTSIDE);
    // What an earlier run left passes nobody.
    assert_eq!(taken(GOOD), exit::OK);
    assert_eq!(taken("nothing"), exit::OUTSIDE);
    // One that cannot run is no fault of the submission; one that cannot load it says so.
    let words = ["requires the benchmark dependencies", "--offline"];
    check(&by_gasbench(&home, &arguments, "unusable"), exit::OUTSIDE, &words);
    let unloaded =
        r#"{"metadata": {"benchmark_completed": false}, "errors": ["ONNX runtime error: no key"]}"#;
    let words = ["does not work in Python", "no key"];
    check(&by_gasbench(&home, &arguments, unloaded), exit::REFUSED, &words);
    let silent = script(&home, "cat > /dev/null");
    let offline = of_pictures(&home.path("x.zip"), &silent, "--data ../data --offline");
    check(&by_gasbench(&home, &offline, GOOD), exit::REFUSED, &["model.py answered 0 of 80"]);
}

#[test]
fn the_real_benchmark_is_asked_about_the_recordings_of_a_task() {
    let home = sealed();
    let arguments = of_pictures(&archive(&home, "x"), &python(), "--task image --full");
    check(&by_gasbench(&home, &arguments, GOOD), exit::OK, &["--full: ", "samples of bright dark"]);
}

#[test]
fn an_exam_is_taken_offline_and_failed_by_a_constant() {
    let Some(python) = torch_python() else { return };
    let home = Home::with_clips();
    assert_eq!(home.dfr("prepare --modality video").status.code(), Some(0));
    let output = home.dfr(&exam(&zip(&home, MODEL, YAML, &weights("bias")), &python));
    let stdout = text(&output.stdout);
    assert_eq!(code(&output), exit::REFUSED, "{}", text(&output.stderr));
    assert!(stdout.contains("FAIL: 50.00 %") && stdout.contains("-synthetic  "), "{stdout}");
    assert!(home.path("work/results/exams/x.json").is_file());
    let output = home.dfr(&exam(&zip(&home, MODEL, YAML, &weights("other")), &python));
    assert_ne!(code(&output), exit::OK);
    assert!(text(&output.stderr).contains("Missing key(s)"), "{}", text(&output.stderr));
}
