//! Data sets by their folders: what is there, and what each of them is, also where no configuration
//! says so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;

use crate::catalogue::{self, CatalogueError, Entry, dataset_dir, media_names};
use crate::files::{FileError, at};

/// Why it is not known what there is.
#[derive(Debug, thiserror::Error)]
pub enum FoldersError {
    /// A configuration or a manifest.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// Folders of which nothing tells what they are.
    #[error("{}", unknown(.folder, .names, .local))]
    Unknown {
        /// Where they are.
        folder: PathBuf,
        /// Their names.
        names: Vec<String>,
        /// The configuration that a user would write.
        local: PathBuf,
    },
    /// A class for a data set that is not there.
    #[error("no data set {name:?} in {}; there are {}", .folder.display(), .known.join(", "))]
    NoSuchDataSet {
        /// What was said.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// What is there.
        known: Vec<String>,
    },
}

fn unknown(folder: &Path, names: &[String], local: &Path) -> String {
    let words = catalogue::MEDIA_TYPES.join(", ");
    let flags: Vec<String> = names.iter().map(|n| format!("--media-type {n}=WORD")).collect();
    let lines: Vec<String> = names
        .iter()
        .map(|name| format!("    - {{name: {name}, path: local/{name}, media_type: WORD}}"))
        .collect();
    format!(
        "nothing says what these data sets in {} are: {}\n  say it, with one of {words} for WORD: {}\n  \
         or write {} with\n    datasets:\n{}",
        folder.display(),
        names.join(", "),
        flags.join(" "),
        local.display(),
        lines.join("\n")
    )
}

/// What a user says a data set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The data set.
    pub name: String,
    /// One of [`catalogue::MEDIA_TYPES`].
    pub media_type: String,
}

/// What there is below a data root.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Data sets whose class is known.
    pub entries: Vec<Entry>,
    /// Folders that the configuration does not name.
    pub ignored: Vec<String>,
}

