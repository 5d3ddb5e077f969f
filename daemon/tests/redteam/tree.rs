//! A researcher's own small repository, all of which may be edited: what comes of a careless scope.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::pack::{Contents, Signal};

/// Records of the parts: few, so that all is quick.
pub const CONTENTS: Contents = Contents { records: [64, 64, 64], signal: Signal::FirstByte };

/// The whole of the repository may be edited.
pub const TASK: &str = r#"name = "redteam"
modality = "video"
preset = "tiny"
input = { frames = 1, height = 8, width = 8, preprocessing = "original", source = "downloaded", splits = { train = 80, validation = 10, holdout = 10 } }
edit = { paths = ["**"], recipe = "src/lab.rs" }
budget = { train_s = 1, build_s = 60, smoke_s = 10, predict_s = 10 }
[commands]
build = ["cargo", "build", "--locked", "--offline", "--target-dir", "{target}"]
product = "{target}/debug/tiny"
smoke = ["{program}", "smoke", "--data", "{pack}/train"]
train = ["{program}", "train", "--data", "{pack}/train", "--out", "{run}"]
predict = ["{program}", "predict", "--inputs", "{inputs}", "--model", "{run}", "--out", "{out}"]
[score]
labels = "{pack}/vault/validation.labels.u8"
sources = "{pack}/vault/ids.tsv"
objective = "sn34_score"
columns = ["sn34_score", "accuracy"]
[score.holdout]
inputs = "{pack}/holdout"
labels = "{pack}/vault/holdout.labels.u8"
"#;

/// The package, before anybody edits it.
pub const MANIFEST: &str = r#"[workspace]
members = ["harness"]
[package]
name = "tiny"
version = "0.1.0"
edition = "2024"
[dependencies]
harness = { path = "harness" }
[profile.dev]
debug = false
incremental = false
"#;

/// What the manifest comes to.
pub const LOCK: &str = r#"version = 4

[[package]]
name = "harness"
version = "0.1.0"

[[package]]
name = "tiny"
version = "0.1.0"
dependencies = ["harness"]
"#;

const HARNESS: &str = r#"[package]
name = "harness"
version = "0.1.0"
edition = "2024"
"#;

const HONEST: &str = include_str!("project/lab.rs");

/// A program that does what it is asked to.
const SCRIPT: &str = "#!/bin/sh\nexec \"$@\"\n";

const FILES: [(&str, &str); 8] = [
    (".gitignore", "/state\n/target\n"),
    ("Cargo.lock", LOCK),
    ("Cargo.toml", MANIFEST),
    ("README.md", "# Years of work\n"),
    ("harness/Cargo.toml", HARNESS),
    ("harness/src/lib.rs", include_str!("project/harness.rs")),
    ("src/lab.rs", HONEST),
    ("src/main.rs", include_str!("project/main.rs")),
];

/// Programs that the researcher keeps in the repository: what is edited stays executable.
const PROGRAMS: [&str; 2] = ["tools/wrap.sh", "toolchain/bin/cargo"];

/// Writes the repository's files.
pub fn write(repository: &Path) {
    let programs = PROGRAMS.map(|path| (path, SCRIPT));
    for (path, text) in FILES.into_iter().chain(programs) {
        let path = repository.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for path in PROGRAMS {
        fs::set_permissions(repository.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Adds what a candidate needs besides its own files: what an attacker brings along, and honest work in
/// place of what another attacker may have had kept.
pub fn complete(files: &mut Vec<(String, String)>) {
    for (path, text) in [("src/kit.rs", crate::KIT), ("src/lab.rs", HONEST)] {
        if files.iter().all(|(there, _)| there != path) {
            files.push((path.to_owned(), text.to_owned()));
        }
    }
}

/// The files of a candidate that runs some code first in every phase.
pub fn struck(code: &str) -> Vec<(String, String)> {
    vec![("src/lab.rs".to_owned(), with_kit(code))]
}

/// A module whose `begin` does this with what an attacker brings along.
pub fn with_kit(code: &str) -> String {
    format!("#[path = \"kit.rs\"]\nmod kit;\n#[allow(unused_imports)]\nuse kit::*;\n{code}\n")
}
