//! Which recordings an exam asks about.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::{Part, REAL, SYNTHETIC};
use dfr_media::catalogue;
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

/// How much the competition's benchmark asks about.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Recordings over all data sets.
    total: usize,
    /// What it fetches of a data set, if the subnet did not generate it.
    fetched: usize,
}

impl Size {
    /// The small benchmark or the full one.
    pub fn of(modality: Modality, is_full: bool) -> Self {
        let total = match (modality, is_full) {
            (_, false) => 5_000,
            (Modality::Image, true) => 55_000,
            (Modality::Video, true) => 26_000,
            (Modality::Audio, true) => 37_000,
        };
        Self { total, fetched: if is_full { 500 } else { 100 } }
    }
}

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

/// Who decodes the recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// This program.
    Dfr,
    /// The benchmark, which also takes folders of frames and sounds that it keeps as tensors.
    Gasbench,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Dfr { "dfr" } else { "gasbench" })
    }
}

impl Reader {
    fn reads(self, path: &Path, modality: Modality) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_its_own = match modality {
            Modality::Image => false,
            Modality::Video => path.is_dir(),
            Modality::Audio => name.ends_with(".pt"),
        };
        catalogue::is_media(&name, modality) || (self == Self::Gasbench && is_its_own)
    }
}

#[derive(Deserialize)]
struct Info {
    media_type: Option<String>,
    modality: Option<String>,
}

/// The recordings of one kind of media in a cache:
/// `<root>/datasets/<name>/{dataset_info.json, sample_metadata.json, samples/}`, and for what the subnet itself
/// generates a folder of these for each week. A recording's own `media_type` precedes that of its data set. Data
/// sets of another kind are passed over; what is not read (by dfr: folders of frames, sounds kept as tensors) is
/// named and does not count.
///
/// # Errors
/// Unreadable, or nothing says what a recording is.
pub fn of_cache(root: &Path, modality: Modality, reader: Reader) -> Result<Vec<Sample>, ExamError> {
    let mut samples = Vec::new();
    for dataset in sorted(&root.join("datasets"))? {
        let info: Option<Info> = read_json(&dataset.join("dataset_info.json"));
        let of = info.as_ref().and_then(|info| info.modality.as_deref());
        if !dataset.is_dir() || of.is_some_and(|of| of != modality.as_str()) {
            continue;
        }
        let weeks = sorted(&dataset)?.into_iter().filter(|path| path.join("samples").is_dir());
        let media_type = info.and_then(|info| info.media_type);
        for folder in std::iter::once(dataset.clone()).chain(weeks) {
            let name = dataset.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (about, kind) = ((&*name, media_type.as_deref()), (modality, reader));
            samples.extend(of_folder(&folder, about, kind)?);
        }
    }
    Ok(samples)
}

