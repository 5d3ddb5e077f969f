//! The files: checked when they come, whole or not there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::WeightsError;
use crate::files::{self, at};

/// A header of more bytes is no header.
const HEADER_BYTES: u64 = 100 << 20;

/// Where a file came from: `<model>.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Address or path.
    pub from: String,
    /// Of the file.
    pub sha256: String,
    /// Of its weights.
    pub licence: String,
}

/// The file of a model.
pub fn path(dir: &Path, model: &str) -> PathBuf {
    dir.join(format!("{model}.safetensors"))
}

fn provenance_path(dir: &Path, model: &str) -> PathBuf {
    dir.join(format!("{model}.json"))
}

/// Where the file of a model came from; nothing if it is not there, or was put there by hand.
///
/// # Errors
/// If the disk refuses.
pub fn provenance(dir: &Path, model: &str) -> Result<Option<Provenance>, WeightsError> {
    let text = files::read_optional(&provenance_path(dir, model))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Puts a checked file in its place. What it came from stands there before it does: a file is never believed
/// to be another.
///
/// # Errors
/// If it is no whole safetensors file, or the disk refuses.
pub fn publish(
    dir: &Path,
    model: &str,
    partial: &Path,
    provenance: &Provenance,
) -> Result<(), WeightsError> {
    tensors(partial)?;
    let text = serde_json::to_vec_pretty(provenance).expect("three texts are JSON");
    let file = path(dir, model);
    files::remove_file(&file)?;
    files::write_whole(&provenance_path(dir, model), &text)?;
    std::fs::rename(partial, &file).map_err(at("move into place", &file))?;
    files::sync_dir(dir)?;
    Ok(())
}

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Names and shapes of the tensors of a safetensors file.
///
/// # Errors
/// If it is none, or not whole.
///
/// # Source
/// <https://huggingface.co/docs/safetensors>: a length of 8 bytes, that much JSON, then the values.
pub fn tensors(path: &Path) -> Result<BTreeMap<String, Vec<u64>>, WeightsError> {
    let malformed = |reason: &str| WeightsError::Malformed {
        path: path.to_owned(),
        reason: format!("no whole safetensors file: {reason}"),
    };
    let mut file = File::open(path).map_err(at("open", path))?;
    let size = file.metadata().map_err(at("look at", path))?.len();
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|_| malformed("it has no header"))?;
    let length = u64::from_le_bytes(length);
    if length > size.min(HEADER_BYTES) {
        return Err(malformed("its header is longer than it"));
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(at("read", path))?;
    let mut entries: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(&header).map_err(|_| malformed("its header is no JSON"))?;
    entries.remove("__metadata__");
    let mut shapes = BTreeMap::new();
    let mut end = 0;
    for (name, entry) in entries {
        let Tensor { shape, data_offsets } = serde_json::from_value(entry)
            .map_err(|_| malformed(&format!("{name} has no place")))?;
        end = end.max(data_offsets.1);
        shapes.insert(name, shape);
    }
    match end.checked_add(8 + length) {
        Some(whole) if whole == size && !shapes.is_empty() => Ok(shapes),
        _ => {
            Err(malformed(&format!("it has {size} bytes and its header tells of {end} and itself")))
        }
    }
}
