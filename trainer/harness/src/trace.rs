//! Tracing: what a trained model computes in evaluation, as a graph that takes its weights as arguments, and
//! answers to compare another writing of it with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dfr_contract::trace::{ANSWERS, ANSWERS_FILE, GRAPHS, HEADER, Header, graph_file};
use tch::nn::VarStore;
use tch::{CModule, Device, Kind, TchError, Tensor};

use crate::checkpoint::{self, CheckpointError};
use crate::recipe::{Detector, Recipe};

/// How far a graph's answers may be from the model's.
const TOLERANCE: f64 = 1e-4;
/// Seed of the records that are asked about.
const SEED: i64 = 34;

/// Why a model was not traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The weights cannot be loaded.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model's answer is no pair of logits per record.
    #[error("the model answers {found:?} for {records} records: it must be [{records}, 2]")]
    Shape {
        /// Shape of the answer.
        found: Vec<i64>,
        /// Records asked about.
        records: i64,
    },
    /// The graph computes something else than the model.
    #[error(
        "the graph of the model answers {0:e} away from it: a trace loses the numbers of a tensor that is made \
         from Rust's within forward (Tensor::from_slice, Tensor::from); make it in the constructor, or with \
         arange, full or ones"
    )]
    Lost(f64),
    /// libtorch cannot record what the model does.
    #[error("libtorch cannot trace the model: {0}")]
    Graph(TchError),
    /// A file of tensors cannot be written.
    #[error("cannot write {path}: {source}")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TchError,
    },
    /// Another file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the recipe's model for records of `shape` with the weights in `checkpoint` and writes its trace
/// into `dir`. On the CPU, in float32.
///
/// # Errors
/// The weights do not fit, an answer is unusable, libtorch cannot trace it, or the disk.
pub fn write(
    recipe: &dyn Recipe,
    shape: &[u64],
    checkpoint: &Path,
    dir: &Path,
) -> Result<(), TraceError> {
    let variables = VarStore::new(Device::Cpu);
    let signed: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
    let detector = recipe.model(&variables.root(), &signed);
    checkpoint::load(&variables, checkpoint)?;
    write_model(&*detector, &variables, Asked { model: recipe.facts().model, shape }, dir)
}

/// What a trace is told of a model.
pub struct Asked<'a> {
    /// Its name.
    pub model: String,
    /// Shape of one record: `T 3 H W`, `3 H W` or `N`.
    pub shape: &'a [u64],
}

/// Writes the trace of a model whose variables are all in `variables`.
///
/// # Errors
/// An answer is unusable, libtorch cannot trace it, or the disk.
pub fn write_model(
    detector: &dyn Detector,
    variables: &VarStore,
    asked: Asked,
    dir: &Path,
) -> Result<(), TraceError> {
    let _no_grad = tch::no_grad_guard();
    tch::manual_seed(SEED);
    write_answers(detector, asked.shape, dir)?;
    let header = write_graphs(detector, variables, asked, dir)?;
    let path = dir.join(HEADER);
    let text = serde_json::to_vec_pretty(&header).expect("plain data");
    fs::write(&path, text).map_err(|source| TraceError::Write { path, source })
}

/// Writes the graphs alone, on the device of the model, and gives what describes them.
///
/// # Errors
/// libtorch cannot trace it, the graph answers otherwise, or the disk.
pub fn write_graphs(
    detector: &dyn Detector,
    variables: &VarStore,
    asked: Asked,
    dir: &Path,
) -> Result<Header, TraceError> {
    let _no_grad = tch::no_grad_guard();
    let named = checkpoint::named(variables);
    let device = variables.device();
    for records in GRAPHS {
        let path = dir.join(graph_file(records));
        let inputs = std::iter::once(noise(records, asked.shape).to_device(device))
            .chain(named.values().map(Tensor::shallow_clone))
            .collect::<Vec<_>>();
        let module = CModule::create_by_tracing("detector", "forward", &inputs, &mut |inputs| {
            vec![detector.forward(&inputs[0], false)]
        });
        let module = module.map_err(TraceError::Graph)?;
        require_same(detector, &module, inputs, asked.shape)?;
        module.save(&path).map_err(|source| TraceError::Tensors { path, source })?;
    }
    let variables = named.into_keys().collect();
    Ok(Header { model: asked.model, shape: asked.shape.to_vec(), variables })
}

/// Asks the graph and the model about other records.
fn require_same(
    detector: &dyn Detector,
    module: &CModule,
    mut inputs: Vec<Tensor>,
    shape: &[u64],
) -> Result<(), TraceError> {
    let device = inputs[0].device();
    inputs[0] = noise(inputs[0].size()[0].unsigned_abs(), shape).to_device(device);
    let found = module.forward_ts(&inputs).map_err(TraceError::Graph)?;
    let difference = (found - detector.forward(&inputs[0], false)).abs().max().double_value(&[]);
    // Not a number is no agreement.
    if difference <= TOLERANCE { Ok(()) } else { Err(TraceError::Lost(difference)) }
}

fn write_answers(detector: &dyn Detector, shape: &[u64], dir: &Path) -> Result<(), TraceError> {
    let mut tensors = Vec::new();
    for records in ANSWERS {
        let input = noise(records, shape);
        let logits = detector.forward(&input, false);
        let count = records as i64;
        if logits.size() != [count, 2] {
            return Err(TraceError::Shape { found: logits.size(), records: count });
        }
        tensors.push((format!("input.{records}"), input));
        tensors.push((format!("logits.{records}"), logits.to_kind(Kind::Float).contiguous()));
    }
    let path = dir.join(ANSWERS_FILE);
    let written = Tensor::write_safetensors(&tensors, &path);
    written.map_err(|source| TraceError::Tensors { path, source })
}

/// Records of noise.
///
/// # Shapes
/// `[records, shape…]`: uint8 in 0..=255, or float32 in -1..1 where the shape is of sound.
fn noise(records: u64, shape: &[u64]) -> Tensor {
    let size: Vec<i64> = std::iter::once(&records).chain(shape).map(|&n| n as i64).collect();
    if shape.len() == 1 {
        return Tensor::rand(&size, (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
    }
    Tensor::randint(256, &size, (Kind::Uint8, Device::Cpu))
}
