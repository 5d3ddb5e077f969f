//! Which data sets are configured, and which of their files are in the cache.
//!
//! ```text
//! <root>/gasbench_configs/<modality>_datasets.yaml     entries, as the original caches them
//! <root>/datasets/<modality>/<data set>/{n:06}.mp4     files
//!                                      /.download_complete
//!                                      /manifest.jsonl one line a file, where it is known
//! ```

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::{REAL, SYNTHETIC};
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError, at};

/// The empty file that marks a finished download.
pub const COMPLETE: &str = ".download_complete";
/// The class words, as they are written.
pub const MEDIA_TYPES: [&str; 3] = ["real", "synthetic", "semisynthetic"];
/// What is known about a data set's files.
const MANIFEST: &str = "manifest.jsonl";

/// Why the data could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A configuration that is not what dfresearch reads.
    #[error("{}: {source}", .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_norway::Error,
    },
    /// A class that is not said, or not one of the three words.
    #[error(
        "{}: data set {name} has media_type {}: set it to real, synthetic or semisynthetic",
        .path.display(), .found.as_ref().map_or_else(|| "missing".to_owned(), |f| format!("{f:?}"))
    )]
    MediaType {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: String,
        /// What it says.
        found: Option<String>,
    },
    /// Two entries of one name: one of them would be lost.
    #[error("{}: data set {name} is there twice: rename or remove one", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The data set.
        name: String,
    },
    /// A manifest that cannot be read.
    #[error("{} line {line}: {source}", .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Nothing to work with.
    #[error(
        "no {modality} data sets in {}: expected {} and files under {}",
        .root.display(), .config.display(), .folder.display()
    )]
    NoData {
        /// Kind of media.
        modality: Modality,
        /// Data root.
        root: PathBuf,
        /// The configuration that was looked for.
        config: PathBuf,
        /// Where data sets would be.
        folder: PathBuf,
    },
}

/// One configured data set. Fields that only a download needs are kept as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Folder name.
    pub name: String,
    /// Where it came from.
    pub path: String,
    /// `video`, …; the configuration file decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// `real`, `synthetic` or `semisynthetic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Extension of the source's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_format: Option<String>,
    /// Files taken from each archive; -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_per_archive: Option<i64>,
    /// Archives taken; -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archives_per_dataset: Option<i64>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl Entry {
    /// The class word.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().expect("checked when the configuration was read")
    }

    /// 0 for real, 1 for synthetic and semisynthetic.
    pub fn label(&self) -> u8 {
        if self.media_type() == "real" { REAL } else { SYNTHETIC }
    }
}

/// One line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// File name inside the data set.
    pub file: String,
    /// What it was made from; files of one recording always share a part.
    pub recording: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// `real`, `synthetic` or `semisynthetic`.
    pub media_type: String,
}

/// One file in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFile {
    /// Where it is.
    pub path: PathBuf,
    /// Data set name.
    pub dataset: String,
    /// File name; what is not UTF-8 is replaced.
    pub file: String,
    /// What it was made from; `<data set>/<file>` where nothing is known.
    pub recording: String,
}

impl MediaFile {
    /// `<data set>/<file>`: names a file below the data root.
    pub fn id(&self) -> String {
        format!("{}/{}", self.dataset, self.file)
    }
}

#[derive(Serialize, Deserialize)]
struct Config {
    /// A list that is there but empty reads as null.
    #[serde(default)]
    datasets: Option<Vec<Entry>>,
}

/// Folder of one data set.
pub fn dataset_dir(root: &Path, modality: Modality, name: &str) -> PathBuf {
    root.join("datasets").join(modality.as_str()).join(name)
}

fn config_path(root: &Path, modality: Modality) -> PathBuf {
    root.join("gasbench_configs").join(format!("{modality}_datasets.yaml"))
}

