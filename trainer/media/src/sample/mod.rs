//! The sample set: real H.264 files made here, whose two classes differ by one physical cause.
//!
//! [`scene`] renders, [`artefact`] adds the trace that makes a clip real or synthetic, [`write`]
//! encodes. Every recording exists twice, once with each trace. docs/sample-data.md tells why.

pub mod artefact;
mod noise;
pub mod scene;
mod stages;
pub mod write;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use artefact::{GAIN, Layer, Trace};
use scene::{Frame, Kind};

/// Changes whenever the same recording would give other frames.
const VERSION: u32 = 1;

/// What is made.
#[derive(Clone, Copy, Debug)]
pub struct SampleSet {
    /// Recordings of each kind of scene.
    pub recordings: u32,
}

/// What `dfr prepare --sample` makes: 360 recordings, 720 clips.
pub const STANDARD: SampleSet = SampleSet { recordings: 60 };

/// One of the twelve data sets: one kind of scene in one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// What its clips show.
    pub kind: Kind,
    /// Which trace they carry.
    pub trace: Trace,
}

impl DataSet {
    /// Six real data sets, then their six synthetic twins.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |trace| Kind::ALL.into_iter().map(move |kind| Self { kind, trace });
        of(Trace::Sensor).chain(of(Trace::Upsampling))
    }

    /// Name of the folder and of the entry, e.g. `sample-waves-real`.
    pub fn name(self) -> String {
        format!("sample-{}-{}", self.kind.as_str(), self.media_type())
    }

    /// The class word of the original's entries.
    pub fn media_type(self) -> &'static str {
        match self.trace {
            Trace::Sensor => "real",
            Trace::Upsampling => "synthetic",
        }
    }
}

impl SampleSet {
    /// Number of files.
    pub fn clips(self) -> u64 {
        u64::from(self.recordings) * DataSet::all().count() as u64
    }

    /// Tells sets apart that would not have the same bytes.
    fn stamp(self) -> String {
        let encoder = write::ENCODER.join(" ");
        format!("version {VERSION}\nrecordings {}\ngain {GAIN:?}\n{encoder}\n", self.recordings)
    }
}

/// Name of a recording; its two twins share it, so that they always lie in the same part.
pub fn recording(kind: Kind, index: u32) -> String {
    format!("sample-{}/{index:06}", kind.as_str())
}

/// The frames of one recording as the real and as the synthetic twin.
pub fn twins(kind: Kind, index: u32) -> [(Trace, Vec<Frame>); 2] {
    let seed = blake3::hash(recording(kind, index).as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*seed.as_bytes());
    let frames = scene::render(kind, &mut rng);
    let layer = Layer::draw(&mut rng);
    [Trace::Sensor, Trace::Upsampling].map(|trace| {
        let mut twin = frames.clone();
        layer.apply(&mut twin, trace);
        (trace, twin)
    })
}
