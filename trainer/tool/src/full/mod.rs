//! `dfr full`: data, a long training, evaluation and export, which go on after a kill.

mod error;
mod steps;
mod tag;
mod training;

use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_contract::resumed;
use dfr_media::files::{self, FileError};
use dfr_media::pack::read::read_complete;
use dfr_media::weights;
use serde_json::{Value, json};

use crate::cli::{Checkpoint, Evaluate, Export, Full};
use crate::failure::Failure;
use crate::phase::PhaseError;
use crate::prepare::Wish;
use crate::progress::Clock;
use crate::settings::Settings;
use crate::task::Task;
use crate::train::{Record, Run, TrainError, default_out, find_pack, find_trainer, knobs};
use crate::trained::{self, Trained};
use crate::{clock, evaluate, export, prepare};

pub use error::FullError;
use steps::{Step, Steps};
use tag::Session;
pub use training::require_none;
use training::{TRAIN, require_same, under_way, weights as trained_weights};

const SECONDS_PER_HOUR: f64 = 3600.0;
const SECONDS_PER_MINUTE: f64 = 60.0;

/// Does what is not done.
pub fn run(request: &Full, settings: &Settings) -> Result<u8, Failure> {
    if let Some(tag) = &request.from_tag {
        return of_a_session(&Session::ask(tag, request, settings)?, request, settings);
    }
    let source = if request.sample { Source::Sample } else { Source::Downloaded };
    let task = Task::find(request.task.as_deref(), request.modality, source)?;
    let task = task.require_source(source)?;
    let out = out(request)?;
    let mut steps = Steps::open(&out);
    if request.download_only {
        return data(&mut steps, request, (&task, settings));
    }
    // What is not there is told before hours of fetching.
    let trainer = find_trainer(request.trainer.as_deref(), settings)?;
    let (pack, program) = (PathBuf::new(), files::sha256(&trainer)?);
    let mut long = Long { request, settings, pack, task, trainer, program, out };
    let fetched = long.find_data(&mut steps)?;
    if !is_usable(fetched) {
        return Ok(fetched);
    }
    long.train(&mut steps)?;
    long.evaluate(&mut steps)?;
    if !request.skip_export {
        long.export(&mut steps)?;
    }
    Ok(fetched)
}

/// Fetches and packs for the session's task; dfr-daemon does the rest.
fn of_a_session(session: &Session, request: &Full, settings: &Settings) -> Result<u8, Failure> {
    let fetched = data(&mut Steps::open(&out(request)?), request, (&session.task, settings))?;
    if request.download_only || !is_usable(fetched) {
        return Ok(fetched);
    }
    Err(session.train(request))
}

/// Where everything goes, which is made.
fn out(request: &Full) -> Result<PathBuf, FileError> {
    let out = request.out.clone().unwrap_or_else(|| default_out(request.modality));
    files::create_dir(&out)?;
    Ok(out)
}

/// Whether there is data to train on, if not all of it.
fn is_usable(fetched: u8) -> bool {
    [exit::OK, exit::PARTIAL].contains(&fetched)
}

/// Fetches what is missing and makes the pack of everything that is there: one of the same files is reused.
fn data(
    steps: &mut Steps,
    request: &Full,
    (task, settings): (&Task, &Settings),
) -> Result<u8, Failure> {
    let wish = Wish { samples: request.max_samples, gigabytes: None, workers: request.workers };
    let inputs = json!({ "task": task.name, "samples": wish.samples });
    let datasets = settings.data_root(task.input.source).join("datasets");
    let result = || datasets.is_dir().then(|| datasets.display().to_string());
    let fetched = if request.skip_download {
        exit::OK
    } else {
        let step = Step { name: "download", inputs, result: &result };
        steps.run(step, || prepare::fetch(task, settings, &wish))?
    };
    if fetched == exit::OUTSIDE {
        return Ok(fetched);
    }
    let packed = prepare::make_pack(task, settings, request.workers)?;
    Ok(if packed == exit::OK { fetched } else { packed })
}

/// The steps after the data.
struct Long<'a> {
    request: &'a Full,
    settings: &'a Settings,
    task: Task,
    pack: PathBuf,
    trainer: PathBuf,
    /// Hash of the trainer.
    program: String,
    out: PathBuf,
}

