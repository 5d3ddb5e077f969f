//! The full-size video models, as dfresearch trains them.
//!
//! After each constant stand the values worth trying.

use dfr_harness::recipe::{Detector, Facts};
use dfr_harness::schedule::Schedule;
use tch::Tensor;

use super::augmentation::Augmentation;
use super::groups::Frozen;
use super::registered::{self, Disturbance};
use super::training::{Preset, Training};
use crate::models::layers::spread;
use crate::models::{Model, Regularisation};

/// What is tuned. One constant a line, unaligned, so that each can be replaced by itself.
#[rustfmt::skip]
pub const TRAINING: Training = Training {
    learning_rate: 3e-4, // knob: 3e-5 | 1e-4 | 3e-4 | 1e-3
    weight_decay: 1e-4, // knob: 1e-5 | 1e-4 | 1e-2 | 5e-2
    batch_size: 4, // knob: 2 | 4 | 8 | 16
    grad_accum_steps: 4, // knob: 1 | 2 | 4 | 8
    warmup_steps: 50, // knob: 0 | 50 | 200
    schedule: Schedule::Constant, // knob: Schedule::Constant | Schedule::Cosine
    clip_norm: 1.0, // knob: 0.0 | 0.5 | 1.0 | 5.0
    label_smoothing: 0.0, // knob: 0.0 | 0.05 | 0.1
    focal_gamma: 0.0, // knob: 0.0 | 1.0 | 2.0
    mixup_alpha: 0.0, // knob: 0.0 | 0.2 | 0.4
    cutmix_alpha: 0.0, // knob: 0.0 | 0.5 | 1.0
    layer_decay: 1.0, // knob: 0.65 | 0.8 | 0.9 | 1.0
    ema_decay: 0.0, // knob: 0.0 | 0.99 | 0.999
    gradient_checkpointing: false,
};

/// The same of model and data.
#[rustfmt::skip]
pub const KNOBS: Knobs = Knobs {
    dropout: 0.3, // knob: 0.0 | 0.1 | 0.3 | 0.5
    drop_path: 0.0, // knob: 0.0 | 0.1 | 0.2
    freeze_backbone: false, // knob: false | true
    frames: 16, // knob: 8 | 16
    augment_level: 1, // knob: 0 | 1 | 2 | 3
    augmentation: Augmentation::DistortClips, // knob: Augmentation::Tone | Augmentation::DistortClips | Augmentation::DistortFrames
};

/// What is tuned of model and data.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Residual branches left out, in the models that have them.
    pub drop_path: f64,
    /// Train the head alone.
    pub freeze_backbone: bool,
    /// Frames looked at, spread over those stored. VideoMAE takes 16.
    pub frames: i64,
    /// Augmentation, 0 (none) to 3.
    pub augment_level: u64,
    /// What the level is of.
    pub augmentation: Augmentation,
}

/// The recipe of a video model.
pub fn recipe(model: &'static Model) -> Preset {
    let Knobs { dropout, drop_path, freeze_backbone, frames, augment_level, augmentation } = KNOBS;
    let regularisation = Regularisation { dropout, drop_path, ..Regularisation::NONE };
    let disturbance = Disturbance::Seen(augmentation, augment_level);
    let frozen = if freeze_backbone { Frozen::Backbone } else { Frozen::Nothing };
    let preset = registered::recipe(model, TRAINING, (regularisation, disturbance), frozen);
    looking_at(frames, preset)
}

/// `preset`, whose model sees so many of a clip's frames.
fn looking_at(frames: i64, preset: Preset) -> Preset {
    let build = preset.build;
    Preset {
        facts: Facts { num_frames: Some(frames.unsigned_abs()), ..preset.facts },
        build: Box::new(move |root, shape| {
            let seen = [&[frames.min(shape[0])], &shape[1..]].concat();
            Box::new(Looking { model: build(root, &seen), frames })
        }),
        ..preset
    }
}

/// A model over some of a clip's frames.
struct Looking {
    model: Box<dyn Detector>,
    frames: i64,
}

impl Detector for Looking {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        self.model.forward(&spread(input, self.frames), train)
    }
}
