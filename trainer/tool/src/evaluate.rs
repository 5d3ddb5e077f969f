//! `dfr evaluate`: what a trained model is worth on the validation part.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dfr_contract::evaluation::Evaluation;
use dfr_contract::input::Source;
use dfr_contract::pack::Part;
use dfr_contract::{exit, predictions};
use dfr_media::files::{self, FileError, at};
use dfr_media::pack::read::{labels_path, origins};
use serde::Serialize;

use crate::cli::Evaluate;
use crate::failure::Failure;
use crate::phase::{Phase, Watcher};
use crate::settings::Settings;
use crate::task::Task;
use crate::train::{TrainError, find_pack, find_trainer, knobs};
use crate::trained::{self, Found};

/// What was evaluated.
struct About<'a> {
    task: &'a Task,
    model: &'a str,
    weights: Option<&'a Path>,
    /// Of the prediction, where it was made for this.
    seconds: Option<f64>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    modality: &'a str,
    task: &'a str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    passes_screening: bool,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

/// Predicts and reports.
pub fn run(request: &Evaluate, settings: &Settings) -> Result<u8, Failure> {
    if let Some(file) = &request.predictions {
        return of_file(request, file, settings);
    }
    let found = trained::find(&request.checkpoint, request.weights.as_deref())?;
    found.require_splits()?;
    let trainer = find_trainer(request.checkpoint.trainer.as_deref(), settings)?;
    let pack = pack(request, &found.task, settings)?;
    let (p_synthetic, seconds) = predict(&found, (&trainer, &pack), request.batch_size)?;
    let evaluation = evaluate(&pack, Part::Validation, &p_synthetic)?;
    let (model, weights) = (&*found.preset, Some(&*found.weights));
    About { task: &found.task, model, weights, seconds: Some(seconds) }.print(request, &evaluation);
    Ok(exit::OK)
}

/// Reports on predictions that were made already.
fn of_file(request: &Evaluate, file: &Path, settings: &Settings) -> Result<u8, Failure> {
    let asked = &request.checkpoint;
    let task = Task::find(asked.task.as_deref(), asked.modality, Source::Downloaded)?;
    let pack = pack(request, &task, settings)?;
    let text = Text { path: file.to_owned(), text: files::read_lossy(file)? };
    let evaluation = evaluate(&pack, Part::Validation, &text)?;
    let model = asked.model.as_deref().unwrap_or(&task.preset);
    About { task: &task, model, weights: None, seconds: None }.print(request, &evaluation);
    Ok(exit::OK)
}

fn pack(request: &Evaluate, task: &Task, settings: &Settings) -> Result<PathBuf, TrainError> {
    request.pack.clone().map_or_else(|| find_pack(task, settings), Ok)
}

/// Predictions against the labels of a part.
fn evaluate(pack: &Path, part: Part, p_synthetic: &Text) -> Result<Evaluation, Failure> {
    let labels = labels(pack, part)?;
    let Text { path, text } = p_synthetic;
    let p_synthetic = predictions::parse(text, labels.len())
        .map_err(|source| TrainError::Predictions { path: path.clone(), source })?;
    against(pack, (part, &labels), &p_synthetic)
}

/// Labels of a part.
pub fn labels(pack: &Path, part: Part) -> Result<Vec<u8>, FileError> {
    let path = labels_path(pack, part);
    fs::read(&path).map_err(at("read", &path))
}

/// Probabilities against the labels of a part, in their order.
pub fn against(
    pack: &Path,
    (part, labels): (Part, &[u8]),
    p_synthetic: &[f64],
) -> Result<Evaluation, Failure> {
    let sources: Vec<_> = origins(pack, part)?.into_iter().map(|origin| origin.dataset).collect();
    Ok(Evaluation::new(labels, p_synthetic, &sources).map_err(TrainError::from)?)
}

/// A file of predictions.
struct Text {
    path: PathBuf,
    text: String,
}

/// A pack that was made for hours of training may hold so many times the records of one that sessions explore
/// with, whose limit the task states.
const MORE_DATA: u32 = 10;

/// Asks the trainer about the validation part; nothing of it is kept.
fn predict(
    found: &Found,
    (trainer, pack): (&Path, &Path),
    batch_size: Option<NonZeroUsize>,
) -> Result<(Text, f64), Failure> {
    let scratch = scratch_dir()?;
    let weights = scratch.path().join(trained::WEIGHTS);
    symlink(&found.weights, &weights).map_err(at("link", &weights))?;
    let mut command = Command::new(trainer);
    command.args(["predict", "--preset", &found.preset]);
    command.arg("--inputs").arg(pack.join(Part::Validation.as_str()));
    command.arg("--model").arg(scratch.path()).arg("--out").arg(scratch.path());
    command.args(knobs(None, batch_size).iter().flat_map(|knob| ["--set", knob]));
    let phase = Phase {
        name: "predict",
        command,
        input: Stdio::null(),
        limit: MORE_DATA * found.task.budget.predict(),
    };
    let took = phase.run(&mut OnStderr).map_err(TrainError::from)?;
    let text = files::read_lossy(&scratch.path().join(predictions::FILE))?;
    Ok((Text { path: predictions::FILE.into(), text }, took.as_secs_f64()))
}

/// A directory that goes with its owner.
pub fn scratch_dir() -> Result<tempfile::TempDir, FileError> {
    tempfile::tempdir().map_err(at("make a folder below", &std::env::temp_dir()))
}

/// Shows what a program says where it does not mix with results.
pub struct OnStderr;

impl Watcher for OnStderr {
    fn line(&mut self, line: &str) {
        eprintln!("{line}");
    }

    fn tick(&mut self) {}
}

impl About<'_> {
    fn print(&self, request: &Evaluate, evaluation: &Evaluation) {
        if request.json {
            let report = self.report(evaluation);
            println!("{}", serde_json::to_string_pretty(&report).expect("plain data"));
        } else {
            self.print_for_people(evaluation);
        }
    }

    fn report<'a>(&'a self, evaluation: &'a Evaluation) -> Report<'a> {
        Report {
            modality: self.task.modality.as_str(),
            task: &self.task.name,
            model: self.model,
            weights: self.weights,
            seconds: self.seconds,
            passes_screening: evaluation.passes_screening(),
            evaluation,
        }
    }

    fn print_for_people(&self, evaluation: &Evaluation) {
        let rule = "=".repeat(60);
        println!("{rule}\nEvaluation Results — {} / {}\n{rule}", self.task.modality, self.model);
        println!("{evaluation}");
        if let Some(seconds) = self.seconds {
            println!("{:<18} {seconds:.1}s", "eval_time:");
        }
        let word = if evaluation.passes_screening() { "PASS" } else { "FAIL" };
        println!("Entrance exam threshold (>=80% accuracy): {word}");
    }
}
