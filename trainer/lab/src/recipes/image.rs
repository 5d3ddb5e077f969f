//! Image detectors: the network of the clips on one frame, driven by a few knobs.

use dfr_harness::recipe::{Detector, Facts, Transform};
use tch::Tensor;

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
    /// Channels of the first stage; every later stage doubles them.
    pub width: i64,
    /// Start with kernels that pass fine texture only.
    pub high_pass_stem: bool,
}

/// A picture as a clip of one frame.
pub struct Still<T>(pub T);

impl Detector for Still<R3d> {
    /// # Shapes
    /// `[B,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        self.0.forward(&input.unsqueeze(1), train)
    }
}

impl Transform for Still<Box<dyn Transform>> {
    fn apply(&self, batch: &Tensor, rng: &mut rand_chacha::ChaCha8Rng) -> Tensor {
        self.0.apply(&batch.unsqueeze(1), rng).squeeze_dim(1)
    }
}

/// `base` with the knobs turned.
pub fn recipe(name: &str, base: R3dConfig, (training, knobs): (Training, Knobs)) -> Preset {
    let config = R3dConfig {
        dropout: knobs.dropout,
        frames: 1,
        width: knobs.width,
        high_pass_stem: knobs.high_pass_stem,
        ..base
    };
    let (transform, record_transform) = knobs.augmentation.transforms(knobs.augment_level);
    Preset {
        facts: Facts {
            model: name.to_owned(),
            batch_size: training.batch_size,
            learning_rate: training.learning_rate,
            augment_level: Some(knobs.augment_level),
            num_frames: None,
        },
        training,
        build: Box::new(move |root, _| Box::new(Still(R3d::new(root, config)))),
        pretrained: None,
        frozen: Frozen::Nothing,
        transform: transform.map(|inner| Box::new(Still(inner)) as Box<dyn Transform>),
        record_transform,
    }
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
