//! `dfr export`: a trained model as the archive that the competition takes.

mod agreement;
mod asking;
mod next;
mod precision;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PartHeader, file};
use dfr_contract::trace::{ANSWERS, ANSWERS_FILE, HEADER, Header};
use dfr_export::archive::{self, ArchiveError};
use dfr_export::config::{Config, ConfigError};
use dfr_export::merge::{self, MergeError};
use dfr_export::package::{self, PackageError, Packed};
use dfr_export::python as module;
use dfr_export::tensor::{self, Kind, Tensor, TensorError, TensorFile};
use dfr_media::files::{self, FileError, at};
use dfr_media::pack::read::read_json;

use crate::answers::AnswersError;
use crate::cli::Export;
use crate::evaluate::{OnStderr, scratch_dir};
use crate::failure::Failure;
use crate::phase::Phase;
use crate::python::{Proof, Python, PythonError, TOLERANCE};
use crate::settings::Settings;
use crate::train::{TrainError, find_pack, find_trainer};
use crate::trained::{self, Found};

/// Two traces and three batches on a CPU.
const TRACE_LIMIT: Duration = Duration::from_secs(1800);
/// Where archives go.
pub const DEFAULT_OUT: &str = "results/exports";

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The trainer left something else.
    #[error(
        "dfr-train left no usable {HEADER}: is it of the tree that the model was trained with?"
    )]
    NoTrace,
    /// What libtorch recorded.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It depends on the number of records.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// It cannot be said in Python.
    #[error(transparent)]
    Module(#[from] module::PythonError),
    /// Weights.
    #[error(transparent)]
    Tensors(#[from] TensorError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The archive.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// No verdict.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// No answers.
    #[error(transparent)]
    Answers(#[from] AnswersError),
    /// The rules are broken.
    #[error("model.py breaks the competition's rules:\n  {}", .0.join("\n  "))]
    Rules(Vec<String>),
    /// It cannot be loaded or asked.
    #[error("the submission does not work in Python: {0}")]
    Fails(String),
    /// It answers otherwise.
    #[error(
        "model.py answers {found:e} away from the model with {records} records, and {TOLERANCE:e} is allowed"
    )]
    Differs {
        /// Records in the batch.
        records: u64,
        /// The difference.
        found: f64,
    },
    /// Another model than was scored.
    #[error(
        "the archive is another model than the one that was scored: over {records} records of validation their \
         probabilities are {mean:.3} apart, and {most} is allowed"
    )]
    Other {
        /// Mean difference.
        mean: f64,
        /// The most of it.
        most: f64,
        /// Records asked about.
        records: usize,
    },
}

impl ExportError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Python(PythonError::Missing | PythonError::Named(_)) | Self::Config(_) => {
                exit::CONFIGURATION
            }
            Self::Answers(error) => error.exit_code(),
            Self::Python(_) | Self::Tensors(TensorError::File { .. }) => exit::OUTSIDE,
            Self::Package(PackageError::File { .. }) => exit::OUTSIDE,
            _ => exit::REFUSED,
        }
    }
}

/// Traces, writes down, proves and packs.
pub fn run(request: &Export, settings: &Settings) -> Result<u8, Failure> {
    let found = trained::find(&request.checkpoint, None)?;
    let name = request.name.as_deref().unwrap_or(&found.preset);
    let mut config = Config::new(name, &found.task.input).map_err(ExportError::from)?;
    if let Some(trained) = records_of(&found.dir) {
        config.require(found.task.modality, Some(&trained)).map_err(ExportError::from)?;
    }
    let python = Python::find(request.python.as_deref(), settings).map_err(ExportError::from)?;
    let scratch = scratch_dir()?;
    let packed = scratch.path().join("package");
    files::create_dir(&packed)?;
    let traced = match &request.trace {
        Some(traced) => traced.clone(),
        None => trace(&found, request, settings, (&config.shape(), scratch.path()))?,
    };
    write_members(&traced, &found.weights, &config, &packed)?;
    require_rules(&python, &packed.join(package::MODULE))?;
    let answers = own_answers(&traced, scratch.path())?;
    require_answers(&answers)?;
    let proof = python.prove(&packed, &config, &answers).map_err(ExportError::from)?;
    let has_torch = matches!(proof, Proof::Differences(..));
    println!("{}", require_parity(proof)?);
    let pack = || request.pack.clone().map_or_else(|| find_pack(&found.task, settings), Ok);
    if let Some(scored) = &request.predictions {
        let told = match has_torch {
            true => agreement::require(&python, (&packed, &config), (&pack()?, scored))?,
            false => "agreement: not proven either".to_owned(),
        };
        println!("{told}");
    }
    if let Some(dtype) = &request.dtype {
        let pack = pack()?;
        let single = precision::score(&python, (&packed, &config), &pack)?;
        config.dtype = Some(dtype.clone());
        write_members(&traced, &found.weights, &config, &packed)?;
        let cast = precision::score(&python, (&packed, &config), &pack)?;
        println!("{}", precision::told(&single, &cast, dtype));
    }
    let zip = zip_path(request, (found.task.modality, name))?;
    let written = package::pack(&packed, &zip).map_err(ExportError::from)?;
    report(&zip, &written);
    keep_other(written.previous.as_deref(), &zip)?;
    print!("{}", next::steps(request, &found.task, &zip));
    Ok(exit::OK)
}

/// Name of the archive of a model.
pub fn zip_name(modality: Modality, name: &str) -> String {
    format!("{modality}_detector_{name}.zip")
}

