//! Tables of media: their index is read from the end, then the pages that hold chosen cells. Where a
//! file has no index of pages, the small headers in front of them lead from one to the next.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use dfr_contract::modality::Modality;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::choice::TURN;
use super::columns::{self, MediaColumn};
use super::shard::{Found, Left, Place, SAMPLE_BYTES, Shard, ShardError, Taker};
use crate::catalogue::Entry;
use crate::files;
use crate::hub::remote::{Remote, Stream};

/// A column of a row group up to this size is fetched by one request.
const SMALL_BYTES: u64 = 1 << 20;
/// Of the hash of what a row was made from.
const HASH_CHARS: usize = 16;
/// Read from the end before anything is known.
const TAIL_BYTES: u64 = 64 << 10;

/// A file at the hub as the parquet reader wants it.
struct File(Arc<Remote>);

impl Length for File {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for File {
    type T = Stream;

    /// Used for page headers only: pages are asked for by their size.
    fn get_read(&self, start: u64) -> ParquetResult<Stream> {
        Ok(Stream::new(Arc::clone(&self.0), start).ahead(PAGE_HEADER_BYTES))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let read = self.0.read_at(start, length as u64);
        read.map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// What is read to learn how large a page is.
const PAGE_HEADER_BYTES: u64 = 4 << 10;

pub struct Table {
    place: Place,
    file: Arc<File>,
    metadata: ParquetMetaData,
    columns: Vec<MediaColumn>,
    made_from: Option<MediaColumn>,
    /// Leaf of the column that chooses rows, and what it must hold.
    filter: Option<(usize, String)>,
    /// Row groups whose rows were not looked at yet, the next one last.
    groups: Vec<usize>,
    /// Rows in the order of choice, as row group and row in it.
    rows: Vec<(usize, usize)>,
    next: usize,
}

impl Table {
    /// Reads the index.
    pub fn open(place: Place, modality: Modality, entry: &Entry) -> Result<Self, ShardError> {
        let size = place.remote.size();
        let tail = TAIL_BYTES.min(size);
        place.remote.read_at(size - tail, tail)?;
        let file = Arc::new(File(place.remote.clone()));
        let metadata = ParquetMetaDataReader::new()
            .with_offset_index_policy(PageIndexPolicy::Optional)
            .parse_and_finish(&*file)
            .map_err(|error| ShardError::of(&place.remote, &error))?;
        let schema = metadata.file_metadata().schema_descr();
        let named = entry.data_columns.as_deref().unwrap_or_default();
        let columns =
            columns::media_columns(schema, modality, named).map_err(ShardError::Broken)?;
        let made_from = columns::made_from(schema);
        let filter = entry.filter_column.as_ref().map(|name| {
            let leaf = (0..schema.num_columns())
                .find(|leaf| schema.column(*leaf).path().parts() == [name.as_str()]);
            let leaf = leaf.ok_or_else(|| ShardError::Broken(format!("it has no column {name}")));
            leaf.map(|leaf| (leaf, filter_value(entry)))
        });
        let filter = filter.transpose()?;
        let mut groups: Vec<usize> = (0..metadata.num_row_groups()).collect();
        groups.sort_by_cached_key(|group| place.key(&format!("group {group}")));
        groups.reverse();
        let rows = Vec::new();
        Ok(Self { place, file, metadata, columns, made_from, filter, groups, rows, next: 0 })
    }

    /// Rows of the next row group, in the order of choice.
    fn look_at_next_group(&mut self, group: usize) -> Result<(), ShardError> {
        let mut rows: Vec<usize> = match &self.filter {
            None => (0..self.row_count(group)).collect(),
            Some((leaf, wanted)) => {
                let values = self.texts(group, *leaf)?;
                let holds = |row: &usize| values[*row].as_ref() == Some(wanted);
                (0..values.len()).filter(holds).collect()
            }
        };
        rows.sort_by_cached_key(|row| self.place.key(&format!("row {group} {row}")));
        self.rows.extend(rows.into_iter().map(|row| (group, row)));
        Ok(())
    }

    fn row_count(&self, group: usize) -> usize {
        usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0)
    }

    fn reader(&self, group: usize, leaf: usize) -> Result<ColumnReader, ShardError> {
        let row_group = self.metadata.row_group(group);
        let chunk = row_group.column(leaf);
        let (start, len) = chunk.byte_range();
        if len <= SMALL_BYTES {
            self.place.remote.read_at(start, len)?;
        }
        let index = self.metadata.page_index_for_row_group(group);
        let pages = index.page_locations(leaf).filter(|pages| !pages.is_empty()).cloned();
        let rows = self.row_count(group);
        let pages = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, pages)
            .map_err(|error| self.failed(&error))?;
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    }

    fn failed(&self, error: &ParquetError) -> ShardError {
        ShardError::of(&self.place.remote, error)
    }

