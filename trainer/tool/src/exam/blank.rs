//! Whether a submission answers at all: blank records need no data.

use std::collections::BTreeMap;
use std::path::Path;

use dfr_contract::modality::Modality;
use dfr_export::config::Config;
use dfr_export::tensor::{self, Form, Kind, Tensor};

use super::ExamError;
use crate::export::ExportError;
use crate::python::{Proof, Python};

/// Records in a batch.
const BATCHES: [u64; 2] = [1, 3];

/// Loads the unpacked submission in `dir` as the competition does, asks it about blank records, and tells
/// how that went.
///
/// # Errors
/// It cannot be loaded, or does not answer.
pub fn try_out(python: &Python, dir: &Path, config: &Config) -> Result<String, ExamError> {
    let path = dir.join("blank.safetensors");
    let batches: BTreeMap<_, _> =
        BATCHES.into_iter().map(|n| (format!("input.{n}"), blank(config, n))).collect();
    tensor::write(&batches, &path).map_err(ExportError::from)?;
    match python.prove(dir, config, &path).map_err(ExportError::from)? {
        Proof::Differences(_, torch) => Ok(format!("answers under torch {torch}")),
        Proof::Missing(library) => Ok(format!(
            "not tried, for this python has no {library} (make setup-python, or --python)"
        )),
        Proof::Failed(reason) => Err(ExportError::Fails(reason).into()),
    }
}

fn blank(config: &Config, records: u64) -> Tensor {
    let kind = match config.modality {
        Modality::Image | Modality::Video => Kind::U8,
        Modality::Audio => Kind::F32,
    };
    let shape = [vec![records], config.shape()].concat();
    let numbers = usize::try_from(shape.iter().product::<u64>()).expect("a batch fits in memory");
    Tensor { form: Form { kind, shape }, bytes: vec![0; numbers * kind.bytes()] }
}
