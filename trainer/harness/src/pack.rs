//! Reads one part of a pack, mapped into memory. The layout is `dfr_contract::pack`.

use std::fs::{self, File};
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dfr_contract::input::Dtype;
use dfr_contract::modality::Modality;
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
    /// No records, or records that are not what its modality stores.
    #[error(
        "{path} describes {records} records of shape {shape:?}, which is nothing to learn from; run `dfr prepare`"
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// Records in the part.
        records: u64,
        /// Of one record.
        shape: Vec<u64>,
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
    /// The length of a sound is shorter than nothing or longer than what is stored.
    #[error("{path} has length {found} for record {record} of {stored} samples; run `dfr prepare`")]
    Length {
        /// The file.
        path: PathBuf,
        /// The first such record.
        record: usize,
        /// Its length, in samples.
        found: u32,
        /// Samples stored.
        stored: u64,
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
    /// Samples of sound in each record, where silence may follow.
    lengths: Option<Vec<u32>>,
}

impl Part {
    /// Opens and verifies the part in `dir`. Records are mapped, not read.
    ///
    /// # Errors
    /// Whatever differs from the layout, with its path.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let header = read_header(&dir.join(file::PART))?;
        let expected = header.records.saturating_mul(header.record_bytes());
        let records = map(&dir.join(header.records_file()), expected)?;
        let labels = read_labels(&dir.join(file::LABELS), header.records)?;
        let lengths = read_lengths(&dir.join(file::LENGTHS), &header)?;
        Ok(Self { dir: dir.to_owned(), header, records, labels, lengths })
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

    /// Shape of what a detector is fed of a record: `T 3 H W`, `3 H W` or `N`.
    pub fn shape(&self) -> Vec<i64> {
        let fed = self.header.fed_shape().into_iter();
        fed.map(|n| i64::try_from(n).expect("a mapped record has a small shape")).collect()
    }

    /// Type of the numbers in a record.
    pub fn dtype(&self) -> Dtype {
        self.header.dtype
    }

    /// The samples at which a window of record `index` may begin; 0 alone where all of it is fed.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn starts(&self, index: usize) -> RangeInclusive<usize> {
        let sound = self.lengths.as_ref().map_or(0, |lengths| lengths[index] as usize);
        let window = self.header.window.map_or(sound, |n| usize::try_from(n).unwrap_or(sound));
        0..=sound.saturating_sub(window)
    }

    /// The bytes that are fed of record `index`, from sample `start` on.
    ///
    /// # Panics
    /// If `start` is not among [`Part::starts`].
    pub fn fed(&self, index: usize, start: usize) -> &[u8] {
        let record = self.record(index);
        let Some(window) = self.header.window else { return record };
        assert!(self.starts(index).contains(&start), "a window within the record");
        let stride = usize::try_from(self.dtype().bytes()).expect("one or two");
        let window = usize::try_from(window).expect("less than what is mapped");
        &record[start * stride..(start + window) * stride]
    }

    /// One label per record: 0 real, 1 synthetic.
    ///
    /// # Errors
    /// `Unlabelled` if the part has none.
    pub fn labels(&self) -> Result<&[u8], PackError> {
        self.labels.as_deref().ok_or_else(|| PackError::Unlabelled(self.dir.clone()))
    }

    /// The bytes of record `index`, as stored.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn record(&self, index: usize) -> &[u8] {
        let bytes = self.records.len() / self.len();
        &self.records[index * bytes..(index + 1) * bytes]
    }

    /// Tells this part from others: a hash of its header, its labels and the beginning of every record.
    ///
    /// # Source
    /// FNV-1a, 64 bits.
    pub fn fingerprint(&self) -> u64 {
        let header = serde_json::to_vec(&self.header).expect("plain data");
        let beginnings = (0..self.len()).flat_map(|index| self.record(index).iter().take(64));
        let bytes = header.iter().chain(self.labels.iter().flatten()).chain(beginnings);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
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
    if header.records == 0 || !fits(&header) {
        let PartHeader { records, shape, .. } = header;
        return Err(PackError::Shape { path: path.to_owned(), records, shape });
    }
    Ok(header)
}

/// Whether the shape is one that the modality has.
fn fits(PartHeader { modality, shape, window, dtype, .. }: &PartHeader) -> bool {
    let (channels, dims, right) = match modality {
        Modality::Image => (shape.first(), 3, Dtype::U8),
        Modality::Video => (shape.get(1), 4, Dtype::U8),
        Modality::Audio => (Some(&3), 1, Dtype::I16),
    };
    let most = if *modality == Modality::Audio { 1 << 28 } else { 1 << 16 };
    let within = window.is_none_or(|n| *modality == Modality::Audio && n >= 1 && n <= shape[0]);
    shape.len() == dims
        && channels == Some(&3)
        && shape.iter().all(|&n| n >= 1 && n <= most)
        && *dtype == right
        && within
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

fn read_lengths(path: &Path, header: &PartHeader) -> Result<Option<Vec<u32>>, PackError> {
    if header.window.is_none() {
        return Ok(None);
    }
    let bytes = fs::read(path).map_err(|source| PackError::Read { path: path.into(), source })?;
    let (found, expected) = (bytes.len() as u64, header.records * 4);
    if found != expected {
        return Err(PackError::Size { path: path.to_owned(), expected, found });
    }
    let (lengths, _) = bytes.as_chunks::<4>();
    let lengths: Vec<u32> = lengths.iter().map(|&four| u32::from_le_bytes(four)).collect();
    let stored = header.shape[0];
    match lengths.iter().position(|&n| n == 0 || u64::from(n) > stored) {
        Some(record) => {
            let (path, found) = (path.to_owned(), lengths[record]);
            Err(PackError::Length { path, record, found, stored })
        }
        None => Ok(Some(lengths)),
    }
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
