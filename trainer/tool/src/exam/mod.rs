//! `dfr exam`: the competition's entrance exam, offline. The archive's own `model.py` answers.

mod blank;
mod gasbench;
mod samples;

use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dfr_contract::evaluation::{Evaluation, SCREENING_ACCURACY};
use dfr_contract::exit;
use dfr_contract::input::{
    ClipSpec, FrameSpec, InputSpec, Preprocessing, RecordSpec, SoundSpec, Source, SplitShares,
};
use dfr_contract::modality::Modality;
use dfr_contract::pack::Part;
use dfr_export::config::Config;
use dfr_export::package::{self, PackageError};
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::files::{self, FileError};
use rayon::prelude::*;

use crate::cli::Exam;
use crate::evaluate::scratch_dir;
use crate::export::{ExportError, require_rules};
use crate::failure::Failure;
use crate::phase::PhaseError;
use crate::python::{Answers, Python, write_loader};
use crate::settings::Settings;
use crate::task::Task;
use crate::train::{TrainError, find_pack};
use crate::{clock, worker};

pub use blank::try_out;
use samples::Sample;

/// The competition's limits.
const SMALL_LIMIT: Duration = Duration::from_secs(5_100);
const FULL_LIMIT: Duration = Duration::from_secs(18_000);
const RESULTS: &str = "results/exams";

/// Why there is no verdict, or not the wanted one.
#[derive(Debug, thiserror::Error)]
pub enum ExamError {
    /// No archive.
    #[error("{}: no such archive: dfr export writes one, of a session's keep dfr-daemon export", .0.display())]
    Missing(PathBuf),
    /// The archive.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Its module.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The program that asks.
    #[error(transparent)]
    Run(#[from] TrainError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// No recordings.
    #[error("no recordings to ask about{0}")]
    Nothing(String),
    /// Nothing says what a recording is.
    #[error("nothing says what {} is: write \"media_type\": \"real\" or \"synthetic\" into dataset_info.json", .0.display())]
    Unlabelled(PathBuf),
    /// A configuration that only the real benchmark can follow.
    #[error(
        "model_config.yaml asks for {0} frames per second, which only gasbench does: install it, or ask for a whole number"
    )]
    FrameRate(f64),
    /// It went without an error and before the end.
    #[error("model.py answered {answers} of {asked} recordings and ended")]
    Silent {
        /// What it answered.
        answers: usize,
        /// What it was asked.
        asked: usize,
    },
    /// gasbench's results.
    #[error("{} is not what gasbench writes: {source}", .path.display())]
    Results {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl ExamError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Export(error) => error.exit_code(),
            Self::Package(_) | Self::Silent { .. } => exit::REFUSED,
            // The submission is too slow, or ends with an error.
            Self::Run(TrainError::Phase(
                PhaseError::TimedOut { .. } | PhaseError::Failed { .. },
            )) => exit::REFUSED,
            Self::Run(error) => error.exit_code(),
            Self::File(_) | Self::Results { .. } => exit::OUTSIDE,
            Self::Missing(_) | Self::Nothing(_) | Self::Unlabelled(_) | Self::FrameRate(_) => {
                exit::CONFIGURATION
            }
        }
    }
}

/// Checks the archive, asks it, and says whether it passes.
pub fn run(request: &Exam, settings: &Settings) -> Result<u8, Failure> {
    let scratch = scratch_dir()?;
    let model = scratch.path();
    let python = Python::find(request.python.as_deref(), settings).map_err(ExportError::from)?;
    let config = open(&request.zip, request.modality, &python, model)?;
    let limit = if request.full { FULL_LIMIT } else { SMALL_LIMIT };
    if let Some(program) = gasbench::find(settings) {
        let (cache, results) = (request.data.as_deref(), Path::new(RESULTS));
        let (modality, is_full) = (request.modality, request.full);
        let (program, name) = (&program, &format!("{}-{}", stem(&request.zip), clock::stamp()));
        let asked =
            gasbench::Asked { program, modality, model, cache, is_full, limit, results, name };
        let report = gasbench::run(&asked)?;
        report.print();
        return Ok(verdict(report.results.total_samples, report.results.accuracy));
    }
    let samples =
        samples::choose(gather(request, settings)?, samples::total(request.modality, request.full));
    if samples.is_empty() {
        return Err(ExamError::Nothing(": name a folder with --data".to_owned()).into());
    }
    let asking = Asking { config: &config, python: &python, model, limit };
    let evaluation = asking.ask(&samples, settings)?;
    print!("{evaluation}");
    record(request, &evaluation)?;
    Ok(verdict(evaluation.records, evaluation.scores.accuracy))
}

/// Unpacks an archive into `dir` and refuses one that could not be submitted.
///
/// # Errors
/// Other members, another kind of media, or what breaks the rules.
pub fn open(
    zip: &Path,
    modality: Modality,
    python: &Python,
    dir: &Path,
) -> Result<Config, ExamError> {
    if !zip.is_file() {
        return Err(ExamError::Missing(zip.to_owned()));
    }
    let config = package::unpack(zip, dir)?;
    config.require(modality, None).map_err(ExportError::from)?;
    require_rules(python, &dir.join(package::MODULE))?;
    Ok(config)
}

/// What is kept of an exam beside what is shown.
fn record(request: &Exam, evaluation: &Evaluation) -> Result<(), FileError> {
    let dir = Path::new(RESULTS);
    files::create_dir(dir)?;
    let name = stem(&request.zip);
    let text = serde_json::to_vec_pretty(evaluation).expect("plain data");
    files::write_whole(&dir.join(format!("{name}.json")), &text)
}

