//! Zip archives: their index is read from the end, then the chosen members and nothing else.

use std::io::{self, Read as _};
use std::ops::ControlFlow;

use dfr_contract::modality::Modality;
use zip::ZipArchive;

use super::choice::TURN;
use super::kind;
use super::shard::{Found, Left, Place, SAMPLE_BYTES, Shard, ShardError, Taker};
use crate::hub::remote::Stream;

/// More than a local header takes.
const HEADER_BYTES: u64 = 64 << 10;

pub struct ZipShard {
    place: Place,
    archive: ZipArchive<Stream>,
    /// Media members in the order of choice.
    members: Vec<Member>,
    next: usize,
}

struct Member {
    index: usize,
    name: String,
    /// First byte of its local header, and of the header after it.
    span: (u64, u64),
}

impl ZipShard {
    /// Reads the index.
    pub fn open(place: Place, modality: Modality) -> Result<Self, ShardError> {
        let stream = Stream::new(place.remote.clone(), 0);
        let archive =
            ZipArchive::new(stream).map_err(|error| ShardError::of(&place.remote, &error))?;
        let mut members = members(&archive, modality, place.remote.size());
        members.sort_by_cached_key(|member| place.key(&member.name));
        Ok(Self { place, archive, members, next: 0 })
    }

    /// One request for the member as a whole, then what is in it.
    fn read(&mut self, at: usize) -> Result<Result<Vec<u8>, String>, ShardError> {
        let Member { index, span: (start, end), .. } = self.members[at];
        if end - start > SAMPLE_BYTES {
            return Ok(Err(too_large()));
        }
        self.place.remote.read_at(start, end - start)?;
        let read = unpack(&mut self.archive, index);
        read.map_or_else(|error| self.failed(&error), |bytes| Ok(Ok(bytes)))
    }

    /// The hub's failures end the archive; one damaged member does not.
    fn failed<T>(&self, error: &dyn std::fmt::Display) -> Result<Result<T, String>, ShardError> {
        match ShardError::of(&self.place.remote, error) {
            ShardError::Broken(reason) => Ok(Err(reason)),
            hub => Err(hub),
        }
    }
}

fn too_large() -> String {
    format!("it is larger than {} MiB", SAMPLE_BYTES >> 20)
}

fn unpack(archive: &mut ZipArchive<Stream>, index: usize) -> io::Result<Vec<u8>> {
    let mut member = archive.by_index(index)?;
    if member.size() > SAMPLE_BYTES {
        return Err(io::Error::other(too_large()));
    }
    let mut bytes = Vec::new();
    (&mut member).take(SAMPLE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn members(archive: &ZipArchive<Stream>, modality: Modality, size: u64) -> Vec<Member> {
    let entries = || (0..archive.len()).filter_map(|i| Some((i, archive.by_index_data(i).ok()?)));
    let mut starts: Vec<u64> = entries().map(|(_, entry)| entry.header_start()).collect();
    starts.sort_unstable();
    let end = |start: u64, compressed: u64| {
        let next = starts.get(starts.partition_point(|other| *other <= start));
        let most = start.saturating_add(compressed).saturating_add(HEADER_BYTES).min(size);
        next.map_or(most, |next| most.min(*next)).max(start.min(size))
    };
    entries()
        .filter_map(|(index, entry)| {
            let name = archive.name_for_index(index)?.ok()?.into_owned();
            let start = entry.header_start().min(size);
            let span = (start, end(start, entry.compressed_size()));
            kind::is_media(&name, modality).then_some(Member { index, name, span })
        })
        .collect()
}

impl Shard for ZipShard {
    fn turn(&mut self, taker: &mut dyn Taker) -> Result<Left, ShardError> {
        let until = self.members.len().min(self.next + TURN);
        while self.next < until {
            let at = self.next;
            self.next += 1;
            let member = self.members[at].name.clone();
            if !taker.wants(&member) {
                continue;
            }
            let bytes = self.read(at)?;
            if let ControlFlow::Break(()) = taker.take(Found { member, made_from: None, bytes }) {
                return Ok(Left::More);
            }
        }
        Ok(if until == self.members.len() { Left::Nothing } else { Left::More })
    }
}
