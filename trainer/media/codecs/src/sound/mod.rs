//! Files of sound to one channel of samples.

pub(crate) mod resample;
mod stream;

use crate::Undecodable;
use stream::Stream;

/// Rates above are of headers that lie.
pub const RATE_MAX_HZ: u32 = 1_000_000;
/// More channels than any layout of speakers has.
pub const CHANNELS_MAX: usize = 64;

/// Which part of a file is wanted: memory grows with its length, not with that of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Section {
    /// Seconds from the beginning of the sound.
    pub first_s: f64,
    /// How many seconds at most.
    pub seconds: f64,
}

impl Section {
    /// From the beginning.
    pub fn first(seconds: f64) -> Self {
        Self { first_s: 0.0, seconds }
    }
}

/// One channel: the mean of those in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    pub rate_hz: u32,
    /// How many channels the file has.
    pub channels: u16,
    /// Full scale is -1 to 1; what is lossy or floating may pass it.
    pub samples: Vec<f32>,
}

/// A section of the sound in a file: WAV, AIFF, FLAC, MP3, Ogg Vorbis, or AAC and ALAC in MP4;
/// known by its content. It is shorter than asked for where the sound ends before. Holds 4 bytes
/// for each sample of one channel, and one packet. What encoders put around the sound is cut off
/// where MP3 and Vorbis tell; AAC in MP4 keeps it (some 1024 samples). An MP3 or Vorbis that is cut
/// off is shorter and no error, since neither says how long it should be.
///
/// # Errors
/// What is wrong with the file, up to the end of the section.
pub fn sound(bytes: &[u8], section: Section) -> Result<Sound, Undecodable> {
    let mut stream = Stream::open(bytes)?;
    stream.seek(section.first_s)?;
    stream.read(section)
}

/// How many seconds of sound a file says that it holds, without decoding it; an estimate for MP3
/// that has no table of contents, `None` where the header does not tell.
///
/// # Errors
/// What is wrong with the header.
pub fn length_s(bytes: &[u8]) -> Result<Option<f64>, Undecodable> {
    Ok(Stream::open(bytes)?.length_s())
}
