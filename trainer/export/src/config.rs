//! `model_config.yaml`: what the competition is told of a model.

use std::collections::BTreeMap;

use dfr_contract::input::{ClipSpec, FrameSpec, InputSpec, Preprocessing, RecordSpec, SoundSpec};
use dfr_contract::modality::Modality;
use serde::{Deserialize, Serialize};

use crate::tensor::Kind;

/// Samples of sound that the competition feeds, whatever a configuration says.
const SAMPLES: u32 = 96_000;
/// Their rate.
const SAMPLE_RATE_HZ: u32 = 16_000;
/// Most frames that it feeds.
const MOST_FRAMES: u32 = 64;

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// For logs.
    #[serde(default)]
    pub name: String,
    /// For logs.
    #[serde(default)]
    pub version: String,
    /// Kind of media.
    pub modality: Modality,
    /// What the module is cast to; `float32` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// What it is fed.
    pub preprocessing: Fed,
    /// What `load_model` is called with.
    pub model: Load,
}

/// Sizes of what a model is fed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fed {
    /// Height and width of a picture or frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
    /// Frames of a clip.
    #[serde(default, alias = "max_frames", skip_serializing_if = "Option::is_none")]
    pub num_frames: Option<u32>,
    /// Frames per second that are taken; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Samples of sound per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Length of a sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// How the records of the training were made. The competition heeds it not: it has one way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_with: Option<Preprocessing>,
}

/// What `load_model` is called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// 2: real and synthetic.
    #[serde(default = "two")]
    pub num_classes: u32,
    /// File of weights.
    #[serde(default = "weights")]
    pub weights_file: String,
    /// What else it is called with.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

fn two() -> u32 {
    2
}

fn weights() -> String {
    crate::package::WEIGHTS.to_owned()
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not a configuration.
    #[error("model_config.yaml is not understood: {0}")]
    Malformed(serde_norway::Error),
    /// The competition feeds something else.
    #[error("the competition feeds {fed} and this model was trained on {trained}: {way_out}")]
    Fed {
        /// What the competition feeds.
        fed: String,
        /// What was trained.
        trained: String,
        /// What to do.
        way_out: &'static str,
    },
    /// It says other sizes than were trained.
    #[error(
        "model_config.yaml has the model fed {said:?} ({}) and it was trained on {trained:?}: export it again",
        axes(.said)
    )]
    Shape {
        /// Shape by the configuration.
        said: Vec<u64>,
        /// Shape of the training.
        trained: Vec<u64>,
    },
    /// Another kind of media, or a kind of numbers that the competition does not know.
    #[error("model_config.yaml says {what}: {found:?}, which {wanted}")]
    Word {
        /// The key.
        what: &'static str,
        /// What stands there.
        found: String,
        /// What must.
        wanted: String,
    },
}

fn axes(shape: &[u64]) -> &'static str {
    match shape.len() {
        1 => "samples",
        3 => "colours, height, width",
        _ => "frames, colours, height, width",
    }
}

impl Config {
    /// Of a model that was trained on such records.
    ///
    /// # Errors
    /// The competition does not feed such records.
    pub fn new(model: &str, input: &InputSpec) -> Result<Self, ConfigError> {
        Ok(Self {
            name: format!("dfresearch-{model}"),
            version: "1.0.0".to_owned(),
            modality: input.modality(),
            dtype: None,
            preprocessing: Fed::of(&input.record)?,
            model: Load { num_classes: two(), weights_file: weights(), more: BTreeMap::new() },
        })
    }

    /// As YAML.
    pub fn print(&self) -> String {
        serde_norway::to_string(self).expect("plain data")
    }

    /// Reads YAML.
    ///
    /// # Errors
    /// A key is missing or of another type.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        serde_norway::from_str(text).map_err(ConfigError::Malformed)
    }

    /// Kind of the weights in the file.
    pub fn kind(&self) -> Kind {
        match self.dtype.as_deref().map(str::to_lowercase).as_deref() {
            Some("float16" | "fp16") => Kind::F16,
            Some("bfloat16" | "bf16") => Kind::BF16,
            _ => Kind::F32,
        }
    }

    /// Shape of one record as the competition feeds it: `T 3 H W`, `3 H W` or `N`.
    pub fn shape(&self) -> Vec<u64> {
        let [height, width] = self.preprocessing.resize.unwrap_or([224, 224]).map(u64::from);
        let frames = self.preprocessing.num_frames.unwrap_or(16).min(MOST_FRAMES);
        match self.modality {
            Modality::Image => vec![3, height, width],
            Modality::Video => vec![u64::from(frames), 3, height, width],
            Modality::Audio => vec![u64::from(SAMPLES)],
        }
    }

    /// Refuses a configuration that is of other records than `shape`, or of another kind of media.
    ///
    /// # Errors
    /// What differs.
    pub fn require(&self, modality: Modality, shape: Option<&[u64]>) -> Result<(), ConfigError> {
        let word = |what, found: &str, wanted| {
            Err(ConfigError::Word { what, found: found.to_owned(), wanted })
        };
        if self.modality != modality {
            return word("modality", self.modality.as_str(), format!("should be {modality}"));
        }
        let kinds = ["float32", "fp32", "float16", "fp16", "bfloat16", "bf16"];
        if let Some(kind) =
            self.dtype.as_ref().filter(|kind| !kinds.contains(&kind.to_lowercase().as_str()))
        {
            return word("dtype", kind, format!("is none of {}", kinds.join(", ")));
        }
        let file = &self.model.weights_file;
        if *file != weights() {
            return word(
                "weights_file",
                file,
                format!("must be {}, as the archive's member is", weights()),
            );
        }
        let said = self.shape();
        match shape.filter(|trained| *trained != said) {
            Some(trained) => Err(ConfigError::Shape { said, trained: trained.to_vec() }),
            None => Ok(()),
        }
    }
}

