//! The real benchmark, where it is installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::modality::Modality;
use dfr_media::files::{self, at};
use serde::Deserialize;

use super::ExamError;
use crate::evaluate::OnStderr;
use crate::phase::Phase;
use crate::settings::Settings;
use crate::train::TrainError;

const PROGRAM: &str = "gasbench";

/// What its `results.json` says.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// The figures.
    pub results: Figures,
    /// What went wrong.
    #[serde(default)]
    pub errors: Vec<serde_json::Value>,
}

/// Figures of a run.
#[derive(Debug, Deserialize)]
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
    /// By data set.
    #[serde(default)]
    pub per_dataset: BTreeMap<String, OfDataset>,
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
    /// Its cache.
    pub cache: Option<&'a Path>,
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
/// It fails, takes too long or leaves no results.
pub fn run(asked: &Asked) -> Result<Report, ExamError> {
    let out = asked.results.join(asked.name);
    files::remove_tree(&out)?;
    let mut command = Command::new(asked.program);
    command.args(["run", &format!("--{}-model", asked.modality)]).arg(asked.model);
    command.arg(if asked.is_full { "--full" } else { "--small" });
    if let Some(cache) = asked.cache {
        command.arg("--cache-dir").arg(cache).arg("--skip-missing");
    }
    command.arg("--results-dir").arg(asked.results).args(["--run-name", asked.name]);
    let phase = Phase { name: PROGRAM, command, input: Stdio::null(), limit: asked.limit };
    phase.run(&mut OnStderr).map_err(TrainError::from)?;
    let path = out.join("results.json");
    let bytes = fs::read(&path).map_err(at("read", &path))?;
    serde_json::from_slice(&bytes).map_err(|source| ExamError::Results { path, source })
}

impl Report {
    /// Tables for people.
    pub fn print(&self) {
        for error in &self.errors {
            println!("error: {error}");
        }
        let Figures { total_samples, accuracy, sn34_score, per_dataset } = &self.results;
        println!("records:           {total_samples}\naccuracy:          {accuracy:.6}");
        println!("sn34_competition:  {sn34_score:.6}");
        for (name, OfDataset { total, accuracy }) in per_dataset {
            println!("  {name:<40} {total:>7} {accuracy:>8.3}");
        }
    }
}
