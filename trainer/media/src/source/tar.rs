//! Tar archives: read from the front on until there is enough. An archive at rest costs nothing: its
//! stream asks for the next piece when it has its next turn.

use std::io::{self, Read};
use std::ops::ControlFlow;

use dfr_contract::modality::Modality;
use flate2::read::MultiGzDecoder;

use super::choice::TURN;
use super::kind;
use super::shard::{Found, Left, Place, SAMPLE_BYTES, Shard, ShardError, Taker};
use crate::hub::remote::Stream;

/// Headers and members are padded to this.
const BLOCK: u64 = 512;

pub struct TarShard {
    place: Place,
    modality: Modality,
    reader: Reader,
}

enum Reader {
    Plain(Stream),
    Gz(Box<MultiGzDecoder<Stream>>),
}

struct Header {
    name: String,
    size: u64,
    is_sample: bool,
}

impl Reader {
    /// Passes over bytes; in a plain archive without fetching them.
    fn pass(&mut self, count: u64) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.pass(count),
            Self::Gz(reader) => {
                io::copy(&mut reader.take(count), &mut io::sink())?;
            }
        }
        Ok(())
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Gz(reader) => reader.read(buffer),
        }
    }
}

impl TarShard {
    pub fn open(place: Place, kind: kind::Kind, modality: Modality) -> Self {
        let stream = Stream::new(place.remote.clone(), 0);
        let reader = match kind {
            kind::Kind::TarGz => Reader::Gz(Box::new(MultiGzDecoder::new(stream))),
            _ => Reader::Plain(stream),
        };
        Self { place, modality, reader }
    }

    /// The next header; the reader then stands at the member's first byte.
    fn header(&mut self) -> io::Result<Option<Header>> {
        // An archive of its own for each member: an iterator could not rest between two turns.
        let mut archive = tar::Archive::new(&mut self.reader);
        let Some(entry) = archive.entries()?.next().transpose()? else { return Ok(None) };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_gnu_sparse() {
            return Err(io::Error::other("it has sparse members, which are not read"));
        }
        let is_sample = kind.is_file() && kind::is_media(&name, self.modality);
        Ok(Some(Header { name, size: entry.size(), is_sample }))
    }

    fn read(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&mut self.reader).take(size).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < size {
            return Err(io::Error::other("it ends in the middle of a member"));
        }
        self.reader.pass(size.next_multiple_of(BLOCK) - size)?;
        Ok(bytes)
    }

    fn next(&mut self, taker: &mut dyn Taker) -> io::Result<Step> {
        let Some(Header { name, size, is_sample }) = self.header()? else { return Ok(Step::End) };
        let is_wanted = is_sample && taker.wants(&name);
        if !is_wanted || size > SAMPLE_BYTES {
            self.reader.pass(size.saturating_add(BLOCK - 1) / BLOCK * BLOCK)?;
            return Ok(if is_sample { Step::Sample } else { Step::Other });
        }
        let bytes = Ok(self.read(size)?);
        Ok(match taker.take(Found { member: name, made_from: None, bytes }) {
            ControlFlow::Continue(()) => Step::Sample,
            ControlFlow::Break(()) => Step::Enough,
        })
    }
}

enum Step {
    Sample,
    Other,
    Enough,
    End,
}

impl Shard for TarShard {
    fn turn(&mut self, taker: &mut dyn Taker) -> Result<Left, ShardError> {
        let mut samples = 0;
        while samples < TURN {
            match self.next(taker).map_err(|error| ShardError::of(&self.place.remote, &error))? {
                Step::Sample => samples += 1,
                Step::Other => (),
                Step::Enough => return Ok(Left::More),
                Step::End => return Ok(Left::Nothing),
            }
        }
        Ok(Left::More)
    }
}
