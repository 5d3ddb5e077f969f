//! From this machine: a file, or the cache of the Hugging Face libraries.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::store::{self, Provenance};
use super::{Checkpoint, Origin, WeightsError};
use crate::files::{self, at};

/// Copies a safetensors file into `dir`, as the weights of a model.
///
/// # Errors
/// [`WeightsError`]; a pickle's says how to convert it. Nothing is left half-made.
pub fn import(dir: &Path, checkpoint: &Checkpoint, from: &Path) -> Result<(), WeightsError> {
    let is_pickle = ["bin", "pth", "pt", "ckpt"]
        .iter()
        .any(|end| from.extension().is_some_and(|extension| extension == *end));
    if is_pickle && from.exists() {
        let place = from.display().to_string();
        return Err(WeightsError::Pickle { place, model: checkpoint.model });
    }
    store::tensors(from)?;
    files::create_dir(dir)?;
    let _one_at_a_time = files::lock(dir)?;
    let partial = dir.join(format!("{}.import.partial", checkpoint.model));
    fs::copy(from, &partial).map_err(at("copy", from))?;
    File::open(&partial).and_then(|file| file.sync_all()).map_err(at("write", &partial))?;
    let provenance = Provenance {
        from: from.display().to_string(),
        sha256: files::sha256(&partial)?,
        licence: checkpoint.licence.to_owned(),
    };
    store::publish(dir, checkpoint.model, &partial, &provenance)
}

/// The newest copy in the cache of the Hugging Face libraries.
///
/// # Errors
/// If there is none.
pub fn in_hub_cache(hub_cache: &Path, checkpoint: &Checkpoint) -> Result<PathBuf, WeightsError> {
    let Origin::Hub(repository) = checkpoint.origin else {
        let place = checkpoint.origin.as_str().to_owned();
        return Err(WeightsError::Pickle { place, model: checkpoint.model });
    };
    let snapshots =
        hub_cache.join(format!("models--{}", repository.replace('/', "--"))).join("snapshots");
    let file = |snapshot: fs::DirEntry| {
        let path = snapshot.path().join("model.safetensors");
        let changed = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
        Some((changed, path))
    };
    let found = fs::read_dir(&snapshots).into_iter().flatten().flatten().filter_map(file);
    let newest = found.max_by_key(|(changed, _): &(SystemTime, PathBuf)| *changed);
    newest.map(|(_, path)| path).ok_or_else(|| WeightsError::NotInHubCache {
        dir: hub_cache.to_owned(),
        repository,
        model: checkpoint.model,
    })
}
