//! The sample sets: real files made here, whose two classes differ by one physical cause.
//!
//! [`scene`] renders clips and pictures and [`voices`] sounds; [`artefact`] and [`tone`] add the trace
//! that makes a file real or synthetic; [`clips`], [`pictures`] and [`sounds`] say how files are made
//! of that, and [`write`] makes them. Every recording exists twice, once with each trace.
//! docs/sample-data.md tells why.

pub mod artefact;
pub mod clips;
mod noise;
pub mod pictures;
pub mod scene;
pub mod sounds;
mod stages;
pub mod tone;
pub mod voices;
pub mod write;

use dfr_contract::modality::Modality;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Changes whenever the same recording would give other bytes.
const VERSION: u32 = 1;

/// What is made.
#[derive(Clone, Copy, Debug)]
pub struct SampleSet {
    /// Clips, pictures or sounds.
    pub modality: Modality,
    /// Recordings of each subject.
    pub recordings: u32,
}

/// Which trace a file carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Noise of a sensor or microphone, without a period: the real class.
    Sensor,
    /// Uneven overlap of a transposed convolution: the synthetic class.
    Upsampling,
}

impl Trace {
    /// Real first.
    pub const ALL: [Self; 2] = [Self::Sensor, Self::Upsampling];
}

/// What a recording is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A clip of a scene.
    Clip(scene::Kind),
    /// A moment of a scene.
    Picture(scene::Kind),
    /// A sound.
    Sound(voices::Kind),
}

/// Two data sets for each subject: its real recordings, and their synthetic twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// What its files show or sound like.
    pub subject: Subject,
    /// Which trace they carry.
    pub trace: Trace,
}

/// The two files of one recording, before ffmpeg makes them.
pub struct Twins {
    /// What ffmpeg is told of the bytes.
    pub raw: Vec<String>,
    /// What it is to make of them.
    pub encoder: Vec<String>,
    /// Bytes by trace, in the order of [`Trace::ALL`].
    pub bytes: [Vec<u8>; 2],
}

impl Subject {
    /// All of one kind of media.
    pub fn all(modality: Modality) -> Vec<Self> {
        match modality {
            Modality::Video => scene::Kind::ALL.map(Self::Clip).into(),
            Modality::Image => scene::Kind::ALL.map(Self::Picture).into(),
            Modality::Audio => voices::Kind::ALL.map(Self::Sound).into(),
        }
    }

    /// The word in names of data sets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clip(kind) | Self::Picture(kind) => kind.as_str(),
            Self::Sound(kind) => kind.as_str(),
        }
    }

    /// Name of a recording; its two twins share it, so that they always lie in the same part.
    pub fn recording(self, index: u32) -> String {
        let medium = match self {
            Self::Clip(_) => "",
            Self::Picture(_) => "image-",
            Self::Sound(_) => "audio-",
        };
        format!("sample-{medium}{}/{index:06}", self.as_str())
    }

    /// Extension of both files of a recording.
    pub fn extension(self, index: u32) -> &'static str {
        match self {
            Self::Clip(_) => clips::EXTENSION,
            Self::Picture(_) => {
                pictures::Format::draw(&mut self.draws("format", index)).extension()
            }
            Self::Sound(_) => sounds::Format::draw(&mut self.draws("format", index)).extension(),
        }
    }

    /// One recording as the real and as the synthetic twin.
    pub fn twins(self, index: u32) -> Twins {
        let mut rng = self.draws("", index);
        match self {
            Self::Clip(kind) => clips::twins(kind, &mut rng),
            Self::Picture(kind) => {
                let format = pictures::Format::draw(&mut self.draws("format", index));
                pictures::twins(kind, format, &mut rng)
            }
            Self::Sound(kind) => {
                let format = sounds::Format::draw(&mut self.draws("format", index));
                sounds::twins(kind, &format, &mut rng)
            }
        }
    }

    /// A generator of its own for each recording and purpose.
    fn draws(self, purpose: &str, index: u32) -> ChaCha8Rng {
        let seed = blake3::hash((self.recording(index) + purpose).as_bytes());
        ChaCha8Rng::from_seed(*seed.as_bytes())
    }
}

impl DataSet {
    /// Name of the folder and of the entry, e.g. `sample-waves-real`.
    pub fn name(self) -> String {
        format!("sample-{}-{}", self.subject.as_str(), self.media_type())
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
    /// What `dfr prepare --sample` makes: 360 clips, 300 pictures or 300 sounds, each twice.
    pub fn standard(modality: Modality) -> Self {
        let recordings = match modality {
            Modality::Video => 60,
            Modality::Image | Modality::Audio => 50,
        };
        Self { modality, recordings }
    }

    /// The real data sets, then their synthetic twins.
    pub fn datasets(self) -> impl Iterator<Item = DataSet> {
        let subjects = move || Subject::all(self.modality).into_iter();
        Trace::ALL
            .into_iter()
            .flat_map(move |trace| subjects().map(move |subject| DataSet { subject, trace }))
    }

    /// Number of files.
    pub fn files(self) -> u64 {
        u64::from(self.recordings) * self.datasets().count() as u64
    }

    /// Tells sets apart that would not have the same bytes.
    fn stamp(self) -> String {
        let made = match self.modality {
            Modality::Video => clips::stamp(),
            Modality::Image => pictures::stamp(),
            Modality::Audio => sounds::stamp(),
        };
        format!("version {VERSION}\nrecordings {}\n{made}\n", self.recordings)
    }
}
