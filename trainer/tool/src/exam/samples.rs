//! Which recordings an exam asks about.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::{Part, REAL, SYNTHETIC};
use dfr_media::files::{FileError, at};
use dfr_media::pack::read::{labels_path, origins, read_json};
use serde::Deserialize;

use super::ExamError;

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Data set.
    pub dataset: String,
    /// File.
    pub path: PathBuf,
    /// [`REAL`] or [`SYNTHETIC`].
    pub label: u8,
}

/// Recordings of the competition's benchmark, over all data sets.
pub fn total(modality: Modality, is_full: bool) -> usize {
    match (modality, is_full) {
        (_, false) => 5_000,
        (Modality::Image, true) => 55_000,
        (Modality::Video, true) => 26_000,
        (Modality::Audio, true) => 37_000,
    }
}

/// Most recordings of one data set.
const PER_DATASET: usize = 2_000;

/// The recordings that validation and holdout of a pack were made of; `data` holds their data sets.
///
/// # Errors
/// The vault cannot be read.
pub fn of_pack(pack: &Path, data: &Path) -> Result<Vec<Sample>, FileError> {
    let mut samples = Vec::new();
    for part in [Part::Validation, Part::Holdout] {
        let path = labels_path(pack, part);
        let labels = fs::read(&path).map_err(at("read", &path))?;
        samples.extend(origins(pack, part)?.into_iter().zip(labels).map(|(origin, label)| {
            let path = data.join(&origin.dataset).join(&origin.file);
            Sample { dataset: origin.dataset, path, label }
        }));
    }
    Ok(samples)
}

#[derive(Deserialize)]
struct Info {
    media_type: Option<String>,
}

/// The recordings of a cache: `<root>/datasets/<name>/{dataset_info.json, sample_metadata.json, samples/}`.
/// A recording's own `media_type` precedes that of its data set.
///
/// # Errors
/// Unreadable, or nothing says what a recording is.
pub fn of_cache(root: &Path) -> Result<Vec<Sample>, ExamError> {
    let mut samples = Vec::new();
    for dataset in sorted(&root.join("datasets"))? {
        let folder = dataset.join("samples");
        if !folder.is_dir() {
            continue;
        }
        let info: Option<Info> = read_json(&dataset.join("dataset_info.json"));
        let of_all = info.and_then(|info| info.media_type);
        let of_each: BTreeMap<String, Info> =
            read_json(&dataset.join("sample_metadata.json")).unwrap_or_default();
        for path in sorted(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let own = of_each.get(&name).and_then(|info| info.media_type.clone());
            let label = own.or_else(|| of_all.clone()).and_then(|word| label(&word));
            let label = label.ok_or_else(|| ExamError::Unlabelled(path.clone()))?;
            let dataset = dataset.file_name().unwrap_or_default().to_string_lossy().into_owned();
            samples.push(Sample { dataset, path, label });
        }
    }
    Ok(samples)
}

fn label(media_type: &str) -> Option<u8> {
    match media_type {
        "real" => Some(REAL),
        "synthetic" | "semisynthetic" => Some(SYNTHETIC),
        _ => None,
    }
}

/// What is in a folder, by name, without what is hidden.
fn sorted(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = fs::read_dir(dir).map_err(at("read", dir))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| !path.file_name().unwrap_or_default().to_string_lossy().starts_with('.'));
    paths.sort();
    Ok(paths)
}

/// At most `total` recordings, an equal share of each data set, spread over its files.
pub fn choose(samples: Vec<Sample>, total: usize) -> Vec<Sample> {
    let mut datasets: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        datasets.entry(sample.dataset.clone()).or_default().push(sample);
    }
    let share = (total / datasets.len().max(1)).clamp(1, PER_DATASET);
    let spread = |of: Vec<Sample>| {
        let step = of.len().div_ceil(share).max(1);
        of.into_iter().step_by(step)
    };
    datasets.into_values().flat_map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(dataset: &str, file: usize) -> Sample {
        Sample { dataset: dataset.to_owned(), path: file.to_string().into(), label: REAL }
    }

    #[test]
    fn each_data_set_has_its_share() {
        let many =
            (0..100).map(|file| sample("a", file)).chain((0..3).map(|file| sample("b", file)));
        let chosen = choose(many.collect(), 20);
        let of = |name| chosen.iter().filter(|sample| sample.dataset == name).count();
        assert_eq!((of("a"), of("b")), (10, 3));
        assert!(choose(Vec::new(), 20).is_empty());
    }

    #[test]
    fn a_cache_tells_what_its_recordings_are() {
        let root = tempfile::tempdir().unwrap();
        let dataset = root.path().join("datasets/faces");
        fs::create_dir_all(dataset.join("samples")).unwrap();
        for file in ["a.png", "b.png", ".hidden"] {
            fs::write(dataset.join("samples").join(file), "").unwrap();
        }
        assert!(matches!(of_cache(root.path()), Err(ExamError::Unlabelled(_))));
        fs::write(dataset.join("dataset_info.json"), r#"{"media_type": "real"}"#).unwrap();
        let own = r#"{"b.png": {"media_type": "semisynthetic"}, "a.png": {}}"#;
        fs::write(dataset.join("sample_metadata.json"), own).unwrap();
        let labels: Vec<u8> = of_cache(root.path()).unwrap().iter().map(|s| s.label).collect();
        assert_eq!(labels, [REAL, SYNTHETIC]);
    }
}