/// The data sets under `root`. What the user says goes before a configuration; where there is no
/// configuration, a manifest tells what a data set is.
///
/// # Errors
/// No media files; a data set of which nothing is known, or that is not there; the disk.
pub fn find(
    root: &Path,
    modality: Modality,
    local: &Path,
    said: &[Said],
) -> Result<Found, FoldersError> {
    let folder = root.join("datasets").join(modality.as_str());
    let known = with_media(root, modality)?;
    if known.is_empty() {
        return Err(catalogue::no_data(root, modality).into());
    }
    if let Some(Said { name, .. }) = said.iter().find(|said| !known.contains(&said.name)) {
        return Err(FoldersError::NoSuchDataSet { name: name.clone(), folder, known });
    }
    match catalogue::read_entries(root, modality, Some(local)) {
        Ok(configured) => Ok(configured_and_said(configured, known, said)),
        Err(CatalogueError::NoData { .. }) => {
            let mut unknown = Vec::new();
            let mut entries = Vec::new();
            for name in known {
                match media_type(&dataset_dir(root, modality, &name), &name, said)? {
                    Some(media_type) => entries.push(entry(&name, &media_type)),
                    None => unknown.push(name),
                }
            }
            if unknown.is_empty() {
                return Ok(Found { entries, ignored: Vec::new() });
            }
            Err(FoldersError::Unknown { folder, names: unknown, local: local.to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Folders that hold media files, sorted.
fn with_media(root: &Path, modality: Modality) -> Result<Vec<String>, FoldersError> {
    let folder = root.join("datasets").join(modality.as_str());
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(at("list", &folder))? {
        let path = entry.map_err(at("list", &folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if media_names(&path, modality)?.is_some_and(|media| !media.is_empty()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn configured_and_said(mut entries: Vec<Entry>, known: Vec<String>, said: &[Said]) -> Found {
    for said in said {
        match entries.iter_mut().find(|entry| entry.name == said.name) {
            Some(entry) => entry.media_type = Some(said.media_type.clone()),
            None => entries.push(entry(&said.name, &said.media_type)),
        }
    }
    let named: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let ignored = known.into_iter().filter(|name| !named.contains(name.as_str())).collect();
    Found { entries, ignored }
}

/// What the user says, else what every line of the manifest says.
fn media_type(folder: &Path, name: &str, said: &[Said]) -> Result<Option<String>, FoldersError> {
    if let Some(said) = said.iter().find(|said| said.name == name) {
        return Ok(Some(said.media_type.clone()));
    }
    let lines = catalogue::read_manifest(folder)?;
    let words: BTreeSet<String> = lines.into_iter().map(|line| line.media_type).collect();
    let one = words.first().filter(|word| catalogue::MEDIA_TYPES.contains(&word.as_str()));
    Ok(one.filter(|_| words.len() == 1).cloned())
}

fn entry(name: &str, media_type: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        path: format!("local/{name}"),
        media_type: Some(media_type.to_owned()),
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{ManifestLine, write_entries, write_manifest};

    const NO_LOCAL: &str = "no/such/video.yaml";

    fn root(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let folder = dataset_dir(root.path(), Modality::Video, name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("000000.mp4"), "x").unwrap();
        }
        root
    }

    fn said(name: &str, media_type: &str) -> Said {
        Said { name: name.to_owned(), media_type: media_type.to_owned() }
    }

    fn found(root: &Path, said: &[Said]) -> Result<Found, FoldersError> {
        find(root, Modality::Video, Path::new(NO_LOCAL), said)
    }

    fn classes(found: &Found) -> Vec<(&str, &str)> {
        found.entries.iter().map(|entry| (entry.name.as_str(), entry.media_type())).collect()
    }

    #[test]
    fn without_a_configuration_the_user_or_a_manifest_says_what_a_data_set_is() {
        let root = root(&["a", "b", "c"]);
        let line = |media_type: &str| ManifestLine {
            file: "000000.mp4".into(),
            recording: "r".into(),
            sha256: "s".into(),
            media_type: media_type.into(),
        };
        let folder = |name| dataset_dir(root.path(), Modality::Video, name);
        write_manifest(&folder("a"), &[line("real"), line("real")]).unwrap();
        write_manifest(&folder("b"), &[line("real"), line("synthetic")]).unwrap();
        let error = found(root.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("are: b, c\n"), "{error}");
        assert!(error.contains("--media-type b=WORD --media-type c=WORD"), "{error}");
        assert!(error.contains(NO_LOCAL) && error.contains("{name: c, path: local/c,"), "{error}");
        let all = found(root.path(), &[said("b", "synthetic"), said("c", "real")]).unwrap();
        assert_eq!(classes(&all), [("a", "real"), ("b", "synthetic"), ("c", "real")]);
    }

    #[test]
    fn what_the_user_says_goes_before_a_configuration_and_other_folders_are_named() {
        let root = root(&["a", "b", "other"]);
        write_entries(root.path(), Modality::Video, &[entry("a", "real")]).unwrap();
        let known = found(root.path(), &[]).unwrap();
        assert_eq!(classes(&known), [("a", "real")]);
        assert_eq!(known.ignored, ["b", "other"]);
        let more = found(root.path(), &[said("a", "synthetic"), said("b", "real")]).unwrap();
        assert_eq!(classes(&more), [("a", "synthetic"), ("b", "real")]);
        assert_eq!(more.ignored, ["other"]);
    }

    #[test]
    fn a_data_set_that_is_not_there_and_a_root_without_any_are_refused() {
        let error = found(root(&["a"]).path(), &[said("b", "real")]).unwrap_err().to_string();
        assert!(error.contains("no data set \"b\"") && error.ends_with("there are a"), "{error}");
        let nothing = found(root(&[]).path(), &[]);
        assert!(matches!(nothing, Err(FoldersError::Catalogue(CatalogueError::NoData { .. }))));
    }
}
