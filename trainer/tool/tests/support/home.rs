//! A place of its own for the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dfr_contract::modality::Modality;
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::make;

use crate::support::ffmpeg;

/// Cache, working directory, nothing of the caller's environment.
pub struct Home {
    pub dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.path("work")).unwrap();
        home
    }

    /// A home whose downloaded data is a small set of real clips.
    pub fn with_clips() -> Self {
        Self::with_clips_in("cache")
    }

    /// The same with the data below another folder than the cache.
    pub fn with_clips_in(root: &str) -> Self {
        Self::with_sample(root, (Modality::Video, 2))
    }

    /// The same of any kind, with so many recordings of each subject.
    pub fn with_sample(root: &str, (modality, recordings): (Modality, u32)) -> Self {
        let home = Self::new();
        make(&home.path(root), SampleSet { modality, recordings }, &ffmpeg(), &|| ()).unwrap();
        home
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn dfr(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dfr"));
        command.args(arguments.split_whitespace()).env_clear().current_dir(self.path("work"));
        command.env("HOME", self.dir.path()).env("DFRESEARCH_CACHE", self.path("cache"));
        command.env("DFR_FFMPEG", ffmpeg().program()).env("PATH", "/usr/bin:/bin");
        // Nobody listens there: these tests need no network, and notice if they do.
        command.env("HF_ENDPOINT", "http://127.0.0.1:9");
        command.env("DFR_GASBENCH_CONFIGS", "http://127.0.0.1:9");
        command
    }
}

/// A shell script that stands in for dfr-train.
pub fn fake_trainer() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/fake_trainer")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
