//! Recordings in the layout of gasbench's cache, so that it asks about these and fetches nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{self, Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::REAL;
use dfr_media::catalogue::COMPLETE;
use dfr_media::files::{self, FileError, at};
use serde_json::{Map, Value, json};

use super::samples::{Sample, is_generated};
use crate::clock;

/// A cache of links, and what names the data sets in it.
pub struct Corpus {
    /// Root of the cache.
    pub cache: PathBuf,
    /// Configuration of data sets: YAML.
    pub config: PathBuf,
}

/// Makes it below `dir`, which gasbench may write to.
///
/// # Errors
/// The disk.
pub fn write(samples: &[Sample], modality: Modality, dir: &Path) -> Result<Corpus, FileError> {
    let mut datasets: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        datasets.entry(&sample.dataset).or_default().push(sample);
    }
    for (name, of) in &datasets {
        let folder = dir.join("datasets").join(name);
        // Of what the subnet generates it looks at this week's folder.
        let folder = if is_generated(name) { folder.join(clock::week()) } else { folder };
        lay_out(&folder, of)?;
    }
    let entry = |(name, of): (&&str, &Vec<&Sample>)| {
        // Without a source_format it asks nobody which weeks there are.
        json!({"name": name, "path": format!("local/{name}"), "modality": modality.as_str(),
            "media_type": word(of[0])})
    };
    let entries: Vec<Value> = datasets.iter().map(entry).collect();
    let config = dir.join("datasets.yaml");
    // JSON is YAML.
    put(&config, &json!({"datasets": entries}))?;
    Ok(Corpus { cache: dir.to_owned(), config })
}

/// One folder with its samples and what gasbench looks for beside them; what has no metadata it passes over.
fn lay_out(folder: &Path, of: &[&Sample]) -> Result<(), FileError> {
    let inner = folder.join("samples");
    files::create_dir(&inner)?;
    let mut metadata = Map::new();
    for (number, sample) in of.iter().enumerate() {
        let file = sample.path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("m_{number:06}_{file}");
        let link = inner.join(&name);
        let target = path::absolute(&sample.path).map_err(at("find", &sample.path))?;
        symlink(target, &link).map_err(at("link", &link))?;
        // Its reader of clips takes the container from the name.
        let of_one = json!({"media_type": word(sample), "source_file": name});
        metadata.insert(name, of_one);
    }
    put(&folder.join("sample_metadata.json"), &metadata.into())?;
    put(&folder.join("dataset_info.json"), &json!({}))?;
    put(&folder.join(COMPLETE), &json!({}))
}

fn word(sample: &Sample) -> &'static str {
    if sample.label == REAL { "real" } else { "synthetic" }
}

fn put(path: &Path, value: &Value) -> Result<(), FileError> {
    fs::write(path, value.to_string()).map_err(at("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfr_contract::pack::SYNTHETIC;

    #[test]
    fn every_recording_is_where_gasbench_looks_with_what_it_is() {
        let root = tempfile::tempdir().unwrap();
        let sample = |dataset: &str, file: &str, label| {
            let path = root.path().join(file);
            fs::write(&path, file).unwrap();
            Sample { dataset: dataset.to_owned(), path, label }
        };
        let samples = [
            sample("faces", "a.png", REAL),
            sample("faces", "b.png", SYNTHETIC),
            sample("gasstation-x", "c.png", SYNTHETIC),
        ];
        let dir = root.path().join("cache");
        let corpus = write(&samples, Modality::Image, &dir).unwrap();
        let read =
            |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let config = read(&corpus.config);
        let names: Vec<&Value> =
            config["datasets"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
        assert_eq!(names, ["faces", "gasstation-x"]);
        assert_eq!(config["datasets"][0]["media_type"], "real");
        assert_eq!(config["datasets"][1]["modality"], "image");
        let faces = corpus.cache.join("datasets/faces");
        let metadata = read(&faces.join("sample_metadata.json"));
        assert_eq!(metadata["m_000001_b.png"]["media_type"], "synthetic");
        assert_eq!(fs::read_to_string(faces.join("samples/m_000001_b.png")).unwrap(), "b.png");
        let week = corpus.cache.join("datasets/gasstation-x").join(clock::week());
        assert!(week.join("samples/m_000000_c.png").is_file() && week.join(COMPLETE).is_file());
    }
}