fn stem(zip: &Path) -> String {
    zip.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Says it, as the exit code too. No record at all is no pass, whatever the program that asked says.
fn verdict(records: u64, accuracy: f64) -> u8 {
    let passes = records > 0 && accuracy >= SCREENING_ACCURACY;
    let word = if passes { "PASS" } else { "FAIL" };
    println!("\nEntrance exam (>=80% accuracy): {word}: {:.2} % of {records}", accuracy * 100.0);
    if passes { exit::OK } else { exit::REFUSED }
}

fn gather(request: &Exam, settings: &Settings) -> Result<Vec<Sample>, Failure> {
    if let Some(data) = &request.data {
        return Ok(samples::of_cache(data, request.modality)?);
    }
    let task = Task::find(request.task.as_deref(), request.modality, Source::Downloaded)?;
    let pack = find_pack(&task, settings)?;
    let datasets = settings.data_root(task.input.source).join("datasets");
    Ok(samples::of_pack(&pack, &datasets.join(task.modality.as_str()))?)
}

/// A submission that is to be asked.
struct Asking<'a> {
    config: &'a Config,
    python: &'a Python,
    model: &'a Path,
    limit: Duration,
}

impl Asking<'_> {
    /// Decodes the recordings the competition's way and asks about them, in order and in batches. What
    /// cannot be decoded is named and does not count.
    fn ask(&self, samples: &[Sample], settings: &Settings) -> Result<Evaluation, Failure> {
        let input = benchmark_input(self.config)?;
        let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
        let workers = worker::pool()?;
        let ask = |request: &[u8]| workers.ask(request);
        let decoder = Decoder { ffmpeg: &ffmpeg, ask: &ask, input: &input, limit: LIMIT };
        write_loader(self.model, self.config)?;
        let (reader, writer) = io::pipe().map_err(pipe_error)?;
        let (shape, stdin) = (input.record_shape(Part::Validation), Stdio::from(reader));
        let about = (self.config.modality, shape.as_slice());
        let phase = self.python.asking(self.model, about, stdin, self.limit);
        let gone = AtomicBool::new(false);
        let mut answers = Answers::default();
        let (fed, ran) = thread::scope(|scope| {
            let feeding = scope.spawn(|| feed(samples, &decoder, writer, &gone));
            let ran = phase.run(&mut answers);
            gone.store(true, Ordering::Relaxed);
            (feeding.join().expect("it does not panic"), ran)
        });
        ran.map_err(|error| ExamError::Run(error.into()))?;
        if answers.0.len() != fed.len() {
            return Err(ExamError::Silent { answers: answers.0.len(), asked: fed.len() }.into());
        }
        let fed: Vec<&Sample> = fed.iter().map(|&at| &samples[at]).collect();
        let labels: Vec<u8> = fed.iter().map(|sample| sample.label).collect();
        let sources: Vec<String> = fed.iter().map(|sample| sample.dataset.clone()).collect();
        Ok(Evaluation::new(&labels, &answers.0, &sources).map_err(TrainError::from)?)
    }
}

fn pipe_error(source: io::Error) -> FileError {
    FileError { action: "make a pipe to", path: "python".into(), source }
}

/// Writes records until all are written or nobody reads; gives the numbers of those that were.
fn feed(
    samples: &[Sample],
    decoder: &Decoder,
    mut writer: io::PipeWriter,
    gone: &AtomicBool,
) -> Vec<usize> {
    let mut fed = Vec::new();
    let numbers: Vec<usize> = (0..samples.len()).collect();
    for batch in numbers.chunks(4 * rayon::current_num_threads()) {
        let decode = |&at: &usize| (at, decoder.decode(&samples[at].path, Part::Validation));
        let decoded: Vec<_> = batch.par_iter().map(decode).collect();
        for (at, record) in decoded {
            match record {
                Ok(record) if writer.write_all(&record.bytes).is_ok() => fed.push(at),
                Ok(_) => return fed,
                Err(error) => eprintln!("left out {}: {error}", samples[at].path.display()),
            }
        }
        if gone.load(Ordering::Relaxed) {
            return fed;
        }
    }
    fed
}

fn whole_rate(rate: f64) -> Result<NonZeroU32, ExamError> {
    let whole = (rate.fract() == 0.0).then(|| NonZeroU32::new(rate as u32)).flatten();
    whole.ok_or(ExamError::FrameRate(rate))
}

/// The record that the competition makes of a recording for such a submission.
fn benchmark_input(config: &Config) -> Result<InputSpec, ExamError> {
    let frame_rate = config.preprocessing.frame_rate.map(whole_rate).transpose()?;
    let shape: Vec<u32> = config.shape().iter().map(|&size| size as u32).collect();
    let frame =
        |height, width| FrameSpec { height, width, preprocessing: Preprocessing::Benchmark };
    let record = match *shape.as_slice() {
        [frames, _, height, width] => {
            RecordSpec::Video(ClipSpec { frames, frame_rate, frame: frame(height, width) })
        }
        [_, height, width] => RecordSpec::Image(frame(height, width)),
        _ => RecordSpec::Audio(SoundSpec {
            sample_rate_hz: 16_000,
            samples: shape[0],
            stored_samples: shape[0],
        }),
    };
    Ok(InputSpec {
        record,
        source: Source::Downloaded,
        splits: SplitShares { train: 0, validation: 100, holdout: 0 },
        leave_out: std::collections::BTreeSet::new(),
        max_per_class: None,
    })
}
