//! The real benchmark, where it is installed.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::modality::Modality;
use dfr_media::files::{self, at};
use dfr_media::pack::read::read_json;
use serde::Deserialize;

use super::ExamError;
use super::corpus::Corpus;
use crate::export::ExportError;
use crate::phase::{Phase, PhaseError, Watcher};
use crate::settings::Settings;

const PROGRAM: &str = "gasbench";
/// Lines of it that are told where it fails.
const LAST_WORDS: usize = 10;

/// What its `results.json` says.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// The figures; none where the model could not be loaded.
    #[serde(default)]
    pub results: Figures,
    /// By data set.
    #[serde(default)]
    pub per_dataset: BTreeMap<String, OfDataset>,
    /// What went wrong.
    #[serde(default)]
    pub errors: Vec<serde_json::Value>,
}

/// Figures of a run.
#[derive(Debug, Default, Deserialize)]
pub struct Figures {
    /// Recordings that were answered.
    #[serde(default)]
    pub total_samples: u64,
    /// Fraction right.
    #[serde(default)]
    pub accuracy: f64,
    /// The competition's score.
    #[serde(default)]
    pub sn34_score: f64,
}

/// Figures of one data set.
#[derive(Debug, Deserialize)]
pub struct OfDataset {
    /// Recordings.
    pub total: u64,
    /// Fraction right.
    pub accuracy: f64,
}

/// Where it is, if it is installed.
pub fn find(settings: &Settings) -> Option<PathBuf> {
    settings.on_path(PROGRAM)
}

/// What is to be run.
pub struct Asked<'a> {
    /// The program.
    pub program: &'a Path,
    /// Kind of media.
    pub modality: Modality,
    /// Folder of the unpacked archive: it takes no zip.
    pub model: &'a Path,
    /// What it is to ask about.
    pub corpus: &'a Corpus,
    /// The full benchmark.
    pub is_full: bool,
    /// Time that it may take.
    pub limit: Duration,
    /// Where results go.
    pub results: &'a Path,
    /// Folder in there: a new one, so that what stands in it is of this run.
    pub name: &'a str,
}

/// Runs it and reads its results; they stay in `results`.
///
/// # Errors
/// It fails, cannot load the model, takes too long or leaves no results.
pub fn run(asked: &Asked) -> Result<Report, ExamError> {
    let out = asked.results.join(asked.name);
    files::remove_tree(&out)?;
    let mut command = Command::new(asked.program);
    command.args(["run", &format!("--{}-model", asked.modality)]).arg(asked.model);
    command.arg(if asked.is_full { "--full" } else { "--small" });
    let Corpus { cache, config } = asked.corpus;
    // What it does not find it would fetch.
    command.arg("--cache-dir").arg(cache).arg("--dataset-config").arg(config).arg("--skip-missing");
    command.arg("--results-dir").arg(asked.results).args(["--run-name", asked.name]);
    let phase = Phase { name: PROGRAM, command, input: Stdio::null(), limit: asked.limit };
    let path = out.join("results.json");
    let mut words = LastWords::default();
    if let Err(source) = phase.run(&mut words) {
        return Err(failure(source, &path, words));
    }
    let bytes = fs::read(&path).map_err(at("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|source| ExamError::Results { path, source })
}

/// A model that it cannot load it writes down as an error; what else ends it is no fault of the submission.
fn failure(source: PhaseError, results: &Path, words: LastWords) -> ExamError {
    let errors = read_json(results).map(|report: Report| report.errors).unwrap_or_default();
    match errors.first() {
        Some(error) => ExportError::Fails(error.to_string()).into(),
        None => ExamError::Gasbench { source, said: Vec::from(words.0).join("\n") },
    }
}

/// Shows what it says, and keeps the end.
#[derive(Default)]
struct LastWords(VecDeque<String>);

impl Watcher for LastWords {
    fn line(&mut self, line: &str) {
        eprintln!("{line}");
        self.0.push_back(line.to_owned());
        if self.0.len() > LAST_WORDS {
            self.0.pop_front();
        }
    }

    fn tick(&mut self) {}
}

impl Report {
    /// Tables for people.
    pub fn print(&self) {
        for error in &self.errors {
            println!("error: {error}");
        }
        let Figures { total_samples, accuracy, sn34_score } = &self.results;
        println!("records:           {total_samples}\naccuracy:          {accuracy:.6}");
        println!("sn34_competition:  {sn34_score:.6}");
        for (name, OfDataset { total, accuracy }) in &self.per_dataset {
            println!("  {name:<40} {total:>7} {accuracy:>8.3}");
        }
    }
}
