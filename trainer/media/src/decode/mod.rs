//! A file to one record.

pub mod video;

use std::path::Path;
use std::time::Duration;

use dfr_contract::input::{InputSpec, RecordSpec};
use dfr_contract::modality::Modality;
use dfr_contract::pack::Part;

use crate::ffmpeg::{Ffmpeg, FfmpegError};
use crate::fingerprint::clip::Clip;
use video::ClipDecoder;

/// Time that ffmpeg may take for one file, for each of its two passes.
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
    /// A kind of media that is not decoded yet.
    #[error("{0} is not there yet")]
    NotThereYet(Modality),
}

/// Decodes files into records of one input.
pub struct Decoder<'a> {
    /// The program that decodes clips.
    pub ffmpeg: &'a Ffmpeg,
    /// What a record holds.
    pub input: &'a InputSpec,
    /// Per file, and of clips per pass; normally [`LIMIT`].
    pub limit: Duration,
}

/// What a file gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The record, as it is stored.
    pub bytes: Vec<u8>,
    /// Samples of a sound before the silence behind it; 0 for pictures.
    pub length: u32,
    /// What it shows.
    pub clip: Clip,
}

impl Decoder<'_> {
    /// Decodes one file to the record that `part` stores of it.
    ///
    /// # Errors
    /// Empty, cut, corrupt, of another kind, or not decoded in time; the message is the reason.
    pub fn decode(&self, file: &Path, part: Part) -> Result<Decoded, DecodeError> {
        match self.input.record {
            RecordSpec::Video(frames, frame) => {
                let clip = ClipDecoder { ffmpeg: self.ffmpeg, frames, frame, limit: self.limit };
                let bytes = clip.decode(file)?;
                let clip = Clip::of_record(&bytes, &self.input.record_shape(part));
                Ok(Decoded { clip, bytes, length: 0 })
            }
            RecordSpec::Image(_) => Err(DecodeError::NotThereYet(Modality::Image)),
            RecordSpec::Audio(_) => Err(DecodeError::NotThereYet(Modality::Audio)),
        }
    }
}
