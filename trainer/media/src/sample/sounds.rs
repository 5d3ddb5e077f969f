//! Sounds of the sample set: several lengths, rates and formats, drawn apart from what they are of and
//! from the class. Pure.

use rand::{Rng, RngExt as _};

use crate::sample::tone::{GAIN, Layer};
use crate::sample::voices::{self, Kind, RATE};
use crate::sample::{Trace, Twins};

/// Seconds; some are shorter than what a detector is fed.
const LENGTH: std::ops::Range<f32> = 0.8..3.0;
/// Samples per second of the files.
const RATES: [u32; 4] = [16_000, 22_050, 44_100, 48_000];
/// No metadata, one thread: the same bytes on every run of one ffmpeg.
const PLAIN: [&str; 8] =
    ["-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"];
/// So fine that a faint tone is kept.
const MP3: [&str; 6] = ["-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3"];

/// How a sound is stored; both twins alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    codec: Codec,
    rate: u32,
    channels: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Wav,
    Flac,
    Mp3,
}

impl Format {
    /// A third of the sounds is WAV, FLAC and MP3 each; half are stereo.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let codec = [Codec::Wav, Codec::Flac, Codec::Mp3][rng.random_range(0..3)];
        let rate = RATES[rng.random_range(0..RATES.len())];
        Self { codec, rate, channels: rng.random_range(1..=2) }
    }

    /// Of the file.
    pub fn extension(&self) -> &'static str {
        match self.codec {
            Codec::Wav => "wav",
            Codec::Flac => "flac",
            Codec::Mp3 => "mp3",
        }
    }

    fn encoder(&self) -> Vec<String> {
        let codec: &[&str] = match self.codec {
            Codec::Wav => &["-c:a", "pcm_s16le", "-f", "wav"],
            Codec::Flac => &["-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"],
            Codec::Mp3 => &MP3,
        };
        let (rate, channels) = (self.rate.to_string(), self.channels.to_string());
        let shape = ["-ar", &rate, "-ac", &channels];
        let words = shape.iter().chain(&PLAIN).chain(codec);
        words.map(|word| (*word).to_owned()).collect()
    }
}

/// What decides the bytes of the sounds.
pub fn stamp() -> String {
    format!("gain {GAIN:?}\n{} {}", PLAIN.join(" "), MP3.join(" "))
}

/// One recording as the real and as the synthetic twin.
pub fn twins(kind: Kind, format: &Format, rng: &mut impl Rng) -> Twins {
    let samples = (rng.random_range(LENGTH) * RATE as f32) as usize;
    let sound = voices::render(kind, samples, rng);
    let layer = Layer::draw(samples, rng);
    let bytes = Trace::ALL.map(|trace| {
        let mut twin = sound.clone();
        layer.apply(&mut twin, trace);
        twin.iter().flat_map(|sample| sample.to_le_bytes()).collect()
    });
    let rate = RATE.to_string();
    let raw = ["-f", "f32le", "-ar", &rate, "-ac", "1"].map(str::to_owned);
    Twins { raw: raw.into(), encoder: format.encoder(), bytes }
}