/// Writes the configuration under `root`.
///
/// # Errors
/// The disk.
pub fn write_entries(root: &Path, modality: Modality, entries: &[Entry]) -> Result<(), FileError> {
    let path = config_path(root, modality);
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
    let path = config_path(root, modality);
    let cached = read_config(&path)?;
    let local = local.map(read_config).transpose()?.flatten();
    if cached.is_none() && local.is_none() {
        return Err(no_data(root, modality));
    }
    let mut entries = cached.unwrap_or_default();
    for entry in local.unwrap_or_default() {
        match entries.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

/// Tells where data was expected.
pub fn no_data(root: &Path, modality: Modality) -> CatalogueError {
    CatalogueError::NoData {
        modality,
        root: root.to_owned(),
        config: config_path(root, modality),
        folder: root.join("datasets").join(modality.as_str()),
    }
}

fn read_config(path: &Path) -> Result<Option<Vec<Entry>>, CatalogueError> {
    let Some(text) = files::read_optional(path)? else { return Ok(None) };
    if text.trim().is_empty() {
        return Ok(Some(Vec::new()));
    }
    let yaml = |source| CatalogueError::Yaml { path: path.to_owned(), source };
    let config: Config = serde_norway::from_str(&text).map_err(yaml)?;
    let entries = config.datasets.unwrap_or_default();
    check(path, &entries)?;
    Ok(Some(entries))
}

/// A label must never be guessed: a misspelt word would turn real media into synthetic ones.
fn check(path: &Path, entries: &[Entry]) -> Result<(), CatalogueError> {
    let mut names = HashSet::new();
    for Entry { name, media_type, .. } in entries {
        let (path, name) = (path.to_owned(), name.clone());
        if !media_type.as_deref().is_some_and(|word| MEDIA_TYPES.contains(&word)) {
            return Err(CatalogueError::MediaType { path, name, found: media_type.clone() });
        }
        if !names.insert(name.clone()) {
            return Err(CatalogueError::Twice { path, name });
        }
    }
    Ok(())
}

/// Extensions that the original recognises.
fn extensions(modality: Modality) -> &'static [&'static str] {
    match modality {
        Modality::Image => &["png", "jpg", "jpeg", "webp", "bmp"],
        Modality::Video => &["mp4", "avi", "mkv", "mov", "webm"],
        Modality::Audio => &["wav", "mp3", "flac", "npz", "ogg"],
    }
}

/// Names of a data set's media files, sorted; `None` when the folder does not exist.
///
/// # Errors
/// A folder that cannot be read.
pub fn media_names(folder: &Path, modality: Modality) -> Result<Option<Vec<OsString>>, FileError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let name = entry.map_err(at("list", folder))?.file_name();
        if is_media(&name.to_string_lossy(), modality) {
            names.push(name);
        }
    }
    names.sort();
    Ok(Some(names))
}

fn is_media(name: &str, modality: Modality) -> bool {
    let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
    !name.starts_with('.') && extensions(modality).contains(&extension.to_lowercase().as_str())
}

/// The files of one configured data set; none when it is not in the cache.
///
/// # Errors
/// A folder or manifest that cannot be read.
pub fn media_files(
    root: &Path,
    modality: Modality,
    entry: &Entry,
) -> Result<Vec<MediaFile>, CatalogueError> {
    let folder = dataset_dir(root, modality, &entry.name);
    let names = media_names(&folder, modality)?.unwrap_or_default();
    let known = read_manifest(&folder)?.into_iter().map(|line| (line.file, line.recording));
    let mut recordings: HashMap<String, String> = known.collect();
    let files = names.into_iter().map(|name| {
        let file = name.to_string_lossy().into_owned();
        let unknown = || format!("{}/{file}", entry.name);
        let recording = recordings.remove(&file).unwrap_or_else(unknown);
        MediaFile { path: folder.join(&name), dataset: entry.name.clone(), file, recording }
    });
    Ok(files.collect())
}

/// Writes what is known about a data set's files.
///
/// # Errors
/// The disk.
pub fn write_manifest(folder: &Path, lines: &[ManifestLine]) -> Result<(), FileError> {
    let print = |line| serde_json::to_string(line).expect("a manifest line is plain data") + "\n";
    let text: String = lines.iter().map(print).collect();
    files::write_whole(&folder.join(MANIFEST), text.as_bytes())
}

/// What is known about a data set's files; nothing where there is no manifest.
///
/// # Errors
/// A manifest that cannot be read.
pub fn read_manifest(folder: &Path) -> Result<Vec<ManifestLine>, CatalogueError> {
    let path = folder.join(MANIFEST);
    let text = files::read_optional(&path)?.unwrap_or_default();
    let read = |(index, line): (usize, &str)| {
        let wrong =
            |source| CatalogueError::Manifest { path: path.clone(), line: index + 1, source };
        serde_json::from_str(line).map_err(wrong)
    };
    text.lines().enumerate().map(read).collect()
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
