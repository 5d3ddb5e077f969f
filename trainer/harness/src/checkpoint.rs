//! Checkpoints: all variables of a model as safetensors, written whole and read strictly.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tch::nn::VarStore;
use tch::{Device, Kind, TchError, Tensor};

/// File name inside a run directory.
pub const FILE: &str = "model.safetensors";

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Two variables have one name; tch would rename the second in silence.
    #[error("the model makes two variables named {0}: give each layer a path of its own")]
    Duplicate(String),
    /// The file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TchError,
    },
    /// The file cannot be moved into place.
    #[error("cannot move {path} into place: {source}")]
    Rename {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read, or is no safetensors file.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TchError,
    },
    /// The file is of another model.
    #[error("{path} does not fit this model: {difference}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What differs, the first few names.
        difference: String,
    },
}

/// Writes all variables, buffers included, to `path`: first beside it, then renamed.
///
/// # Errors
/// If two variables had one name, or the file cannot be written.
pub fn save(variables: &VarStore, path: &Path) -> Result<(), CheckpointError> {
    refuse_duplicates(variables)?;
    let plain: Vec<_> = named(variables)
        .into_iter()
        .map(|(name, tensor)| (name, tensor.detach().to_device(Device::Cpu).contiguous()))
        .collect();
    let partial = path.with_extension("safetensors.partial");
    Tensor::write_safetensors(&plain, &partial)
        .map_err(|source| CheckpointError::Write { path: path.to_owned(), source })?;
    fs::rename(&partial, path)
        .map_err(|source| CheckpointError::Rename { path: path.to_owned(), source })
}

/// Reads `path` into the variables. Names, kinds and shapes must be exactly the model's.
///
/// # Errors
/// Whatever is missing, surplus or different; the variables are then unchanged.
pub fn load(variables: &VarStore, path: &Path) -> Result<(), CheckpointError> {
    refuse_duplicates(variables)?;
    let wanted = named(variables);
    let found: BTreeMap<_, _> = Tensor::read_safetensors(path)
        .map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?
        .into_iter()
        .collect();
    if let Some(difference) = difference(&wanted, &found) {
        return Err(CheckpointError::Mismatch { path: path.to_owned(), difference });
    }
    tch::no_grad(|| {
        for (name, mut tensor) in wanted {
            tensor.copy_(&found[&name]);
        }
    });
    Ok(())
}

pub(crate) fn named(variables: &VarStore) -> BTreeMap<String, Tensor> {
    variables.variables().into_iter().collect()
}

/// tch renames a second `w` to `w__<number of variables so far>`.
pub(crate) fn refuse_duplicates(variables: &VarStore) -> Result<(), CheckpointError> {
    let named = variables.variables();
    for name in named.keys() {
        if let Some((first, number)) = name.rsplit_once("__")
            && number.parse::<usize>().is_ok()
            && named.contains_key(first)
        {
            return Err(CheckpointError::Duplicate(first.to_owned()));
        }
    }
    Ok(())
}

pub(crate) fn difference(
    wanted: &BTreeMap<String, Tensor>,
    found: &BTreeMap<String, Tensor>,
) -> Option<String> {
    let wanted_names: BTreeSet<_> = wanted.keys().collect();
    let found_names: BTreeSet<_> = found.keys().collect();
    let list = |word: &str, names: Vec<String>| {
        let shown: Vec<_> = names.iter().take(3).map(String::as_str).collect();
        let more = if names.len() > 3 { ", …" } else { "" };
        (!names.is_empty()).then(|| format!("{} {word}: {}{more}", names.len(), shown.join(", ")))
    };
    let missing = wanted_names.difference(&found_names).map(ToString::to_string).collect();
    let surplus = found_names.difference(&wanted_names).map(ToString::to_string).collect();
    let unlike = wanted_names
        .intersection(&found_names)
        .filter_map(|name| unlike(name, &wanted[*name], &found[*name]))
        .collect();
    let parts: Vec<String> =
        [list("missing", missing), list("surplus", surplus), list("different", unlike)]
            .into_iter()
            .flatten()
            .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn unlike(name: &str, wanted: &Tensor, found: &Tensor) -> Option<String> {
    let form = |tensor: &Tensor| -> (Kind, Vec<i64>) { (tensor.kind(), tensor.size()) };
    let ((kind, shape), (found_kind, found_shape)) = (form(wanted), form(found));
    ((kind, &shape) != (found_kind, &found_shape)).then(|| {
        format!("{name} ({found_kind:?} {found_shape:?}, the model has {kind:?} {shape:?})")
    })
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
