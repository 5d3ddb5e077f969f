//! `dfr train`: train, predict and score by hand, as three phases.

use std::fs::{self, File};
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::footer::{Claims, Footer};
use dfr_contract::input::Source;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{Part, file};
use dfr_contract::{exit, metrics, predictions};
use dfr_media::files::{self, FileError, at};
use dfr_media::pack::read::{labels_path, packs_dir, read_complete};
use dfr_media::weights;

use crate::cli::Train;
use crate::failure::Failure;
use crate::full;
use crate::phase::{Phase, PhaseError, Watcher};
use crate::progress::Clock;
use crate::settings::Settings;
use crate::task::Task;
use crate::trained::{self, Trained};

/// Start-up, the end of the last step and saving, beyond the time budget.
const TRAIN_ALLOWANCE: Duration = Duration::from_secs(120);
const TRAINER: &str = "dfr-train";
const LOG: &str = "run.log";

/// Why training by hand gave no score.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// No `dfr-train`.
    #[error(
        "no dfr-train beside dfr, in target/release or on PATH: build it with \
         `cargo build --release -p dfr-trainer`, or name one with --trainer"
    )]
    NoTrainer,
    /// --trainer names nothing.
    #[error(
        "--trainer {}: no such file; build one with `cargo build --release -p dfr-trainer`",
        .0.display()
    )]
    NamedTrainer(PathBuf),
    /// Nothing to train on.
    #[error("no pack for task {task} in {}: make it with `{command}`{hint}", .dir.display())]
    NoPack {
        /// The task.
        task: String,
        /// Where it should be.
        dir: PathBuf,
        /// How to make it.
        command: String,
        /// The way to try without data.
        hint: &'static str,
    },
    /// A phase.
    #[error(transparent)]
    Phase(#[from] PhaseError),
    /// The trainer printed no block of claims.
    #[error("dfr-train ended without its closing block; its output is in {}", .0.display())]
    NoClaims(PathBuf),
    /// Predictions that cannot be used.
    #[error("{}: {source}", .path.display())]
    Predictions {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: predictions::PredictionsError,
    },
    /// Labels and predictions do not belong together.
    #[error(transparent)]
    Score(#[from] metrics::ScoreError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

impl TrainError {
    /// The documented code; a trainer's own code is passed on.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoTrainer | Self::NamedTrainer(_) | Self::NoPack { .. } => exit::CONFIGURATION,
            Self::Phase(PhaseError::Interrupted(_)) => exit::INTERRUPTED,
            Self::Phase(PhaseError::Failed { status, .. }) => {
                status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::OUTSIDE)
            }
            _ => exit::OUTSIDE,
        }
    }
}

/// What the phases of one run share.
pub struct Run {
    /// `dfr-train`.
    pub trainer: PathBuf,
    /// Model and recipe.
    pub preset: String,
    /// What it is trained on.
    pub pack: PathBuf,
    /// Where everything goes.
    pub out: PathBuf,
    /// Public checkpoints; nothing to start from random weights.
    pub weights: Option<PathBuf>,
    /// Knobs of the recipe that are turned: `name=value`.
    pub knobs: Vec<String>,
    /// Seconds of training between two checkpoints.
    pub checkpoint_every_s: Option<u64>,
}

/// Trains, predicts, scores and prints the footer.
pub fn run(request: &Train, settings: &Settings) -> Result<u8, Failure> {
    let task = Task::find(request.task.as_deref(), request.modality, Source::Downloaded)?;
    let run = Run {
        trainer: find_trainer(request.trainer.as_deref(), settings)?,
        preset: request.preset.clone().unwrap_or_else(|| task.preset.clone()),
        pack: find_pack(&task, settings)?,
        out: request.out.clone().unwrap_or_else(|| default_out(task.modality)),
        weights: (!request.from_scratch).then(|| weights::dir(&settings.cache)),
        knobs: knobs(request.lr, request.batch_size),
        checkpoint_every_s: None,
    };
    full::require_none(&run.out)?;
    files::create_dir(&run.out)?;
    let budget_s = request.time_budget.unwrap_or(task.budget.train_s);
    files::remove_file(&run.out.join(trained::FILE))?;
    let footer = run.phases(budget_s, request.seed, task.budget.predict())?;
    Trained { task: task.named, preset: run.preset, input: task.input }.write(&run.out)?;
    print!("{footer}");
    Ok(exit::OK)
}

/// Knobs of a recipe as `dfr-train` takes them.
pub fn knobs(learning_rate: Option<f64>, batch_size: Option<NonZeroUsize>) -> Vec<String> {
    let rate = learning_rate.map(|rate| format!("learning_rate={rate}"));
    rate.into_iter().chain(batch_size.map(|records| format!("batch_size={records}"))).collect()
}

/// Where a model of that kind goes.
pub fn default_out(modality: Modality) -> PathBuf {
    Path::new("results/checkpoints").join(modality.as_str())
}

