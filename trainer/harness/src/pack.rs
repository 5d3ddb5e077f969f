//! Reads one part of a pack, mapped into memory. The layout is `dfr_contract::pack`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use dfr_contract::pack::{PartHeader, REAL, SYNTHETIC, VERSION, file};
use memmap2::Mmap;

/// Why a part cannot be used. All but `Unlabelled` are cured by preparing the data again.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file is missing or unreadable.
    #[error("cannot read {path}: {source}; run `dfr prepare`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The header is not JSON of the expected form.
    #[error("{path} is no part header: {source}; run `dfr prepare`")]
    Header {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Another version of `dfr` made it.
    #[error(
        "{path} has layout version {found} and this program reads {VERSION}; run `dfr prepare`"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: u32,
    },
    /// No records, or records of no pixels or not of three colours.
    #[error(
        "{path} describes {records} records of shape {shape:?}, which is nothing to learn from; run `dfr prepare`"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Records in the part.
        records: u64,
        /// `T C H W`.
        shape: [u64; 4],
    },
    /// A file is cut short or overlong.
    #[error("{path} has {found} bytes and its header says {expected}; run `dfr prepare`")]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes that the header implies.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A label byte is neither real nor synthetic.
    #[error(
        "{path} has label {found} for record {record}, neither 0 (real) nor 1 (synthetic); run `dfr prepare`"
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// The first such record.
        record: usize,
        /// Its byte.
        found: u8,
    },
    /// Training was asked for on a part without labels.
    #[error("{0} holds no labels: train on the pack's train part")]
    Unlabelled(PathBuf),
}

/// One part of a pack: records, and labels where the part has them.
pub struct Part {
    dir: PathBuf,
    header: PartHeader,
    records: Mmap,
    labels: Option<Vec<u8>>,
}

impl Part {
    /// Opens and verifies the part in `dir`. Records are mapped, not read.
    ///
    /// # Errors
    /// Whatever differs from the layout, with its path.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let header = read_header(&dir.join(file::PART))?;
        let expected = header.records.saturating_mul(header.record_bytes());
        let records = map(&dir.join(file::RECORDS), expected)?;
        let labels = read_labels(&dir.join(file::LABELS), header.records)?;
        Ok(Self { dir: dir.to_owned(), header, records, labels })
    }

    /// Number of records; at least one.
    pub fn len(&self) -> usize {
        usize::try_from(self.header.records)
            .expect("the records are mapped, so they can be counted")
    }

    /// Never: an empty part is refused when it is opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of a record, `T C H W`.
    pub fn shape(&self) -> [i64; 4] {
        self.header.shape.map(|n| i64::try_from(n).expect("a mapped record has a small shape"))
    }

    /// One label per record: 0 real, 1 synthetic.
    ///
    /// # Errors
    /// `Unlabelled` if the part has none.
    pub fn labels(&self) -> Result<&[u8], PackError> {
        self.labels.as_deref().ok_or_else(|| PackError::Unlabelled(self.dir.clone()))
    }

    /// The bytes of record `index`, in `T C H W` order.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn record(&self, index: usize) -> &[u8] {
        let bytes = self.records.len() / self.len();
        &self.records[index * bytes..(index + 1) * bytes]
    }
}

fn read_header(path: &Path) -> Result<PartHeader, PackError> {
    let text =
        fs::read(path).map_err(|source| PackError::Read { path: path.to_owned(), source })?;
    let header: PartHeader = serde_json::from_slice(&text)
        .map_err(|source| PackError::Header { path: path.to_owned(), source })?;
    if header.version != VERSION {
        return Err(PackError::Version { path: path.to_owned(), found: header.version });
    }
    let PartHeader { records, shape, .. } = header;
    if records == 0 || shape[1] != 3 || shape.contains(&0) || shape.iter().any(|&n| n > 1 << 16) {
        return Err(PackError::Shape { path: path.to_owned(), records, shape });
    }
    Ok(header)
}

fn map(path: &Path, expected: u64) -> Result<Mmap, PackError> {
    let read = |source| PackError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(read)?;
    let found = file.metadata().map_err(read)?.len();
    if found != expected {
        return Err(PackError::Size { path: path.to_owned(), expected, found });
    }
    // SAFETY: a pack is written once, under another name, and never changed after it has this one.
    unsafe { Mmap::map(&file) }.map_err(read)
}

fn read_labels(path: &Path, records: u64) -> Result<Option<Vec<u8>>, PackError> {
    let labels = match fs::read(path) {
        Ok(labels) => labels,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(PackError::Read { path: path.to_owned(), source }),
    };
    let found = labels.len() as u64;
    if found != records {
        return Err(PackError::Size { path: path.to_owned(), expected: records, found });
    }
    match labels.iter().position(|&label| label != REAL && label != SYNTHETIC) {
        Some(record) => {
            Err(PackError::Label { path: path.to_owned(), record, found: labels[record] })
        }
        None => Ok(Some(labels)),
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
