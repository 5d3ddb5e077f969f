//! Video detectors: an R3D, driven by a few knobs.

use dfr_harness::recipe::Facts;

use super::augmentation::Augmentation;
use super::groups::Frozen;
use super::training::{Preset, Training};
use crate::models::r3d::{R3d, R3dConfig};

/// What is tuned of model and data.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Augmentation, 0 (none) to 3.
    pub augment_level: u64,
    /// What the level is of.
    pub augmentation: Augmentation,
    /// Frames looked at, at most those stored.
    pub frames: i64,
    /// Channels of the first stage; every later stage doubles them.
    pub width: i64,
    /// Frames that one convolution spans: 1 or 3.
    pub temporal_kernel: i64,
    /// Temporal stride of every stage but the first.
    pub temporal_stride: i64,
    /// Start with kernels that pass fine texture only.
    pub high_pass_stem: bool,
}

impl Knobs {
    fn turn(self, base: R3dConfig) -> R3dConfig {
        let [_, height, width] = base.kernel;
        R3dConfig {
            dropout: self.dropout,
            frames: self.frames,
            width: self.width,
            kernel: [self.temporal_kernel, height, width],
            temporal_stride: self.temporal_stride,
            high_pass_stem: self.high_pass_stem,
            ..base
        }
    }
}

/// `base` with the knobs turned.
pub fn recipe(name: &str, base: R3dConfig, (training, knobs): (Training, Knobs)) -> Preset {
    let config = knobs.turn(base);
    let (transform, record_transform) = knobs.augmentation.transforms(knobs.augment_level);
    Preset {
        facts: Facts {
            model: name.to_owned(),
            batch_size: training.batch_size,
            learning_rate: training.learning_rate,
            augment_level: Some(knobs.augment_level),
            num_frames: Some(knobs.frames.unsigned_abs()),
        },
        training,
        build: Box::new(move |root, _| Box::new(R3d::new(root, config))),
        pretrained: None,
        frozen: Frozen::Nothing,
        transform,
        record_transform,
    }
}

#[cfg(test)]
#[path = "video_tests.rs"]
mod tests;