impl Run {
    fn phases(&self, budget_s: u64, seed: u64, limit: Duration) -> Result<Footer, TrainError> {
        let budget = Duration::from_secs(budget_s);
        let log = self.out.join(LOG);
        let mut record = Record::create(&log, Clock::new(budget))?;
        self.train(budget, seed).run(&mut record)?;
        files::remove_file(&self.predictions())?;
        let predicting = self.predict(limit).run(&mut record)?;
        drop(record);
        let footer = self.score(&log, predicting)?;
        append(&log, &footer.to_string())?;
        Ok(footer)
    }

    /// The training.
    pub fn train(&self, budget: Duration, seed: u64) -> Phase {
        let mut command = self.command("train");
        command.arg("--data").arg(self.pack.join(Part::Train.as_str()));
        match &self.weights {
            Some(dir) => command.arg("--weights").arg(dir),
            None => command.arg("--from-scratch"),
        };
        command.arg("--out").arg(&self.out);
        command.args(["--budget-s", &budget.as_secs().to_string(), "--seed", &seed.to_string()]);
        command.args(self.knobs.iter().flat_map(|knob| ["--set", knob]));
        if let Some(every_s) = self.checkpoint_every_s {
            command.args(["--checkpoint-every-s", &every_s.to_string()]);
        }
        Phase { name: "train", command, input: Stdio::null(), limit: budget + TRAIN_ALLOWANCE }
    }

    fn predict(&self, limit: Duration) -> Phase {
        let mut command = self.command("predict");
        command.arg("--inputs").arg(self.pack.join(Part::Validation.as_str()));
        command.arg("--model").arg(&self.out).arg("--out").arg(&self.out);
        Phase { name: "predict", command, input: Stdio::null(), limit }
    }

    fn command(&self, phase: &str) -> Command {
        let mut command = Command::new(&self.trainer);
        command.args([phase, "--preset", &self.preset]);
        command
    }

    fn predictions(&self) -> PathBuf {
        self.out.join(predictions::FILE)
    }

    fn score(&self, log: &Path, predicting: Duration) -> Result<Footer, TrainError> {
        let text = files::read_lossy(log)?;
        let claims = Claims::parse(&text).ok_or_else(|| TrainError::NoClaims(log.to_owned()))?;
        let labels = labels_path(&self.pack, Part::Validation);
        let labels = fs::read(&labels).map_err(at("read", &labels))?;
        let path = self.predictions();
        let text = files::read_lossy(&path)?;
        let p_synthetic = predictions::parse(&text, labels.len())
            .map_err(|source| TrainError::Predictions { path, source })?;
        let scores = metrics::score(&labels, &p_synthetic)?;
        Ok(Footer::complete(claims, &scores, predicting.as_secs_f64()))
    }
}

/// The `dfr-train` to run: the named one, else the first beside dfr, in target/release, on PATH.
///
/// # Errors
/// There is none.
pub fn find_trainer(named: Option<&Path>, settings: &Settings) -> Result<PathBuf, TrainError> {
    if let Some(named) = named {
        let found = named.is_file().then(|| named.to_owned());
        return found.ok_or_else(|| TrainError::NamedTrainer(named.to_owned()));
    }
    settings.own(TRAINER).ok_or(TrainError::NoTrainer)
}

/// The newest pack of a task's input.
///
/// # Errors
/// There is none that is whole.
pub fn find_pack(task: &Task, settings: &Settings) -> Result<PathBuf, TrainError> {
    let root = settings.data_root(task.input.source);
    let dir = packs_dir(&root, task.modality, &task.input.name()).join(file::CURRENT);
    // The link may be moved while we run: what it names now is what we use throughout.
    if let Some(pack) = fs::canonicalize(&dir).ok().filter(|pack| read_complete(pack).is_some()) {
        return Ok(pack);
    }
    let (flag, hint) = match task.input.source {
        Source::Sample => ("--sample ", ""),
        Source::Downloaded => ("", "; to try without data: --task video-sample"),
    };
    let command = format!("dfr prepare {flag}--modality {}", task.modality);
    Err(TrainError::NoPack { task: task.name.clone(), dir, command, hint })
}

fn append(log: &Path, text: &str) -> Result<(), FileError> {
    let append = || File::options().append(true).open(log)?.write_all(text.as_bytes());
    append().map_err(at("write", log))
}

/// Keeps every line in the log and shows it.
pub struct Record {
    log: File,
    clock: Clock,
}

impl Record {
    /// A log that begins anew.
    fn create(path: &Path, clock: Clock) -> Result<Self, FileError> {
        Ok(Self { log: File::create(path).map_err(at("create", path))?, clock })
    }

    /// A log that goes on.
    ///
    /// # Errors
    /// The disk.
    pub fn append(path: &Path, clock: Clock) -> Result<Self, FileError> {
        let log = File::options().create(true).append(true).open(path);
        Ok(Self { log: log.map_err(at("open", path))?, clock })
    }
}

impl Watcher for Record {
    fn line(&mut self, line: &str) {
        // The log is read back at the end: what could not be written is missed there.
        let _ = writeln!(self.log, "{line}");
        self.clock.line(line);
    }

    fn tick(&mut self) {
        self.clock.tick();
    }
}
