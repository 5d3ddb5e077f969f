//! What a detector is fed: the part of a task that fixes the comparison between experiments.
//!
//! It stands in the task, not in the editable recipe: a candidate may use fewer frames than are
//! stored, or resize on the device, but every experiment of a session starts from these records.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::modality::Modality;
use crate::pack::Part;

/// How a picture or frame is brought to `height` × `width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocessing {
    /// dfresearch: squash to the target size, bilinear with antialiasing; frames spread over the clip.
    Original,
    /// gasbench: centre crop to the target's aspect, bilinear without antialiasing; first frames.
    Benchmark,
}

impl Preprocessing {
    /// As in files and names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Benchmark => "benchmark",
        }
    }
}

/// Which data the records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The data sets downloaded under the cache root.
    Downloaded,
    /// The small set that `dfr prepare --sample` makes, under `<cache>/sample`.
    Sample,
}

/// Shares of the source recordings, in percent. They add up to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitShares {
    /// Seen by the trainer, with labels.
    pub train: u32,
    /// Decides keep or discard; its labels stay with the daemon.
    pub validation: u32,
    /// Kept apart.
    pub holdout: u32,
}

/// Size of a picture or frame, and how it gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameSpec {
    /// In pixels.
    pub height: u32,
    /// In pixels.
    pub width: u32,
    /// How it gets its size; for clips also which frames are taken.
    pub preprocessing: Preprocessing,
}

/// Sound of one channel, 16-bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SoundSpec {
    /// Samples per second.
    pub sample_rate_hz: u32,
    /// Samples that a detector is fed.
    pub samples: u32,
    /// Samples stored of a training record, at least `samples`: a window is drawn from them.
    pub stored_samples: u32,
}

/// Frames of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClipSpec {
    /// How many.
    pub frames: u32,
    /// Frames of a second that are taken; all of them where nothing is said. Only of
    /// [`Preprocessing::Benchmark`]: the original spreads them over the clip.
    pub frame_rate: Option<NonZeroU32>,
    /// What each of them holds.
    pub frame: FrameSpec,
}

/// What one record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordSpec {
    /// One picture.
    Image(FrameSpec),
    /// Frames of a clip.
    Video(ClipSpec),
    /// A window of a sound.
    Audio(SoundSpec),
}

impl RecordSpec {
    /// So many frames of a clip, at its own rate.
    pub const fn clip(frames: u32, frame: FrameSpec) -> Self {
        Self::Video(ClipSpec { frames, frame_rate: None, frame })
    }
}

/// Type of a record's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Unsigned 8-bit: RGB in 0..=255.
    #[default]
    U8,
    /// Signed 16-bit, little-endian: 32768 is full scale.
    I16,
}

impl Dtype {
    /// Bytes of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::I16 => 2,
        }
    }

    /// As in file names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I16 => "i16",
        }
    }
}

/// The record of a task: shape, preprocessing, data and splits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct InputSpec {
    /// What a record holds.
    pub record: RecordSpec,
    /// Which data.
    pub source: Source,
    /// Shares of train, validation and holdout.
    pub splits: SplitShares,
    /// Data sets that go wholly to holdout: generators that nobody has seen.
    pub leave_out: BTreeSet<String>,
    /// At most so many files of each class in train; validation and holdout are never cut.
    pub max_per_class: Option<NonZeroU32>,
}

impl InputSpec {
    /// Which kind of media the records are of.
    pub fn modality(&self) -> Modality {
        match self.record {
            RecordSpec::Image(_) => Modality::Image,
            RecordSpec::Video(_) => Modality::Video,
            RecordSpec::Audio(_) => Modality::Audio,
        }
    }

    /// Shape of one record of a part: `3 H W`, `T 3 H W` or `N`.
    pub fn record_shape(&self, part: Part) -> Vec<u64> {
        let numbers = match self.record {
            RecordSpec::Image(FrameSpec { height, width, .. }) => vec![3, height, width],
            RecordSpec::Video(ClipSpec { frames, frame, .. }) => {
                vec![frames, 3, frame.height, frame.width]
            }
            RecordSpec::Audio(sound) if part == Part::Train => vec![sound.stored_samples],
            RecordSpec::Audio(sound) => vec![sound.samples],
        };
        numbers.into_iter().map(u64::from).collect()
    }

    /// Bytes of one record of a part.
    pub fn record_bytes(&self, part: Part) -> u64 {
        self.record_shape(part).iter().product::<u64>().saturating_mul(self.dtype().bytes())
    }

    /// Samples that a detector is fed of a record of `part`, where more are stored.
    pub fn window(&self, part: Part) -> Option<u64> {
        match self.record {
            RecordSpec::Audio(sound) if part == Part::Train => Some(u64::from(sound.samples)),
            _ => None,
        }
    }

    /// Type of a record's numbers.
    pub fn dtype(&self) -> Dtype {
        match self.record {
            RecordSpec::Image(_) | RecordSpec::Video(_) => Dtype::U8,
            RecordSpec::Audio(_) => Dtype::I16,
        }
    }

    /// What a file is decoded to, e.g. `8x96x96-original`: two inputs that say the same here store the
    /// same record for the same file.
    pub fn decoding(&self) -> String {
        match self.record {
            RecordSpec::Image(frame) => frame.to_string(),
            RecordSpec::Video(ClipSpec { frames, frame_rate, frame }) => {
                let rate = frame_rate.map_or_else(String::new, |rate| format!("-{rate}fps"));
                format!("{frames}x{frame}{rate}")
            }
            RecordSpec::Audio(SoundSpec { sample_rate_hz, samples, stored_samples }) => {
                format!("{samples}of{stored_samples}-{sample_rate_hz}hz")
            }
        }
    }

