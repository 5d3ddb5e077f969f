//! Where the files of a pack are, and whether they are all there.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;
use dfr_contract::pack::{PackHeader, Part, PartHeader, VERSION, file};

use crate::files::{FileError, at};

/// Directory of all packs of one input.
pub fn packs_dir(root: &Path, modality: Modality, input_name: &str) -> PathBuf {
    root.join("packs").join(modality.as_str()).join(input_name)
}

/// Where a part's labels are.
pub fn labels_path(pack: &Path, part: Part) -> PathBuf {
    match part {
        Part::Train => pack.join(part.as_str()).join(file::LABELS),
        Part::Validation | Part::Holdout => pack.join(file::VAULT).join(part.vault_labels()),
    }
}

/// The header of a pack whose every file is there in full; `None` when it has to be made.
pub fn read_complete(dir: &Path) -> Option<PackHeader> {
    let header: PackHeader = read_json(&dir.join(file::PACK))?;
    let whole = header.version == VERSION && dir.join(file::VAULT).join(file::IDS).is_file();
    let parts = Part::ALL.into_iter().all(|part| part_is_whole(dir, part).unwrap_or(false));
    (whole && parts).then_some(header)
}

fn part_is_whole(dir: &Path, part: Part) -> Option<bool> {
    let folder = dir.join(part.as_str());
    let header: PartHeader = read_json(&folder.join(file::PART))?;
    let length = |path: &Path| fs::metadata(path).ok().map(|meta| meta.len());
    let records = length(&folder.join(header.records_file()))?;
    let labels = length(&labels_path(dir, part))?;
    let lengths = match header.window {
        Some(_) => length(&folder.join(file::LENGTHS))? == header.records * 4,
        None => true,
    };
    let whole = records == header.records * header.record_bytes() && labels == header.records;
    Some(whole && lengths)
}

/// Where one record came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Data set.
    pub dataset: String,
    /// File, below the data set's folder.
    pub file: String,
}

/// Where each record of a part came from, in record order.
///
/// # Errors
/// The vault cannot be read.
pub fn origins(pack: &Path, part: Part) -> Result<Vec<Origin>, FileError> {
    let path = pack.join(file::VAULT).join(file::IDS);
    let text = fs::read_to_string(&path).map_err(at("read", &path))?;
    let origin = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [in_part, _record, dataset, file, ..] = columns.as_slice() else { return None };
        (*in_part == part.as_str())
            .then(|| Origin { dataset: (*dataset).to_owned(), file: (*file).to_owned() })
    };
    Ok(text.lines().filter_map(origin).collect())
}

/// Root of the media that a pack was made of: the one that was written down, else `root`, that of the pack.
pub fn data_root(pack: &Path, root: &Path) -> PathBuf {
    let told = fs::read(pack.join(file::VAULT).join(file::DATA)).ok();
    told.map_or_else(|| root.to_owned(), |path| OsString::from_vec(path).into())
}

/// A file of JSON; `None` when it is not there or not what it should be.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
