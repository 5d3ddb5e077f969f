//! Pictures of the sample set: several sizes and formats, drawn apart from what they show and from
//! the class. Pure.

use rand::{Rng, RngExt as _};

use crate::sample::artefact::{Layer, Strength};
use crate::sample::clips::quantise;
use crate::sample::scene::{self, Kind};
use crate::sample::{Trace, Twins};

/// A picture is one frame, where a clip has 25 to average over. Periods of three and four pixels are
/// still there when the picture is squashed to four fifths.
pub const STRENGTH: Strength = Strength { strides: [3, 4], gain: 0.8..4.0 };

/// Pixels across and, drawn apart, down. The strides divide them.
const SIDES: [usize; 3] = [96, 108, 120];

/// No metadata, one thread: the same bytes on every run of one ffmpeg.
const PLAIN: [&str; 8] =
    ["-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact", "-frames:v", "1"];

/// How a picture is stored; both twins alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Without loss.
    Png,
    /// The finest quantisation of ffmpeg's encoder: a coarser one leaves nothing of a faint trace.
    Jpeg {
        /// Colour at half the resolution.
        subsampled: bool,
    },
}

impl Format {
    /// Half of the pictures are PNG.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let (png, subsampled) = (rng.random(), rng.random());
        if png { Self::Png } else { Self::Jpeg { subsampled } }
    }

    /// Of the file.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg { .. } => "jpg",
        }
    }

    fn encoder(self) -> Vec<String> {
        let codec: &[&str] = match self {
            Self::Png => &["-c:v", "png", "-f", "image2pipe"],
            Self::Jpeg { subsampled: false } => &[JPEG, &["-pix_fmt", "yuvj444p"]].concat(),
            Self::Jpeg { subsampled: true } => &[JPEG, &["-pix_fmt", "yuvj420p"]].concat(),
        };
        PLAIN.iter().chain(codec).map(|word| (*word).to_owned()).collect()
    }
}

const JPEG: &[&str] = &["-c:v", "mjpeg", "-q:v", "1", "-qmin", "1", "-f", "image2pipe"];

/// What decides the bytes of the pictures.
pub fn stamp() -> String {
    format!("gain {:?}\n{} {}", STRENGTH.gain, PLAIN.join(" "), JPEG.join(" "))
}

/// One recording as the real and as the synthetic twin.
pub fn twins(kind: Kind, format: Format, rng: &mut impl Rng) -> Twins {
    let size = [0, 1].map(|_| SIDES[rng.random_range(0..SIDES.len())]);
    let picture = scene::render_still(kind, size, rng);
    let layer = Layer::draw(size, &STRENGTH, rng);
    let bytes = Trace::ALL.map(|trace| {
        let mut twin = [picture.clone()];
        layer.apply(&mut twin, trace);
        quantise(&twin[0]).collect()
    });
    let size = format!("{}x{}", size[0], size[1]);
    let raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size].map(str::to_owned);
    Twins { raw: raw.into(), encoder: format.encoder(), bytes }
}