fn zip_path(request: &Export, (modality, name): (Modality, &str)) -> Result<PathBuf, FileError> {
    let dir = request.output_dir.clone().unwrap_or_else(|| DEFAULT_OUT.into());
    files::create_dir(&dir)?;
    Ok(dir.join(zip_name(modality, name)))
}

/// Shape of the records that a model was trained on, where dfr-train told it.
fn records_of(dir: &Path) -> Option<Vec<u64>> {
    let part: PartHeader = read_json(&dir.join(file::PART))?;
    Some(part.fed_shape())
}

/// Has the model's own program trace it.
fn trace(
    found: &Found,
    request: &Export,
    settings: &Settings,
    (shape, scratch): (&[u64], &Path),
) -> Result<PathBuf, Failure> {
    let trainer = find_trainer(request.checkpoint.trainer.as_deref(), settings)?;
    let out = scratch.join("trace");
    files::create_dir(&out)?;
    let sizes: Vec<_> = shape.iter().map(u64::to_string).collect();
    let mut command = Command::new(trainer);
    command.args(["trace", "--preset", &found.preset, "--shape", &sizes.join(",")]);
    command.arg("--model").arg(&found.dir).arg("--out").arg(&out);
    let phase = Phase { name: "trace", command, input: Stdio::null(), limit: TRACE_LIMIT };
    phase.run(&mut OnStderr).map_err(TrainError::from)?;
    Ok(out)
}

/// The three members, from a trace and its weights.
fn write_members(
    traced: &Path,
    weights: &Path,
    config: &Config,
    out: &Path,
) -> Result<(), Failure> {
    let header: Header = read_json(&traced.join(HEADER)).ok_or(ExportError::NoTrace)?;
    config.require(config.modality, Some(&header.shape)).map_err(ExportError::from)?;
    let (source, tensors) = written_down(traced, &header, (weights, config.kind()))?;
    tensor::write(&tensors, &out.join(package::WEIGHTS)).map_err(ExportError::from)?;
    let write = |name: &str, text: &str| {
        let path = out.join(name);
        fs::write(&path, text).map_err(at("write", &path))
    };
    write(package::MODULE, &source)?;
    Ok(write(package::CONFIG, &config.print())?)
}

type Written = (String, BTreeMap<String, Tensor>);

fn written_down(
    traced: &Path,
    header: &Header,
    (weights, kind): (&Path, Kind),
) -> Result<Written, ExportError> {
    let [two, three] = archive::read_both(traced)?;
    let graph = merge::merge(two, &three)?;
    let weights = TensorFile::open(weights)?;
    if !weights.forms().keys().eq(&header.variables) {
        return Err(ExportError::NoTrace);
    }
    let cast = |(name, tensor): (String, Tensor)| (name, tensor.cast(kind));
    let mut tensors: BTreeMap<_, _> = weights.read()?.into_iter().map(cast).collect();
    let forms = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.form.clone())).collect();
    let module::Module { source, constants } = module::module(header, &graph, &forms)?;
    tensors.extend(constants);
    Ok((source, tensors))
}

/// Refuses a module that breaks the competition's rules.
pub fn require_rules(python: &Python, module: &Path) -> Result<(), ExportError> {
    let broken = python.broken_rules(module)?;
    if broken.is_empty() { Ok(()) } else { Err(ExportError::Rules(broken)) }
}

/// A copy of the answers. Those of a sandbox are another user's, and Python without a network is not allowed to
/// read what is.
fn own_answers(traced: &Path, scratch: &Path) -> Result<PathBuf, FileError> {
    let (from, to) = (traced.join(ANSWERS_FILE), scratch.join(ANSWERS_FILE));
    fs::copy(&from, &to).map_err(at("read", &from))?;
    Ok(to)
}

/// A trace is a candidate's: where it holds no answers, a module would be compared with nothing.
fn require_answers(answers: &Path) -> Result<(), ExportError> {
    let found = TensorFile::open(answers)?.forms();
    let wanted = |kind: &str| ANSWERS.map(|records| format!("{kind}.{records}"));
    let wanted = [wanted("input"), wanted("logits")].concat();
    let is_whole =
        found.len() == wanted.len() && wanted.iter().all(|name| found.contains_key(name));
    if is_whole { Ok(()) } else { Err(ExportError::NoTrace) }
}

/// What the comparison says, if it does not refuse.
fn require_parity(proof: Proof) -> Result<String, ExportError> {
    let (differences, torch) = match proof {
        Proof::Differences(differences, torch) => (differences, torch),
        Proof::Missing(library) => {
            return Ok(format!(
                "parity: not proven, for this python has no {library} (make setup-python, or --python)"
            ));
        }
        Proof::Failed(reason) => return Err(ExportError::Fails(reason)),
    };
    if let Some((&records, &found)) = differences.iter().find(|(_, d)| **d > TOLERANCE) {
        return Err(ExportError::Differs { records, found });
    }
    let told: Vec<_> = differences.iter().map(|(n, d)| format!("{d:.1e} with {n}")).collect();
    Ok(format!(
        "parity: proven under torch {torch}; largest difference {} records",
        told.join(", ")
    ))
}

fn report(zip: &Path, Packed { sizes, .. }: &Packed) {
    println!("\nExported: {}", zip.display());
    for (name, size) in sizes {
        println!("  {name:<30} {size:>10} bytes");
    }
}

/// Tells where an earlier archive of this name is; one that is the very same is not needed twice.
fn keep_other(previous: Option<&Path>, zip: &Path) -> Result<(), FileError> {
    let Some(previous) = previous else { return Ok(()) };
    if files::sha256(previous)? == files::sha256(zip)? {
        return files::remove_file(previous);
    }
    println!("The one that had this name is kept: {}", previous.display());
    Ok(())
}
