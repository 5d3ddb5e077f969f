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
    #[error(
        "{} was trained on {then}, and task {task} has {now}: put the task back, or train again", .dir.display()
    )]
    Changed {
        /// The folder.
        dir: PathBuf,
        /// The task.
        task: String,
        /// What it was trained on.
        then: String,
        /// What the task says.
        now: String,
    },
    /// Its validation part may hold what was trained on.
    #[error(
        "{} was trained before task {task} had its splits: what it was trained on may be among what it would be asked \
         about: put the task back, or train again", .dir.display()
    )]
    Split {
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
    /// What it was trained on, where that is told: the task may say something else by now.
    trained_on: Option<InputSpec>,
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
    let weights = fs::canonicalize(&weights).unwrap_or(weights);
    let found = Found { dir, weights, preset, task, trained_on: told.map(|told| told.input) };
    found.require_records()?;
    Ok(found)
}

impl Found {
    /// Refuses a task of records that the model was not trained on. How many they were, and which, is no matter to
    /// a model that is there.
    fn require_records(&self) -> Result<(), TrainedError> {
        let Self { dir, task, trained_on, .. } = self;
        let Some(then) = trained_on.as_ref().filter(|then| then.record != task.input.record) else {
            return Ok(());
        };
        let (then, now) = (then.decoding(), task.input.decoding());
        Err(TrainedError::Changed { dir: dir.clone(), task: task.name.clone(), then, now })
    }

    /// Refuses a task whose validation part may hold recordings that the model was trained on.
    ///
    /// # Errors
    /// Names folder and task.
    pub fn require_splits(&self) -> Result<(), TrainedError> {
        let Self { dir, task, trained_on, .. } = self;
        match trained_on.as_ref().is_none_or(|then| then.splits == task.input.splits) {
            true => Ok(()),
            false => Err(TrainedError::Split { dir: dir.clone(), task: task.name.clone() }),
        }
    }
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

#[cfg(test)]
mod tests {
    use dfr_contract::modality::Modality;
    use dfr_contract::tasks;

    use super::*;

    /// What becomes of a model of one's own task when that is edited after the training.
    fn edited(edit: impl Fn(&str) -> String) -> Result<Found, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("own.toml");
        let text = tasks::built_in("video").unwrap();
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let task = Task::find(Some(file), Modality::Video, Source::Downloaded).unwrap();
        let trained = Trained { task: task.named, preset: "r3d-18".into(), input: task.input };
        trained.write(dir.path()).unwrap();
        fs::write(dir.path().join(WEIGHTS), "weights").unwrap();
        fs::write(file, edit(text)).unwrap();
        let checkpoint = Some(dir.path().to_owned());
        let (modality, task, model, trainer) = (Modality::Video, None, None, None);
        find(&Checkpoint { modality, checkpoint, task, model, trainer }, None)
    }

    #[test]
    fn a_model_outlives_changes_of_its_task_that_it_does_not_see() {
        let more = |text: &str| text.replace("[input]", "[input]\nmax_per_class = 9");
        edited(more).unwrap().require_splits().unwrap();
        let other =
            |text: &str| text.replace("train = 80, validation = 10", "train = 70, validation = 20");
        let found = edited(other).unwrap();
        let error = found.require_splits().unwrap_err().to_string();
        assert!(error.contains("put the task back, or train again"), "{error}");
        let smaller = |text: &str| text.replace("height = 224", "height = 112");
        let error = edited(smaller).unwrap_err().to_string();
        let words = "trained on 16x224x224-benchmark, and task video has 16x112x224-benchmark: put the task back";
        assert!(error.contains(words), "{error}");
    }
}
