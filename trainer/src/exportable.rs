//! Whether a model can be written down for the competition, asked before a budget is spent on it.

use std::collections::BTreeMap;
use std::io;

use dfr_export::archive::{self, ArchiveError};
use dfr_export::merge::{self, MergeError};
use dfr_export::python::{self, PythonError};
use dfr_export::tensor::{Form, Kind};
use dfr_harness::pack::Part;
use dfr_harness::smoke::Smoked;
use dfr_harness::trace::{Asked, TraceError, write_graphs};

/// Why nobody could submit it.
#[derive(Debug, thiserror::Error)]
pub enum ExportableError {
    #[error("the model cannot be exported: {0}")]
    Trace(#[from] TraceError),
    #[error("the model cannot be exported: {0}")]
    Archive(#[from] ArchiveError),
    #[error("the model cannot be exported: {0}")]
    Merge(#[from] MergeError),
    #[error("the model cannot be exported: {0}")]
    Python(#[from] PythonError),
    #[error(
        "the model cannot be exported: variable {0} is of a kind that Python's file of weights has not"
    )]
    Kind(String),
    #[error("cannot make a folder for a trace: {0}")]
    Folder(io::Error),
}

/// Refuses a model that `dfr export` would refuse.
pub fn require(smoked: &Smoked, part: &Part) -> Result<(), ExportableError> {
    let dir = tempfile::tempdir().map_err(ExportableError::Folder)?;
    let shape: Vec<u64> = part.shape().iter().map(|size| size.unsigned_abs()).collect();
    let asked = Asked { model: String::new(), shape: &shape };
    let header = write_graphs(&*smoked.detector, &smoked.variables, asked, dir.path())?;
    let [two, three] = archive::read_both(dir.path())?;
    let graph = merge::merge(two, &three)?;
    python::module(&header, &graph, &forms(smoked)?)?;
    Ok(())
}

fn forms(smoked: &Smoked) -> Result<BTreeMap<String, Form>, ExportableError> {
    let variables = smoked.variables.variables().into_iter();
    let form = |(name, tensor): (String, tch::Tensor)| {
        let kind = kind(tensor.kind()).ok_or_else(|| ExportableError::Kind(name.clone()))?;
        let shape = tensor.size().iter().map(|size| size.unsigned_abs()).collect();
        Ok((name, Form { kind, shape }))
    };
    variables.map(form).collect()
}

fn kind(kind: tch::Kind) -> Option<Kind> {
    Some(match kind {
        tch::Kind::Float => Kind::F32,
        tch::Kind::Double => Kind::F64,
        tch::Kind::Half => Kind::F16,
        tch::Kind::BFloat16 => Kind::BF16,
        tch::Kind::Int64 => Kind::I64,
        tch::Kind::Int => Kind::I32,
        tch::Kind::Uint8 => Kind::U8,
        tch::Kind::Bool => Kind::Bool,
        _ => return None,
    })
}
