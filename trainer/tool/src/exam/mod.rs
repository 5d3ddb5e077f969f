//! `dfr exam`: the competition's entrance exam, offline. The archive's own `model.py` answers.

mod asking;
mod blank;
mod corpus;
mod error;
mod gasbench;
mod samples;

use std::path::Path;
use std::time::Duration;

use dfr_contract::evaluation::{Evaluation, SCREENING_ACCURACY};
use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_contract::modality::Modality;
use dfr_export::config::Config;
use dfr_export::package;
use dfr_media::decode::Kept;
use dfr_media::files::{self, FileError};
use dfr_media::pack::read::data_root;

use crate::cli::Exam;
use crate::clock;
use crate::evaluate::scratch_dir;
use crate::export::{ExportError, require_rules};
use crate::failure::Failure;
use crate::python::Python;
use crate::settings::Settings;
use crate::task::Task;
use crate::train::find_pack;

pub use blank::try_out;
pub use error::ExamError;

use asking::Asking;
use samples::{Reader, Sample, Size};

/// The competition's limits.
const SMALL_LIMIT: Duration = Duration::from_secs(5_100);
const FULL_LIMIT: Duration = Duration::from_secs(18_000);
const RESULTS: &str = "results/exams";

/// Checks the archive, asks it, and says whether it passes.
pub fn run(request: &Exam, settings: &Settings) -> Result<u8, Failure> {
    let scratch = scratch_dir()?;
    let model = scratch.path();
    let python = Python::find(request.python.as_deref(), settings).map_err(ExportError::from)?;
    let config = open(&request.zip, request.modality, &python, model)?;
    let limit = if request.full { FULL_LIMIT } else { SMALL_LIMIT };
    let program = if request.offline { None } else { gasbench::find(settings) };
    let reader = if program.is_some() { Reader::Gasbench } else { Reader::Dfr };
    let Gathered { samples, kept } = gather(request, settings, reader)?;
    let samples = samples::choose(samples, Size::of(request.modality, request.full));
    if samples.is_empty() {
        return Err(ExamError::Nothing.into());
    }
    if let Some(program) = &program {
        return by_gasbench(request, (program, limit), (model, &samples));
    }
    let asking = Asking { config: &config, python: &python, model, limit, kept };
    let evaluation = asking.ask(&samples, settings)?;
    print!("{evaluation}");
    record(request, &evaluation)?;
    Ok(verdict(evaluation.records, evaluation.scores.accuracy))
}

fn by_gasbench(
    request: &Exam,
    (program, limit): (&Path, Duration),
    (model, samples): (&Path, &[Sample]),
) -> Result<u8, Failure> {
    let scratch = scratch_dir()?;
    let (modality, is_full) = (request.modality, request.full);
    let corpus = &corpus::write(samples, modality, scratch.path())?;
    let (results, name) =
        (Path::new(RESULTS), &format!("{}-{}", stem(&request.zip), clock::stamp()));
    let asked = gasbench::Asked { program, modality, model, corpus, is_full, limit, results, name };
    let report = gasbench::run(&asked)?;
    report.print();
    Ok(verdict(report.results.total_samples, report.results.accuracy))
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

/// What may be asked about.
struct Gathered {
    samples: Vec<Sample>,
    /// What the benchmark makes of these files before it looks at them: of its own nothing more.
    kept: Kept,
}

fn gather(request: &Exam, settings: &Settings, reader: Reader) -> Result<Gathered, Failure> {
    if let Some(data) = &request.data {
        let samples = samples::of_cache(data, request.modality, reader)?;
        return Ok(Gathered { samples, kept: Kept::AsItIs });
    }
    let task = Task::find(request.task.as_deref(), request.modality, Source::Downloaded)?;
    let pack = find_pack(&task, settings)?;
    let root = data_root(&pack, &settings.data_root(task.input.source));
    let datasets = root.join("datasets").join(task.modality.as_str());
    Ok(Gathered { samples: samples::of_pack(&pack, &datasets)?, kept: Kept::SavedAgain })
}
