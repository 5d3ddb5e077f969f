//! From the hub: in pieces, so that what was cut goes on where it was.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::store::{self, Provenance};
use super::{Checkpoint, Origin, WeightsError};
use crate::files::{self, at};
use crate::hub::client::{Client, Repository};
use crate::hub::listing::{self, RemoteFile};

const FILE: &str = "model.safetensors";
/// Fetched, and written, at a time.
const PIECE_BYTES: u64 = 8 << 20;

/// What became of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is the hub's, and was here.
    WasThere,
    /// So many bytes came.
    Came(u64),
}

/// Fetches a checkpoint into `dir`, unless the hub's is there already. `watch` is told the bytes that are here,
/// of how many.
///
/// # Errors
/// [`WeightsError`]. What came stays, and the next call goes on with it.
pub fn fetch(
    client: &Client,
    dir: &Path,
    checkpoint: &Checkpoint,
    watch: &dyn Fn(u64, u64),
) -> Result<Fetched, WeightsError> {
    let Origin::Hub(repository) = checkpoint.origin else {
        let place = checkpoint.origin.as_str().to_owned();
        return Err(WeightsError::Pickle { place, model: checkpoint.model });
    };
    let file = find(client, repository, checkpoint)?;
    files::create_dir(dir)?;
    let _one_at_a_time = files::lock(dir)?;
    if is_here(dir, checkpoint.model, &file)? {
        return Ok(Fetched::WasThere);
    }
    let url = client.file_url(Repository::Model(repository), FILE);
    let partial = partial(dir, checkpoint.model, &file);
    let came = receive(client, &url, (&partial, file.size), watch)?;
    let sha256 = files::sha256(&partial)?;
    if let Some(listed) = file.sha256.filter(|listed| *listed != sha256) {
        files::remove_file(&partial)?;
        return Err(WeightsError::Hash { url, found: sha256, listed });
    }
    let licence = checkpoint.licence.to_owned();
    store::publish(dir, checkpoint.model, &partial, &Provenance { from: url, sha256, licence })?;
    Ok(Fetched::Came(came))
}

/// The file with the weights.
fn find(
    client: &Client,
    repository: &str,
    checkpoint: &Checkpoint,
) -> Result<RemoteFile, WeightsError> {
    let files = listing::list(client, Repository::Model(repository))?.files;
    let named = |name: &str| files.iter().find(|file| file.path == name);
    if let Some(file) = named(FILE) {
        return Ok(file.clone());
    }
    match named("pytorch_model.bin") {
        Some(file) => Err(WeightsError::Pickle {
            place: client.file_url(Repository::Model(repository), &file.path),
            model: checkpoint.model,
        }),
        None => Err(WeightsError::NoFile { repository: repository.to_owned() }),
    }
}

/// Whether the file here is the hub's.
fn is_here(dir: &Path, model: &str, file: &RemoteFile) -> Result<bool, WeightsError> {
    let path = store::path(dir, model);
    let known = store::provenance(dir, model)?;
    Ok(path.exists()
        && file.sha256.is_some()
        && known.map(|known| known.sha256) == file.sha256
        && Some(files::sha256(&path)?) == file.sha256)
}

/// Another revision of the file starts anew.
fn partial(dir: &Path, model: &str, file: &RemoteFile) -> PathBuf {
    let revision = file.sha256.as_deref().and_then(|sha256| sha256.get(..12));
    dir.join(format!("{model}.{}.partial", revision.unwrap_or("unhashed")))
}

/// Fetches what is missing of a file; returns how much that was.
fn receive(
    client: &Client,
    url: &str,
    (path, size): (&Path, u64),
    watch: &dyn Fn(u64, u64),
) -> Result<u64, WeightsError> {
    let mut file =
        OpenOptions::new().append(true).create(true).open(path).map_err(at("open", path))?;
    let before = kept(&file, path, size)?;
    let mut here = before;
    watch(here, size);
    while here < size {
        let piece = client.range(url, here, PIECE_BYTES.min(size - here))?;
        file.write_all(&piece).map_err(at("write", path))?;
        here += piece.len() as u64;
        watch(here, size);
    }
    file.sync_all().map_err(at("write", path))?;
    Ok(here - before)
}

/// Bytes of an earlier call; of a file that is too long none.
fn kept(file: &File, path: &Path, size: u64) -> Result<u64, WeightsError> {
    let length = file.metadata().map_err(at("look at", path))?.len();
    if length <= size {
        return Ok(length);
    }
    file.set_len(0).map_err(at("empty", path))?;
    Ok(0)
}