/// Those in `samples/` of a folder.
fn of_folder(
    folder: &Path,
    (dataset, of_all): (&str, Option<&str>),
    (modality, reader): (Modality, Reader),
) -> Result<Vec<Sample>, ExamError> {
    let inner = folder.join("samples");
    if !inner.is_dir() {
        return Ok(Vec::new());
    }
    let of_each: BTreeMap<String, Info> =
        read_json(&folder.join("sample_metadata.json")).unwrap_or_default();
    let mut samples = Vec::new();
    for path in sorted(&inner)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !reader.reads(&path, modality) {
            eprintln!("left out {}: not a file of {modality} that {reader} reads", path.display());
            continue;
        }
        let own = of_each.get(&name).and_then(|info| info.media_type.as_deref());
        let label = own.or(of_all).and_then(label);
        let label = label.ok_or_else(|| ExamError::Unlabelled(path.clone()))?;
        samples.push(Sample { dataset: dataset.to_owned(), path, label });
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

/// At most so many recordings, as many of each data set as the benchmark takes, spread over its files.
pub fn choose(samples: Vec<Sample>, size: Size) -> Vec<Sample> {
    let mut datasets: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for sample in samples {
        datasets.entry(sample.dataset.clone()).or_default().push(sample);
    }
    let generated = datasets.keys().filter(|name| is_generated(name)).count();
    let shares = Shares { size, regular: datasets.len() - generated, generated };
    let spread = |(name, of): (String, Vec<Sample>)| {
        let (all, share) = (of.len(), shares.of(&name).min(of.len()));
        (0..share).map(|number| of[number * all / share].clone()).collect::<Vec<_>>()
    };
    datasets.into_iter().flat_map(spread).collect()
}

/// What the subnet itself generates weighs more in the benchmark.
pub fn is_generated(dataset: &str) -> bool {
    dataset.contains("gasstation")
}

/// How many recordings each data set gives, by the benchmark's rule.
struct Shares {
    size: Size,
    regular: usize,
    generated: usize,
}

impl Shares {
    fn of(&self, dataset: &str) -> usize {
        let Self { size: Size { total, fetched }, regular, generated } = *self;
        let even = total / (regular + generated).max(1);
        if generated == 0 {
            return even.clamp(1, 2_000).min(fetched);
        }
        let unit = total as f64 / (regular + 5 * generated) as f64;
        if is_generated(dataset) {
            ((5.0 * unit) as usize).clamp((5 * even).clamp(1, 500), 10_000)
        } else {
            (unit as usize).clamp(even.clamp(1, 100), 2_000).min(fetched)
        }
    }
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
        let size = |total| Size { total, fetched: 500 };
        let chosen = choose(many.collect(), size(20));
        let of = |name| chosen.iter().filter(|sample| sample.dataset == name).count();
        assert_eq!((of("a"), of("b")), (10, 3));
        assert!(choose(Vec::new(), size(20)).is_empty());
        // One file more than the share leaves one out, not half of them.
        let one_more = (0..501).map(|file| sample("a", file)).collect();
        assert_eq!(choose(one_more, size(500)).len(), 500);
    }

    #[test]
    fn shares_are_those_of_the_benchmark() {
        // Its own figures for the data sets that it ships.
        let image = |is_full| {
            let size = Size::of(Modality::Image, is_full);
            let shares = Shares { size, regular: 170, generated: 1 };
            [shares.of("a"), shares.of("gasstation-x")]
        };
        assert_eq!((image(false), image(true)), ([29, 145], [314, 1571]));
        let audio = Shares { size: Size::of(Modality::Audio, true), regular: 106, generated: 0 };
        assert_eq!(audio.of("a"), 349);
    }

    #[test]
    fn of_few_data_sets_no_more_is_asked_than_the_benchmark_fetches() {
        let of = |is_full, generated| {
            let size = Size::of(Modality::Image, is_full);
            Shares { size, regular: 2, generated }.of("a")
        };
        assert_eq!([of(false, 0), of(true, 0), of(false, 1), of(true, 1)], [100, 500, 100, 500]);
    }

    #[test]
    fn a_cache_tells_what_its_recordings_are() {
        let root = tempfile::tempdir().unwrap();
        let dataset = root.path().join("datasets/faces");
        fs::create_dir_all(dataset.join("samples")).unwrap();
        for file in ["a.png", "b.png", ".hidden"] {
            fs::write(dataset.join("samples").join(file), "").unwrap();
        }
        let found = || of_cache(root.path(), Modality::Image, Reader::Dfr);
        assert!(matches!(found(), Err(ExamError::Unlabelled(_))));
        fs::write(dataset.join("dataset_info.json"), r#"{"media_type": "real"}"#).unwrap();
        let own = r#"{"b.png": {"media_type": "semisynthetic"}, "a.png": {}}"#;
        fs::write(dataset.join("sample_metadata.json"), own).unwrap();
        let labels = || found().unwrap().iter().map(|s| s.label).collect::<Vec<u8>>();
        assert_eq!(labels(), [REAL, SYNTHETIC]);
        // Of another kind, of a week, and what is no file of the kind.
        let (clips, week) = (root.path().join("datasets/clips"), dataset.join("2026W10"));
        for folder in [&clips, &week] {
            fs::create_dir_all(folder.join("samples/v_frames")).unwrap();
            fs::write(folder.join("samples/c.png"), "").unwrap();
        }
        fs::write(clips.join("dataset_info.json"), r#"{"modality": "video"}"#).unwrap();
        assert_eq!(labels(), [REAL, SYNTHETIC, REAL]);
        let of = |modality, reader| of_cache(root.path(), modality, reader).unwrap();
        assert!(of(Modality::Audio, Reader::Dfr).is_empty());
        assert!(of(Modality::Audio, Reader::Gasbench).is_empty());
        fs::write(
            clips.join("dataset_info.json"),
            r#"{"modality": "video", "media_type": "real"}"#,
        )
        .unwrap();
        assert!(of(Modality::Video, Reader::Dfr).is_empty());
        let frames = of(Modality::Video, Reader::Gasbench);
        assert!(frames.iter().any(|sample| sample.path == clips.join("samples/v_frames")));
    }
}