    /// All values of a column, as text; `None` for null.
    fn texts(&self, group: usize, leaf: usize) -> Result<Vec<Option<String>>, ShardError> {
        let (count, mut levels) = (self.row_count(group), Vec::new());
        macro_rules! read {
            ($reader:ident, $print:expr) => {{
                let mut values = Vec::new();
                let read = $reader.read_records(count, Some(&mut levels), None, &mut values);
                read.map_err(|error| self.failed(&error))?;
                values.iter().map($print).collect::<Vec<String>>()
            }};
        }
        let utf8 = |bytes: &ByteArray| String::from_utf8_lossy(bytes.data()).into_owned();
        let values = match self.reader(group, leaf)? {
            ColumnReader::ByteArrayColumnReader(mut reader) => read!(reader, utf8),
            ColumnReader::BoolColumnReader(mut reader) => read!(reader, ToString::to_string),
            ColumnReader::Int32ColumnReader(mut reader) => read!(reader, ToString::to_string),
            ColumnReader::Int64ColumnReader(mut reader) => read!(reader, ToString::to_string),
            ColumnReader::FloatColumnReader(mut reader) => read!(reader, ToString::to_string),
            ColumnReader::DoubleColumnReader(mut reader) => read!(reader, ToString::to_string),
            _ => return Err(ShardError::Broken("its filter_column has no plain values".into())),
        };
        let most = self.metadata.row_group(group).column(leaf).column_descr().max_def_level();
        if most == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        let value = |level: i16| if level == most { values.next() } else { None };
        Ok(levels.into_iter().map(value).collect())
    }

    /// What each row of a group was made from, where the table tells.
    fn origins(&self, group: usize) -> Result<Vec<Option<String>>, ShardError> {
        let Some(MediaColumn { name, leaf }) = &self.made_from else { return Ok(Vec::new()) };
        let origin = |text: String| {
            // A prompt may be long.
            let hash = files::sha256_of(text.trim().as_bytes());
            (!text.trim().is_empty()).then(|| format!("{name} {}", &hash[..HASH_CHARS]))
        };
        let texts = self.texts(group, *leaf)?;
        Ok(texts.into_iter().map(|text| text.and_then(origin)).collect())
    }

    /// The cells of some rows of one column, in ascending order, one after the other.
    fn give(
        &self,
        (group, column): (usize, &MediaColumn),
        (rows, origins): (&[usize], &[Option<String>]),
        taker: &mut dyn Taker,
    ) -> Result<ControlFlow<()>, ShardError> {
        let member = |row: usize| format!("group {group} row {row} {}", column.name);
        let wanted = rows.iter().copied().filter(|row| taker.wants(&member(*row)));
        let rows: Vec<usize> = wanted.collect();
        if rows.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let ColumnReader::ByteArrayColumnReader(mut reader) = self.reader(group, column.leaf)?
        else {
            return Err(ShardError::Broken(format!("its column {} holds no bytes", column.name)));
        };
        let mut at = 0;
        for row in rows {
            let (mut defs, mut reps, mut values) = (Vec::new(), Vec::new(), Vec::new());
            let read = reader.skip_records(row - at).and_then(|_| {
                reader.read_records(1, Some(&mut defs), Some(&mut reps), &mut values)
            });
            read.map_err(|error| self.failed(&error))?;
            at = row + 1;
            let made_from = origins.get(row).cloned().flatten();
            let found = Found { member: member(row), made_from, bytes: cell(values.first()) };
            if let ControlFlow::Break(()) = taker.take(found) {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// What a configuration says that a row must hold, as it is compared.
fn filter_value(entry: &Entry) -> String {
    use serde_norway::Value;
    match &entry.filter_value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
    }
}

fn cell(value: Option<&ByteArray>) -> Result<Vec<u8>, String> {
    let value = value.ok_or("its cell is empty")?;
    if value.len() as u64 > SAMPLE_BYTES {
        return Err(format!("it is larger than {} MiB", SAMPLE_BYTES >> 20));
    }
    Ok(columns::media(value.data()))
}

impl Shard for Table {
    fn turn(&mut self, taker: &mut dyn Taker) -> Result<Left, ShardError> {
        while self.rows.len() < self.next + TURN {
            let Some(group) = self.groups.pop() else { break };
            self.look_at_next_group(group)?;
        }
        let until = self.rows.len().min(self.next + TURN);
        let mut rows = self.rows[self.next..until].to_vec();
        self.next = until;
        // A column can only be read forwards.
        rows.sort_unstable();
        for chunk in rows.chunk_by(|a, b| a.0 == b.0) {
            let group = chunk[0].0;
            let rows: Vec<usize> = chunk.iter().map(|(_, row)| *row).collect();
            let origins = self.origins(group)?;
            for column in &self.columns {
                if self.give((group, column), (&rows, &origins), taker)?.is_break() {
                    return Ok(Left::More);
                }
            }
        }
        let is_all = self.groups.is_empty() && self.next == self.rows.len();
        Ok(if is_all { Left::Nothing } else { Left::More })
    }
}
