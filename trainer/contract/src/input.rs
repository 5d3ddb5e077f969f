//! What a detector is fed: the part of a task that fixes the comparison between experiments.
//!
//! It stands in the task, not in the editable recipe: a candidate may use fewer frames than are
//! stored, or resize on the device, but every experiment of a session starts from these records.

use serde::{Deserialize, Serialize};

/// How a picture or frame is brought to `height` × `width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocessing {
    /// dfresearch: squash to the target size, bilinear with antialiasing; frames spread over the clip.
    Original,
    /// gasbench: centre crop to the target's aspect, bilinear without antialiasing; first frames.
    Benchmark,
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

/// The record of a task: shape, preprocessing, data and splits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Frames stored per clip (1 for an image).
    pub frames: u32,
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
    /// How a frame gets its size and how frames are chosen.
    pub preprocessing: Preprocessing,
    /// Which data.
    pub source: Source,
    /// Shares of train, validation and holdout.
    pub splits: SplitShares,
}

impl InputSpec {
    /// Shape of one record: `T C H W`, unsigned 8-bit RGB in 0..=255.
    pub fn record_shape(&self) -> [u64; 4] {
        [u64::from(self.frames), 3, u64::from(self.height), u64::from(self.width)]
    }

    /// A name for this input that is safe in a path, e.g. `8x96x96-original`.
    pub fn name(&self) -> String {
        let style = match self.preprocessing {
            Preprocessing::Original => "original",
            Preprocessing::Benchmark => "benchmark",
        };
        let SplitShares { train, validation, holdout } = self.splits;
        let Self { frames, height, width, .. } = self;
        format!("{frames}x{height}x{width}-{style}-{train}-{validation}-{holdout}")
    }
}
