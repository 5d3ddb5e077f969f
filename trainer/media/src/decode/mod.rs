//! A file to one record.

pub mod picture;
pub mod sound;
pub mod video;
pub mod worker;

use std::io;
use std::path::Path;
use std::time::Duration;

use dfr_codecs::worker::Failure;
use dfr_contract::input::{InputSpec, RecordSpec};
use dfr_contract::pack::Part;
use serde::{Deserialize, Serialize};

use crate::ffmpeg::{Ffmpeg, FfmpegError, TIMED_OUT};
use crate::fingerprint::Fingerprint;
use crate::fingerprint::clip::Clip;
use video::ClipDecoder;
use worker::Ask;

/// Changes whenever the same file would give another record: packs made before are not the same.
pub const DECODER: u32 = 2;

/// Time that ffmpeg may take for one clip, for each of its two passes.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Why a file gave no record.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// ffmpeg found no video stream, or failed on it.
    #[error("cannot decode: {0}")]
    Ffmpeg(#[from] FfmpegError),
    /// There is a video stream, but nothing in it.
    #[error("no frame in it")]
    NoFrame,
    /// Fewer pictures than the file's index promises.
    #[error("only {found} of {asked} frames can be decoded: the file is cut or damaged")]
    Damaged {
        /// Pictures that came back.
        found: usize,
        /// Frames that were asked for.
        asked: usize,
    },
    /// ffmpeg's own output could not be read.
    #[error("unreadable picture from ffmpeg")]
    Picture,
    /// What a worker found wrong with a picture or sound.
    #[error("cannot decode: {0}")]
    Refused(String),
    /// A worker took too long and was ended.
    #[error("cannot decode: {TIMED_OUT} {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// A worker ended over the file, or ran out of memory.
    #[error("cannot decode: {0}")]
    Died(String),
    /// There is no worker to decode it; the file may be sound.
    #[error("cannot start a decoder: {0}")]
    NoWorker(io::Error),
}

impl From<Failure> for DecodeError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::Deadline(limit) => Self::TimedOut(limit),
            Failure::Died(reason) => Self::Died(reason),
            Failure::Start(error) => Self::NoWorker(error),
        }
    }
}

/// What a benchmark makes of a picture before it looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// Nothing: its bytes are those of the source.
    AsItIs,
    /// gasbench saves what it fetches: a JPEG file loses once more.
    SavedAgain,
}

/// Decodes files into records of one input.
pub struct Decoder<'a> {
    /// The program that decodes clips.
    pub ffmpeg: &'a Ffmpeg,
    /// Whom to ask to decode pictures and sounds.
    pub ask: Ask<'a>,
    /// What a record holds.
    pub input: &'a InputSpec,
    /// Of ffmpeg per pass; normally [`LIMIT`].
    pub limit: Duration,
}

/// What a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The record, as it is stored.
    pub bytes: Vec<u8>,
    /// Samples of a sound before the silence behind it; 0 for pictures.
    pub length: u32,
    /// What it looks or sounds like.
    pub fingerprint: Fingerprint,
}

impl Decoder<'_> {
    /// Decodes one file to the record that `part` stores of it.
    ///
    /// # Errors
    /// Empty, cut, corrupt, of another kind, or not decoded in time; the message is the reason.
    pub fn decode(&self, file: &Path, part: Part) -> Result<Decoded, DecodeError> {
        self.decode_kept(file, part, Kept::AsItIs)
    }

    /// The same of a file that the benchmark keeps in its own way, which changes pictures alone.
    ///
    /// # Errors
    /// Those of [`Self::decode`].
    pub fn decode_kept(&self, file: &Path, part: Part, kept: Kept) -> Result<Decoded, DecodeError> {
        match self.input.record {
            RecordSpec::Video(clip) => {
                let clip = ClipDecoder { ffmpeg: self.ffmpeg, clip, limit: self.limit };
                let bytes = clip.decode(file)?;
                let clip = Clip::of_record(&bytes, &self.input.record_shape(part));
                Ok(Decoded { bytes, length: 0, fingerprint: Fingerprint::Clip(clip) })
            }
            RecordSpec::Image(_) | RecordSpec::Audio(_) => {
                Ok(worker::decode(self.ask, file, &(self.input.clone(), part, kept))?)
            }
        }
    }
}
