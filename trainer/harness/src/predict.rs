//! Prediction: the probability of class synthetic for every record of a part.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dfr_contract::predictions;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use crate::batches::gather;
use crate::checkpoint::{self, CheckpointError};
use crate::pack::Part;
use crate::recipe::{Detector, Recipe};

/// Why a prediction failed.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The weights cannot be loaded.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model's answer is no pair of logits per record.
    #[error("the model answers {found:?} for {records} records: it must be [{records}, 2]")]
    Shape {
        /// Shape of the answer.
        found: Vec<i64>,
        /// Records asked about.
        records: usize,
    },
    /// A probability is NaN.
    #[error("the model's answer for record {record} is not a number")]
    NotFinite {
        /// The first such record.
        record: usize,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes the recipe's model with the weights in `checkpoint` and asks it about every record.
///
/// # Errors
/// If the weights do not fit or an answer is unusable.
pub fn predict(
    recipe: &dyn Recipe,
    part: &Part,
    checkpoint: &Path,
    device: Device,
) -> Result<Vec<f64>, PredictError> {
    let variables = VarStore::new(device);
    let detector = recipe.model(&variables.root(), &part.shape());
    checkpoint::load(&variables, checkpoint)?;
    probabilities(&*detector, part, recipe.facts().batch_size, device)
}

/// Probabilities of class synthetic in record order, in float32 and without augmentation.
pub(crate) fn probabilities(
    detector: &dyn Detector,
    part: &Part,
    batch_size: usize,
    device: Device,
) -> Result<Vec<f64>, PredictError> {
    let _no_grad = tch::no_grad_guard();
    let all: Vec<usize> = (0..part.len()).collect();
    let mut p_synthetic = Vec::with_capacity(all.len());
    for indices in all.chunks(batch_size.max(1)) {
        p_synthetic.extend(answer(detector, part, indices, device)?);
    }
    Ok(p_synthetic)
}

/// Probabilities of class synthetic of the records `indices`.
pub(crate) fn answer(
    detector: &dyn Detector,
    part: &Part,
    indices: &[usize],
    device: Device,
) -> Result<Vec<f64>, PredictError> {
    let logits = detector.forward(&gather(part, indices, device), false);
    let records = indices.len();
    if logits.size() != [records as i64, 2] {
        return Err(PredictError::Shape { found: logits.size(), records });
    }
    let values = column_synthetic(&logits);
    match values.iter().position(|p| p.is_nan()) {
        Some(at) => Err(PredictError::NotFinite { record: indices[at] }),
        None => Ok(values),
    }
}

fn column_synthetic(logits: &Tensor) -> Vec<f64> {
    let softmax = logits.to_kind(Kind::Float).softmax(-1, Kind::Float);
    let column = softmax.select(1, 1).to_kind(Kind::Double).to_device(Device::Cpu).contiguous();
    Vec::try_from(column).expect("a contiguous column of doubles")
}

/// Writes the predictions file into `dir`: first beside it, then renamed.
///
/// # Errors
/// If the file cannot be written.
pub fn write(p_synthetic: &[f64], dir: &Path) -> Result<PathBuf, PredictError> {
    let path = dir.join(predictions::FILE);
    let partial = path.with_extension("tsv.partial");
    fs::write(&partial, predictions::print(p_synthetic))
        .and_then(|()| fs::rename(&partial, &path))
        .map_err(|source| PredictError::Write { path: path.clone(), source })?;
    Ok(path)
}
