//! What a model was trained on: a file beside its weights, and the model that a command line means.

use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::input::{InputSpec, Source};
use dfr_media::files::{self, FileError};
use dfr_media::pack::read::read_json;
use serde::{Deserialize, Serialize};

use crate::cli::Checkpoint;
use crate::failure::Failure;
use crate::task::{self, Task};
use crate::train::default_out;

/// File name inside a checkpoint's folder.
pub const FILE: &str = "trained.json";
/// Weights inside a checkpoint's folder.
pub const WEIGHTS: &str = "model.safetensors";

/// What a checkpoint came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trained {
    /// Task.
    pub task: String,
    /// Model and recipe.
    pub preset: String,
    /// What the model was fed.
    pub input: InputSpec,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrainedError {
    /// No weights.
    #[error(
        "no weights at {}: train first (dfr train --modality {modality}), or name them (--checkpoint DIR; \
         evaluate also takes --weights FILE)",
        .path.display()
    )]
    NoWeights {
        /// Where they should be.
        path: PathBuf,
        /// Kind of media.
        modality: &'static str,
    },
    /// Nothing says what it is.
    #[error("{} does not tell which model this is (no {FILE}): say --model, and --task if it was not the modality's", .0.display())]
    Untold(PathBuf),
    /// The command line says otherwise.
    #[error("{} was trained as {what} {found}, not {asked}: leave --{what} out, or name another --checkpoint", .dir.display())]
    Other {
        /// The folder.
        dir: PathBuf,
        /// `model` or `task`.
        what: &'static str,
        /// What it is.
        found: String,
        /// What was asked for.
        asked: String,
    },
    /// The task has changed since.
    #[error("{} was trained on other records than task {task} has now: train again", .dir.display())]
    Changed {
        /// The folder.
        dir: PathBuf,
        /// The task.
        task: String,
    },
}

impl Trained {
    /// Writes it beside the weights.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self, dir: &Path) -> Result<(), FileError> {
        let text = serde_json::to_vec_pretty(self).expect("plain data");
        files::write_whole(&dir.join(FILE), &text)
    }
}

/// A checkpoint with everything that is known of it.
#[derive(Debug)]
pub struct Found {
    /// Folder of the weights.
    pub dir: PathBuf,
    /// The weights.
    pub weights: PathBuf,
    /// Model and recipe.
    pub preset: String,
    /// What it was trained for.
    pub task: Task,
}

/// The checkpoint that the command line means; `weights` may name its file.
///
/// # Errors
/// No weights, nothing that says what they are, or the command line says otherwise.
pub fn find(asked: &Checkpoint, weights: Option<&Path>) -> Result<Found, Failure> {
    let default = || default_out(asked.modality);
    let dir = match weights {
        Some(file) => file.parent().map(Path::to_owned).unwrap_or_default(),
        None => asked.checkpoint.clone().unwrap_or_else(default),
    };
    let weights = weights.map_or_else(|| dir.join(WEIGHTS), Path::to_owned);
    if !weights.is_file() {
        let modality = asked.modality.as_str();
        return Err(TrainedError::NoWeights { path: weights, modality }.into());
    }
    let told: Option<Trained> = read_json(&dir.join(FILE));
    let model = agreed(&dir, "model", told.as_ref().map(|t| &t.preset), asked.model.as_ref())?;
    let preset = model.ok_or_else(|| TrainedError::Untold(dir.clone()))?;
    let named = asked.task.as_deref().map(task::named);
    let name = agreed(&dir, "task", told.as_ref().map(|t| &t.task), named.as_ref())?;
    let task = Task::find(name.as_deref(), asked.modality, Source::Downloaded)?;
    if told.is_some_and(|told| told.input != task.input) {
        return Err(TrainedError::Changed { dir, task: task.name }.into());
    }
    Ok(Found { dir, weights: fs::canonicalize(&weights).unwrap_or(weights), preset, task })
}

/// What was told and what was asked for, if they do not differ.
fn agreed(
    dir: &Path,
    what: &'static str,
    told: Option<&String>,
    asked: Option<&String>,
) -> Result<Option<String>, TrainedError> {
    match (told, asked) {
        (Some(found), Some(asked)) if found != asked => {
            let (dir, found, asked) = (dir.to_owned(), found.clone(), asked.clone());
            Err(TrainedError::Other { dir, what, found, asked })
        }
        (told, asked) => Ok(told.or(asked).cloned()),
    }
}
