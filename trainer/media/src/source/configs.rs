//! Fetches the configurations that say which data sets there are, into the cache.

use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;

use crate::catalogue::{self, CatalogueError};
use crate::files::{self, FileError};
use crate::hub::HubError;
use crate::hub::client::Client;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigsError {
    /// It cannot be had.
    #[error("cannot fetch the list of {modality} data sets: {source}\n  it can be put by hand into {}", .folder.display())]
    Hub {
        /// Kind of media.
        modality: Modality,
        /// Why.
        source: HubError,
        /// Where a copy is looked for.
        folder: PathBuf,
    },
    /// It is no configuration.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Fetches a modality's configurations from below `base` and writes them down as they are; returns
/// their names. Where the pair of now is not there, the single file of before is taken.
///
/// # Errors
/// They cannot be had, or not be written. Older copies then stay as they were.
pub fn refresh(
    root: &Path,
    modality: Modality,
    client: &Client,
    base: &str,
) -> Result<Vec<String>, ConfigsError> {
    let folder = catalogue::configs_dir(root);
    let get = |name: &String| {
        client.text(&format!("{base}/{name}")).map(|page| (name.clone(), page.text))
    };
    let (pair, single) = catalogue::names(modality);
    let pair: Result<Vec<_>, HubError> = pair.iter().map(get).collect();
    let texts = match pair {
        Err(HubError::Missing { .. }) => get(&single).map(|text| vec![text]),
        other => other,
    };
    let hub = |source| ConfigsError::Hub { modality, source, folder: folder.clone() };
    let texts = texts.map_err(hub)?;
    for (name, text) in &texts {
        catalogue::parse(Path::new(&format!("{base}/{name}")), text)?;
    }
    files::create_dir(&folder)?;
    for (name, text) in &texts {
        files::write_whole(&folder.join(name), text.as_bytes())?;
    }
    Ok(texts.into_iter().map(|(name, _)| name).collect())
}

/// Whether there is a copy of a modality's configurations.
pub fn is_cached(root: &Path, modality: Modality) -> bool {
    let (pair, single) = catalogue::names(modality);
    let is_there = |name: &String| catalogue::configs_dir(root).join(name).is_file();
    pair.iter().all(is_there) || is_there(&single)
}