impl Long<'_> {
    /// Settles what is trained on. A training that was cut short goes on with its own pack: other data would be
    /// another training, and there may be some every time that a download is tried again.
    fn find_data(&mut self, steps: &mut Steps) -> Result<u8, Failure> {
        let begun = under_way(steps, &self.out).and_then(|inputs| inputs["pack"].as_str());
        if let Some(pack) = begun.map(PathBuf::from) {
            self.pack = pack;
            // Before anything is fetched for a training that will not be, or noted in place of the one that is.
            require_same(steps, &self.out, &self.inputs())?;
            if read_complete(&self.pack).is_some() {
                println!("{TRAIN}: goes on with {}", self.pack.display());
                return Ok(exit::OK);
            }
        }
        let fetched = data(steps, self.request, (&self.task, self.settings))?;
        if is_usable(fetched) {
            self.pack = find_pack(&self.task, self.settings)?;
            // Its own pack was gone: it goes on if this is the same one again.
            require_same(steps, &self.out, &self.inputs())?;
        }
        Ok(fetched)
    }

    fn budget(&self) -> Duration {
        Duration::from_secs_f64((self.request.hours * SECONDS_PER_HOUR).max(1.0).floor())
    }

    /// What tells this training from others.
    fn inputs(&self) -> Value {
        let run = self.run();
        json!({
            "pack": self.pack, "preset": run.preset, "seconds": self.budget().as_secs(), "knobs": run.knobs,
            "seed": self.request.seed, "weights": run.weights, "program": self.program,
        })
    }

    fn train(&self, steps: &mut Steps) -> Result<(), Failure> {
        let (request, run, budget) = (self.request, self.run(), self.budget());
        let step =
            Step { name: TRAIN, inputs: self.inputs(), result: &|| trained_weights(&self.out) };
        steps.run(step, || {
            files::remove_file(&self.out.join(trained::FILE))?;
            let trained = Trained {
                task: self.task.named.clone(),
                preset: run.preset.clone(),
                input: self.task.input.clone(),
            };
            let log = self.log()?;
            println!("log: {}", log.display());
            let mut record = Record::append(&log, Clock::new(budget))?;
            run.train(budget, request.seed).run(&mut record).map_err(|error| self.failed(error))?;
            trained.write(&self.out)?;
            Ok(exit::OK)
        })?;
        // It is noted as done: only now may its checkpoints go.
        Ok(files::remove_tree(&self.out.join(resumed::DIR))?)
    }

    /// With the way out where another start would not help.
    fn failed(&self, error: PhaseError) -> Failure {
        let error = TrainError::from(error);
        let resume = self.out.join(resumed::DIR);
        match error.exit_code() {
            exit::NOT_FINITE if resume.is_dir() => FullError::NotFinite(resume).into(),
            _ => error.into(),
        }
    }

    fn run(&self) -> Run {
        let Full { model, lr, batch_size, from_scratch, keep_schedule, .. } = self.request;
        let mut knobs = knobs(*lr, *batch_size);
        knobs.extend((!keep_schedule).then(|| "schedule=cosine".to_owned()));
        let every_s = (self.request.checkpoint_minutes * SECONDS_PER_MINUTE).max(1.0) as u64;
        Run {
            trainer: self.trainer.clone(),
            preset: model.clone().unwrap_or_else(|| self.task.preset.clone()),
            pack: self.pack.clone(),
            out: self.out.clone(),
            weights: (!from_scratch).then(|| weights::dir(&self.settings.cache)),
            knobs,
            checkpoint_every_s: Some(every_s),
        }
    }

    /// The log, whose folder is made.
    fn log(&self) -> Result<PathBuf, FileError> {
        let name = || format!("runs/full_{}_{}.log", self.request.modality, clock::stamp()).into();
        let log = self.request.log_file.clone().unwrap_or_else(name);
        log.parent().map_or(Ok(()), files::create_dir)?;
        Ok(log)
    }

    fn evaluate(&self, steps: &mut Steps) -> Result<(), Failure> {
        let (checkpoint, batch_size) = (self.checkpoint(), self.request.batch_size);
        let evaluation = Evaluate {
            checkpoint,
            weights: None,
            predictions: None,
            pack: None,
            batch_size,
            json: false,
        };
        let inputs = json!({ "pack": self.pack, "program": self.program });
        let step = Step { name: "evaluate", inputs, result: &|| trained_weights(&self.out) };
        steps.run(step, || evaluate::run(&evaluation, self.settings))?;
        Ok(())
    }

    fn export(&self, steps: &mut Steps) -> Result<(), Failure> {
        let export = Export {
            checkpoint: self.checkpoint(),
            output_dir: None,
            name: None,
            dtype: None,
            predictions: None,
            pack: None,
            trace: None,
            python: None,
        };
        let preset = self.run().preset;
        let zip = export::zip_name(self.request.modality, &preset);
        let zip = Path::new(export::DEFAULT_OUT).join(zip);
        let inputs = json!({ "weights": trained_weights(&self.out) });
        let step = Step { name: "export", inputs, result: &|| files::sha256(&zip).ok() };
        steps.run(step, || export::run(&export, self.settings))?;
        Ok(())
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            modality: self.request.modality,
            checkpoint: Some(self.out.clone()),
            task: None,
            model: None,
            trainer: Some(self.trainer.clone()),
        }
    }
}