    /// A name for this input that is safe in a path, e.g. `8x96x96-original-80-10-10`.
    pub fn name(&self) -> String {
        let SplitShares { train, validation, holdout } = self.splits;
        let left_out = (!self.leave_out.is_empty())
            .then(|| format!("-without-{:016x}", fingerprint(&self.leave_out)));
        let most = self.max_per_class.map(|most| format!("-max{most}"));
        let decoding = self.decoding();
        format!("{decoding}-{train}-{validation}-{holdout}")
            + &left_out.unwrap_or_default()
            + &most.unwrap_or_default()
    }
}

/// For names: `96x96-original`.
impl fmt::Display for FrameSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { height, width, preprocessing } = self;
        write!(f, "{height}x{width}-{}", preprocessing.as_str())
    }
}

/// For people: `8 frames of 96 x 96`.
impl fmt::Display for RecordSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(FrameSpec { height, width, .. }) => {
                write!(f, "a picture of {height} x {width}")
            }
            Self::Video(ClipSpec { frames, frame_rate, frame }) => {
                write!(f, "{frames} frames of {} x {}", frame.height, frame.width)?;
                frame_rate.map_or(Ok(()), |rate| write!(f, ", {rate} a second"))
            }
            Self::Audio(SoundSpec { sample_rate_hz, samples, .. }) => {
                write!(f, "{samples} samples of sound at {sample_rate_hz} Hz")
            }
        }
    }
}

/// An input as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frames: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    frame_rate: Option<NonZeroU32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preprocessing: Option<Preprocessing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample_rate_hz: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    samples: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored_samples: Option<u32>,
    source: Source,
    splits: SplitShares,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    leave_out: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_per_class: Option<NonZeroU32>,
}

/// Fields that make no record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InputError {
    /// Neither pixels nor sound, both, or part of one.
    #[error(
        "an input has height, width and preprocessing (an image), frames too and perhaps frame_rate (a video), or \
         sample_rate_hz and samples, and perhaps stored_samples (audio)"
    )]
    Fields,
    /// A rate where frames are spread over the clip.
    #[error(
        "frame_rate goes with preprocessing = \"benchmark\": \"original\" spreads the frames over the clip"
    )]
    Rate,
    /// A size of zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// Less is stored than fed.
    #[error("stored_samples ({stored}) must not be less than samples ({samples})")]
    Stored {
        /// Stored of a training record.
        stored: u32,
        /// Fed.
        samples: u32,
    },
}

impl TryFrom<Fields> for InputSpec {
    type Error = InputError;

    fn try_from(fields: Fields) -> Result<Self, InputError> {
        let record = fields.record()?;
        let Fields { source, splits, leave_out, max_per_class, .. } = fields;
        Ok(Self { record, source, splits, leave_out, max_per_class })
    }
}

impl Fields {
    fn record(&self) -> Result<RecordSpec, InputError> {
        let pixels = (self.height, self.width, self.preprocessing);
        let sound = (self.sample_rate_hz, self.samples);
        match (pixels, sound, self.stored_samples) {
            ((Some(height), Some(width), Some(preprocessing)), (None, None), None) => {
                let frame = FrameSpec { height, width, preprocessing };
                require("height", height).and(require("width", width))?;
                match (self.frames, self.frame_rate) {
                    (None, None) => Ok(RecordSpec::Image(frame)),
                    (None, Some(_)) => Err(InputError::Fields),
                    (Some(_), Some(_)) if preprocessing == Preprocessing::Original => {
                        Err(InputError::Rate)
                    }
                    (Some(frames), frame_rate) => {
                        let clip = ClipSpec { frames, frame_rate, frame };
                        require("frames", frames).map(|()| RecordSpec::Video(clip))
                    }
                }
            }
            ((None, None, None), (Some(sample_rate_hz), Some(samples)), stored)
                if self.frames.is_none() && self.frame_rate.is_none() =>
            {
                let stored_samples = stored.unwrap_or(samples);
                require("sample_rate_hz", sample_rate_hz).and(require("samples", samples))?;
                if stored_samples < samples {
                    return Err(InputError::Stored { stored: stored_samples, samples });
                }
                Ok(RecordSpec::Audio(SoundSpec { sample_rate_hz, samples, stored_samples }))
            }
            _ => Err(InputError::Fields),
        }
    }
}

fn require(name: &'static str, value: u32) -> Result<(), InputError> {
    if value == 0 { Err(InputError::Zero(name)) } else { Ok(()) }
}

impl From<InputSpec> for Fields {
    fn from(input: InputSpec) -> Self {
        let InputSpec { record, source, splits, leave_out, max_per_class } = input;
        let (clip, frame, sound) = match record {
            RecordSpec::Image(frame) => (None, Some(frame), None),
            RecordSpec::Video(clip) => (Some(clip), Some(clip.frame), None),
            RecordSpec::Audio(sound) => (None, None, Some(sound)),
        };
        Self {
            frames: clip.map(|clip| clip.frames),
            frame_rate: clip.and_then(|clip| clip.frame_rate),
            height: frame.map(|frame| frame.height),
            width: frame.map(|frame| frame.width),
            preprocessing: frame.map(|frame| frame.preprocessing),
            sample_rate_hz: sound.map(|sound| sound.sample_rate_hz),
            samples: sound.map(|sound| sound.samples),
            stored_samples: sound.map(|sound| sound.stored_samples),
            source,
            splits,
            leave_out,
            max_per_class,
        }
    }
}

/// FNV-1a: names of data sets may be long, and a path must be the same in every version of this.
fn fingerprint(names: &BTreeSet<String>) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
