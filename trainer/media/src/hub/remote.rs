//! A file at the hub as if it were here: read in pieces, each fetched when it is asked for.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::HubError;
use super::client::Client;

/// Pieces that are kept: a header is often read before what follows it.
const PIECES: usize = 8;
/// Bytes of pieces that are kept beside the newest.
const PIECE_BYTES: usize = 16 << 20;
/// First piece of a stream, doubled up to the most.
const FIRST_AHEAD: u64 = 64 << 10;
const MOST_AHEAD: u64 = 2 << 20;

/// A file at the hub.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    url: String,
    size: u64,
    pieces: Mutex<VecDeque<(u64, Bytes)>>,
    failure: Mutex<Option<HubError>>,
}

impl Remote {
    /// A file whose size is known from the listing.
    pub fn new(client: Client, url: String, size: u64) -> Self {
        Self { client, url, size, pieces: Mutex::default(), failure: Mutex::default() }
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Exactly `len` bytes from `start` on; only what no kept piece holds is fetched.
    ///
    /// # Errors
    /// [`HubError`]; also what a container asks for beyond the end.
    pub fn read_at(&self, start: u64, len: u64) -> Result<Bytes, HubError> {
        let read = self.read_or_fetch(start, len);
        if let Err(error) = &read {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        read
    }

    /// What the hub said when a reader of this file failed last: readers of containers only know
    /// that they could not read.
    pub fn take_failure(&self) -> Option<HubError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn read_or_fetch(&self, start: u64, len: u64) -> Result<Bytes, HubError> {
        if start.checked_add(len).is_none_or(|end| end > self.size) {
            let reason = format!("bytes {start}+{len} of {} are asked for", self.size);
            return Err(HubError::Malformed { url: self.url.clone(), reason });
        }
        let known = self.kept(start);
        if known.len() as u64 >= len {
            return Ok(known.slice(..len as usize));
        }
        let from = start + known.len() as u64;
        let fetched = self.client.range(&self.url, from, len - known.len() as u64)?;
        let whole = if known.is_empty() {
            Bytes::from(fetched)
        } else {
            Bytes::from([&known[..], &fetched[..]].concat())
        };
        self.keep(start, whole.clone());
        Ok(whole)
    }

    /// What the kept pieces hold from `start` on.
    fn kept(&self, start: u64) -> Bytes {
        let pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |(at, piece): &&(u64, Bytes)| *at <= start && start < at + piece.len() as u64;
        let longest = pieces.iter().filter(holds).max_by_key(|(at, p)| at + p.len() as u64);
        longest.map_or_else(Bytes::new, |(at, piece)| piece.slice((start - at) as usize..))
    }

    fn keep(&self, start: u64, piece: Bytes) {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.push_front((start, piece));
        let mut bytes = 0;
        let mut kept = 0;
        pieces.retain(|(_, piece)| {
            let keep = kept == 0 || (kept < PIECES && bytes + piece.len() <= PIECE_BYTES);
            kept += 1;
            bytes += piece.len();
            keep
        });
    }
}

/// Reads a [`Remote`] from a place on, some bytes ahead. Costs nothing while it rests.
#[derive(Debug)]
pub struct Stream {
    remote: Arc<Remote>,
    position: u64,
    ahead: u64,
    piece: Bytes,
}

impl Stream {
    /// A stream from `position` on.
    pub fn new(remote: Arc<Remote>, position: u64) -> Self {
        Self { remote, position, ahead: FIRST_AHEAD, piece: Bytes::new() }
    }

    /// Reads so many bytes ahead at first.
    #[must_use]
    pub fn ahead(self, bytes: u64) -> Self {
        Self { ahead: bytes, ..self }
    }

    /// Passes over bytes; those that were not read ahead are never fetched.
    pub fn pass(&mut self, count: u64) {
        let here = (self.piece.len() as u64).min(count);
        self.piece = self.piece.slice(here as usize..);
        self.position += count;
    }

    fn fill(&mut self) -> Result<(), HubError> {
        let left = self.remote.size().saturating_sub(self.position);
        let kept = self.remote.kept(self.position);
        if !kept.is_empty() {
            self.piece = kept;
            return Ok(());
        }
        self.piece = self.remote.read_at(self.position, left.min(self.ahead))?;
        self.ahead = (self.ahead * 2).min(MOST_AHEAD);
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.position < self.remote.size() {
            self.fill().map_err(io::Error::other)?;
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.remote.size().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        let wanted = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        if wanted != self.position {
            // A jump says nothing about how much will be read there.
            *self = Self::new(Arc::clone(&self.remote), wanted);
        }
        Ok(wanted)
    }
}
