//! The records of one part: decoded and written in order, and closed up where some are dropped.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use dfr_contract::input::InputSpec;
use dfr_contract::pack::{LeftOut, Part, records_file};
use rayon::prelude::*;

use crate::Advance;
use crate::decode::{DecodeError, Decoded, Decoder};
use crate::files::{self, FileError, at};
use crate::fingerprint::Fingerprint;
use crate::pack::plan::Item;

/// Files decoded at once before they are written, per worker: bounds memory.
const BATCH_PER_WORKER: usize = 4;

/// A file whose record is written.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// The file.
    pub item: &'a Item,
    /// Samples of its sound before the silence behind it; 0 for pictures.
    pub length: u32,
    /// What its record looks or sounds like.
    pub fingerprint: Fingerprint,
}

/// The file of records of one part.
pub struct Records<'a> {
    /// The part's directory.
    pub dir: &'a Path,
    /// Which part.
    pub part: Part,
    /// What a record holds.
    pub input: &'a InputSpec,
}

impl Records<'_> {
    /// Decodes the part's items and writes them in order, a batch at a time; names those that cannot
    /// be decoded.
    ///
    /// # Errors
    /// The disk; decoders cannot be started.
    pub fn write<'i>(
        &self,
        items: &[&'i Item],
        decoder: &Decoder,
        advance: Advance,
    ) -> Result<(Vec<Stored<'i>>, Vec<LeftOut>), FileError> {
        files::create_dir(self.dir)?;
        let path = self.path();
        let mut out = BufWriter::new(File::create(&path).map_err(at("create", &path))?);
        let (mut stored, mut left_out) = (Vec::new(), Vec::new());
        for batch in items.chunks(BATCH_PER_WORKER * rayon::current_num_threads()) {
            let decode = |item: &&Item| {
                let decoded = decoder.decode(&item.file.path, self.part);
                advance();
                decoded
            };
            let records: Vec<_> = batch.par_iter().map(decode).collect();
            for (item, record) in batch.iter().zip(records) {
                match record {
                    Ok(Decoded { bytes, length, fingerprint }) => {
                        out.write_all(&bytes).map_err(at("write", &path))?;
                        stored.push(Stored { item, length, fingerprint });
                    }
                    Err(DecodeError::NoWorker(error)) => {
                        return Err(at("start a decoder for", &item.file.path)(error));
                    }
                    Err(error) => left_out.push(lost(item, &error)),
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
    pub fn close_up<'i>(
        &self,
        stored: &[Stored<'i>],
        dropped: &HashSet<&str>,
    ) -> Result<Vec<Stored<'i>>, FileError> {
        let path = self.path();
        let stride = self.input.record_bytes(self.part);
        let mut kept: Vec<Stored> = Vec::new();
        let mut close_up = || {
            let file = File::options().read(true).write(true).open(&path)?;
            let mut bytes = vec![0; usize::try_from(stride).expect("a record was in memory")];
            for (from, record) in stored.iter().enumerate() {
                if dropped.contains(record.item.file.id().as_str()) {
                    continue;
                }
                if from != kept.len() {
                    file.read_exact_at(&mut bytes, from as u64 * stride)?;
                    file.write_all_at(&bytes, kept.len() as u64 * stride)?;
                }
                kept.push(record.clone());
            }
            file.set_len(kept.len() as u64 * stride)?;
            file.sync_all()
        };
        close_up().map_err(at("write", &path))?;
        Ok(kept)
    }

    fn path(&self) -> PathBuf {
        self.dir.join(records_file(self.input.dtype()))
    }
}

fn lost(item: &Item, error: &DecodeError) -> LeftOut {
    LeftOut { file: item.file.id(), reason: error.to_string(), duplicate_of: None }
}
