//! Packs: decoded records, made once. [`plan`] decides, [`write`](mod@write) does. The layout is the
//! contract's.

pub mod duplicates;
pub mod fill;
pub mod plan;
pub mod read;
pub mod records;
pub mod write;

use std::path::Path;

use dfr_contract::modality::Modality;
use dfr_contract::pack::LeftOut;
use rayon::iter::Either;
use rayon::prelude::*;

use crate::catalogue::{self, CatalogueError, Entry};
use crate::files;
use crate::pack::plan::Gathered;

/// Lists and hashes every file of the configured data sets that is in the cache. What is no readable
/// file stops nothing: it is left out.
///
/// # Errors
/// A folder that cannot be listed, a broken manifest, or no file at all.
pub fn gather(
    root: &Path,
    modality: Modality,
    entries: &[Entry],
) -> Result<Gathered, CatalogueError> {
    let mut found = Vec::new();
    for entry in entries {
        let files = catalogue::media_files(root, modality, entry)?;
        found.extend(files.into_iter().map(|file| (entry, file)));
    }
    if found.is_empty() {
        return Err(catalogue::no_data(root, modality));
    }
    let (files, left_out) =
        found.into_par_iter().partition_map(|(entry, file)| match hash(&file.path) {
            Ok(sha256) => Either::Left((entry.clone(), file, sha256)),
            Err(reason) => Either::Right(LeftOut { file: file.id(), reason, duplicate_of: None }),
        });
    Ok(Gathered { files, left_out })
}

/// The hash of a file that can be packed, or the reason why it cannot.
fn hash(path: &Path) -> Result<String, String> {
    if path.file_name().is_none_or(|name| name.to_str().is_none()) {
        return Err("its name is not UTF-8: rename it".to_owned());
    }
    if !path.is_file() {
        return Err("not a file, or a link to nothing".to_owned());
    }
    files::sha256(path).map_err(|error| error.to_string())
}
