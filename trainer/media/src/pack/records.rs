//! The records of one part: decoded and written in order, and closed up where some are dropped.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::pack::{LeftOut, file};
use rayon::prelude::*;

use crate::Advance;
use crate::decode::Decoder;
use crate::files::{self, FileError, at};
use crate::fingerprint::clip::Clip;
use crate::pack::plan::Item;

/// Files decoded at once before they are written, per worker: bounds memory.
const BATCH_PER_WORKER: usize = 4;

/// A file whose record is written.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The file.
    pub item: &'a Item,
    /// What its record shows.
    pub clip: Clip,
}

/// Decodes a part's items, in order, a batch at a time, into `<dir>/records.u8`; names those that
/// cannot be decoded.
///
/// # Errors
/// The disk.
pub fn write<'a>(
    dir: &Path,
    items: &[&'a Item],
    decoder: &Decoder,
    advance: Advance,
) -> Result<(Vec<Stored<'a>>, Vec<LeftOut>), FileError> {
    files::create_dir(dir)?;
    let path = path(dir);
    let mut out = BufWriter::new(File::create(&path).map_err(at("create", &path))?);
    let (mut stored, mut left_out) = (Vec::new(), Vec::new());
    for batch in items.chunks(BATCH_PER_WORKER * rayon::current_num_threads()) {
        let decode = |item: &&'a Item| {
            let record = decoder.decode(&item.file.path);
            advance();
            record.map(|bytes| (Clip::of_record(&bytes, decoder.input.record_shape()), bytes))
        };
        let records: Vec<_> = batch.par_iter().map(decode).collect();
        for (item, record) in batch.iter().zip(records) {
            match record {
                Ok((clip, bytes)) => {
                    out.write_all(&bytes).map_err(at("write", &path))?;
                    stored.push(Stored { item, clip });
                }
                Err(error) => left_out.push(LeftOut {
                    file: item.file.id(),
                    reason: error.to_string(),
                    duplicate_of: None,
                }),
            }
        }
    }
    out.into_inner().map_err(|error| at("write", &path)(error.into_error()))?;
    Ok((stored, left_out))
}

/// Drops records: those behind move up, in order, and the file is cut and synced.
///
/// # Errors
/// The disk.
pub fn close_up<'a>(
    dir: &Path,
    stored: &[Stored<'a>],
    dropped: &HashSet<&str>,
    record_bytes: usize,
) -> Result<Vec<&'a Item>, FileError> {
    let path = path(dir);
    let mut kept: Vec<&Item> = Vec::new();
    let mut close_up = || {
        let file = File::options().read(true).write(true).open(&path)?;
        let mut record = vec![0; record_bytes];
        for (from, Stored { item, .. }) in stored.iter().enumerate() {
            if dropped.contains(item.file.id().as_str()) {
                continue;
            }
            if from != kept.len() {
                file.read_exact_at(&mut record, offset(from, record_bytes))?;
                file.write_all_at(&record, offset(kept.len(), record_bytes))?;
            }
            kept.push(item);
        }
        file.set_len(offset(kept.len(), record_bytes))?;
        file.sync_all()
    };
    close_up().map_err(at("write", &path))?;
    Ok(kept)
}

fn offset(record: usize, bytes: usize) -> u64 {
    record as u64 * bytes as u64
}

fn path(dir: &Path) -> PathBuf {
    dir.join(file::RECORDS)
}
