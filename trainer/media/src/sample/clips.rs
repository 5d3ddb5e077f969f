//! Clips of the sample set: every one of the same size and length, in H.264. Pure.

use rand::Rng;

use crate::sample::artefact::{Layer, Strength};
use crate::sample::scene::{self, FRAME_RATE, Frame, Kind, Rgb, SIDE};
use crate::sample::{Trace, Twins};

/// At the lower end the trace is below the rounding of one pixel and shows only in averages over many.
pub const STRENGTH: Strength = Strength { strides: [2, 4], gain: 0.04..1.2 };

/// Of every clip.
pub const EXTENSION: &str = "mp4";

/// The same for every clip. A constant bit rate with filler makes all files equally long, high
/// enough that a trace of one grey level survives; one thread and no metadata make the bytes the
/// same on every run of one ffmpeg.
const ENCODER: [&str; 28] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-b:v",
    "800k",
    "-minrate",
    "800k",
    "-maxrate",
    "800k",
    "-bufsize",
    "80k",
    "-x264-params",
    "nal-hrd=cbr:filler=1",
    "-threads",
    "1",
    "-map_metadata",
    "-1",
    "-fflags",
    "+bitexact",
    "-flags:v",
    "+bitexact",
    "-movflags",
    "+faststart",
    "-f",
    "mp4",
];

/// What decides the bytes of the clips.
pub fn stamp() -> String {
    format!("gain {:?}\n{}", STRENGTH.gain, ENCODER.join(" "))
}

/// One recording as the real and as the synthetic twin.
pub fn twins(kind: Kind, rng: &mut impl Rng) -> Twins {
    let frames = scene::render(kind, rng);
    let layer = Layer::draw([SIDE; 2], &STRENGTH, rng);
    let bytes = Trace::ALL.map(|trace| {
        let mut twin = frames.clone();
        layer.apply(&mut twin, trace);
        twin.iter().flat_map(quantise).collect()
    });
    let (size, rate) = (format!("{SIDE}x{SIDE}"), FRAME_RATE.to_string());
    let raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-r", &rate].map(str::to_owned);
    Twins { raw: raw.into(), encoder: ENCODER.map(str::to_owned).into(), bytes }
}

/// `H W C` bytes.
pub(crate) fn quantise(frame: &Frame) -> impl Iterator<Item = u8> {
    // A cast of a float saturates: no wrap at black or white.
    frame.iter().flat_map(|pixel: &Rgb| pixel.map(|level| level.round() as u8))
}
