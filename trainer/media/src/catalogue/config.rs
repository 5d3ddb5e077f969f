//! The files that say which data sets there are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use serde::{Deserialize, Serialize};

use super::{CatalogueError, Entry, MEDIA_TYPES};
use crate::files::{self, FileError};

#[derive(Serialize, Deserialize)]
struct Config {
    /// A list that is there but empty reads as null.
    #[serde(default)]
    datasets: Option<Vec<Entry>>,
}

/// Folder of the cached configurations.
pub fn configs_dir(root: &Path) -> PathBuf {
    root.join("gasbench_configs")
}

/// Names of a modality's configurations: the pair that gasbench has now, real first, then the single
/// file that it had.
pub fn names(modality: Modality) -> ([String; 2], String) {
    let word = match modality {
        Modality::Image => "images",
        Modality::Video => "videos",
        Modality::Audio => "audio",
    };
    let pair = ["real", "synthetic"].map(|class| format!("{class}_{word}.yaml"));
    (pair, format!("{modality}_datasets.yaml"))
}

fn single(root: &Path, modality: Modality) -> PathBuf {
    configs_dir(root).join(names(modality).1)
}

/// Writes the configuration under `root`.
///
/// # Errors
/// The disk.
pub fn write_entries(root: &Path, modality: Modality, entries: &[Entry]) -> Result<(), FileError> {
    let path = single(root, modality);
    files::create_dir(path.parent().expect("inside the root"))?;
    let config = Config { datasets: Some(entries.to_vec()) };
    let text = serde_norway::to_string(&config).expect("entries are plain data");
    files::write_whole(&path, text.as_bytes())
}

/// Reads the configuration under `root` and a local one: an entry of the same name is replaced in
/// place, others are added.
///
/// # Errors
/// A file that cannot be read or is not valid; neither of the two exists.
pub fn read_entries(
    root: &Path,
    modality: Modality,
    local: Option<&Path>,
) -> Result<Vec<Entry>, CatalogueError> {
    let cached = read_cached(root, modality)?;
    let local = local.map(read_config).transpose()?.flatten();
    if cached.is_none() && local.is_none() {
        return Err(no_data(root, modality));
    }
    Ok(merged(cached.unwrap_or_default(), local.unwrap_or_default()))
}

/// `local` entries replace those of their name in place; others are added.
pub fn merged(mut entries: Vec<Entry>, local: Vec<Entry>) -> Vec<Entry> {
    for entry in local {
        match entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
    entries
}

/// The pair where both are there, else the single file.
fn read_cached(root: &Path, modality: Modality) -> Result<Option<Vec<Entry>>, CatalogueError> {
    let ([real, synthetic], _) = names(modality);
    let [real, synthetic] = [real, synthetic].map(|name| configs_dir(root).join(name));
    let Some(mut entries) = read_config(&real)? else {
        return read_config(&single(root, modality));
    };
    let Some(others) = read_config(&synthetic)? else {
        return read_config(&single(root, modality));
    };
    entries.extend(others);
    check(&synthetic, &entries)?;
    Ok(Some(entries))
}

/// Tells where data was expected.
pub fn no_data(root: &Path, modality: Modality) -> CatalogueError {
    CatalogueError::NoData {
        modality,
        root: root.to_owned(),
        config: single(root, modality),
        folder: root.join("datasets").join(modality.as_str()),
    }
}

fn read_config(path: &Path) -> Result<Option<Vec<Entry>>, CatalogueError> {
    files::read_optional(path)?.map(|text| parse(path, &text)).transpose()
}

/// The entries of a configuration; `path` is named where it is wrong.
///
/// # Errors
/// It is not valid.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, CatalogueError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let yaml = |source| CatalogueError::Yaml { path: path.to_owned(), source };
    // Only comments: a document without a value.
    let config: Option<Config> = serde_norway::from_str(text).map_err(yaml)?;
    let entries = config.and_then(|config| config.datasets).unwrap_or_default();
    check(path, &entries)?;
    Ok(entries)
}

/// A label must never be guessed: a misspelt word would turn real media into synthetic ones.
fn check(path: &Path, entries: &[Entry]) -> Result<(), CatalogueError> {
    let mut names = HashSet::new();
    for Entry { name, media_type, .. } in entries {
        let (path, name) = (path.to_owned(), name.clone());
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(CatalogueError::Name { path, name });
        }
        if !media_type.as_deref().is_some_and(|word| MEDIA_TYPES.contains(&word)) {
            return Err(CatalogueError::MediaType { path, name, found: media_type.clone() });
        }
        if !names.insert(name.clone()) {
            return Err(CatalogueError::Twice { path, name });
        }
    }
    Ok(())
}