impl Fed {
    fn of(record: &RecordSpec) -> Result<Self, ConfigError> {
        let of_frame = |frame: &FrameSpec| Self {
            resize: Some([frame.height, frame.width]),
            trained_with: Some(frame.preprocessing),
            ..Self::default()
        };
        let refuse = |fed: String, way_out| {
            Err(ConfigError::Fed { fed, trained: record.to_string(), way_out })
        };
        match record {
            RecordSpec::Image(frame) => Ok(of_frame(frame)),
            RecordSpec::Video(clip) if clip.frames > MOST_FRAMES => {
                refuse(format!("at most {MOST_FRAMES} frames"), "train for a task of fewer frames")
            }
            RecordSpec::Video(ClipSpec { frames, frame_rate, frame }) => Ok(Self {
                num_frames: Some(*frames),
                frame_rate: frame_rate.map(|rate| f64::from(rate.get())),
                ..of_frame(frame)
            }),
            RecordSpec::Audio(SoundSpec { sample_rate_hz, samples, .. }) => {
                if (*sample_rate_hz, *samples) != (SAMPLE_RATE_HZ, SAMPLES) {
                    let fed = format!("{SAMPLES} samples of sound at {SAMPLE_RATE_HZ} Hz");
                    return refuse(fed, "train for the task audio");
                }
                let duration = f64::from(SAMPLES) / f64::from(SAMPLE_RATE_HZ);
                Ok(Self {
                    sample_rate: Some(SAMPLE_RATE_HZ),
                    duration_seconds: Some(duration),
                    ..Self::default()
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfr_contract::input::{Source, SplitShares};

    fn input(record: RecordSpec) -> InputSpec {
        InputSpec {
            record,
            source: Source::Sample,
            splits: SplitShares { train: 50, validation: 25, holdout: 25 },
            leave_out: std::collections::BTreeSet::new(),
            max_per_class: None,
        }
    }

    const FRAME: FrameSpec =
        FrameSpec { height: 96, width: 128, preprocessing: Preprocessing::Original };

    #[test]
    fn a_clip_is_told_as_it_was_trained_and_read_back() {
        let config = Config::new("r3d-tiny", &input(RecordSpec::clip(8, FRAME))).unwrap();
        let text = config.print();
        let lines = "preprocessing:\n  resize:\n  - 96\n  - 128\n  num_frames: 8\n  trained_with: original\n";
        assert!(text.contains(lines), "{text}");
        assert!(
            text.ends_with("model:\n  num_classes: 2\n  weights_file: model.safetensors\n"),
            "{text}"
        );
        let read = Config::parse(&text).unwrap();
        assert_eq!(read, config);
        assert!(read.require(Modality::Video, Some(&[8, 3, 96, 128])).is_ok());
        let error = read.require(Modality::Video, Some(&[8, 3, 128, 96])).unwrap_err().to_string();
        assert!(error.contains("[8, 3, 96, 128] (frames, colours, height, width)"), "{error}");
        assert!(read.require(Modality::Image, None).is_err());
        let other = Config { dtype: Some("int8".to_owned()), ..read.clone() };
        assert!(other.require(Modality::Video, None).is_err());
        let file = Config::parse(&text.replace("model.safetensors", "other.safetensors")).unwrap();
        let error = file.require(Modality::Video, None).unwrap_err().to_string();
        assert!(
            error.contains("\"other.safetensors\", which must be model.safetensors"),
            "{error}"
        );
    }

    #[test]
    fn what_others_write_is_understood() {
        let text = "modality: video\npreprocessing: {max_frames: 4}\nmodel: {hidden: 7}\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.shape(), [4, 3, 224, 224]);
        assert_eq!(config.model.more["hidden"], 7);
        assert_eq!(config.model.num_classes, 2);
    }

    #[test]
    fn sounds_that_the_competition_does_not_feed_are_refused() {
        let sound = |samples| {
            let sound = SoundSpec { sample_rate_hz: 16_000, samples, stored_samples: samples };
            Config::new("ast", &input(RecordSpec::Audio(sound)))
        };
        assert_eq!(sound(96_000).unwrap().preprocessing.duration_seconds, Some(6.0));
        let error = sound(16_000).unwrap_err().to_string();
        assert!(error.contains("96000 samples") && error.contains("task audio"), "{error}");
    }
}
