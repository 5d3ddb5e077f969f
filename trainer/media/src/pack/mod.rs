//! Packs: decoded records, made once. [`plan`] decides, [`write`] does. The layout is the contract's.

pub mod plan;
pub mod write;

use std::path::Path;

use dfr_contract::modality::Modality;
use rayon::prelude::*;

use crate::catalogue::{self, CatalogueError, Entry, MediaFile};
use crate::files;

/// Lists and hashes every file of the configured data sets that is in the cache.
///
/// # Errors
/// The disk, a broken manifest, or no file at all.
pub fn gather(
    root: &Path,
    modality: Modality,
    entries: &[Entry],
) -> Result<Vec<(Entry, MediaFile, String)>, CatalogueError> {
    let mut found = Vec::new();
    for entry in entries {
        let files = catalogue::media_files(root, modality, entry)?;
        found.extend(files.into_iter().map(|file| (entry.clone(), file)));
    }
    if found.is_empty() {
        return Err(catalogue::no_data(root, modality));
    }
    let hashed = found.into_par_iter().map(|(entry, file)| {
        let sha256 = files::sha256(&file.path)?;
        Ok((entry, file, sha256))
    });
    hashed.collect()
}
