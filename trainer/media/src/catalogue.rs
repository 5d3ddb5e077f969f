//! Which data sets are configured, and which of their files are in the cache.
//!
//! ```text
//! <root>/gasbench_configs/real_videos.yaml, …          entries, as gasbench has them
//!                        /<modality>_datasets.yaml     the same, as the original caches them
//! <root>/datasets/<modality>/<data set>/{n:06}.mp4     files
//!                                      /.download_complete
//!                                      /manifest.jsonl one line a file, where it is known
//! ```

mod config;
mod entry;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use serde::{Deserialize, Serialize};

pub use config::{configs_dir, names, no_data, parse, read_entries, write_entries};
pub use entry::Entry;

use crate::files::{self, FileError, at};

/// The empty file that marks a finished download.
pub const COMPLETE: &str = ".download_complete";
/// The class words, as they are written.
pub const MEDIA_TYPES: [&str; 3] = ["real", "synthetic", "semisynthetic"];
/// What is known about a data set's files.
pub const MANIFEST: &str = "manifest.jsonl";

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
    /// A name that leads out of its folder.
    #[error(
        "{}: {name:?} cannot be the folder of a data set: use a name without / that does not begin with a dot",
        .path.display()
    )]
    Name {
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

/// Folder of one data set.
pub fn dataset_dir(root: &Path, modality: Modality, name: &str) -> PathBuf {
    root.join("datasets").join(modality.as_str()).join(name)
}

/// Extensions of media files: those of the original, and m4a, which it stores under another name.
pub fn extensions(modality: Modality) -> &'static [&'static str] {
    match modality {
        Modality::Image => &["png", "jpg", "jpeg", "webp", "bmp"],
        Modality::Video => &["mp4", "avi", "mkv", "mov", "webm"],
        Modality::Audio => &["wav", "mp3", "flac", "npz", "ogg", "m4a"],
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

/// Whether a file of that name is of that kind, and not hidden.
pub fn is_media(name: &str, modality: Modality) -> bool {
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
