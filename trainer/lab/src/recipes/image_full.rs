//! The full-size image models, as dfresearch trains them.
//!
//! After each constant stand the values worth trying.

use dfr_harness::schedule::Schedule;

use super::augmentation::Augmentation;
use super::groups::Frozen;
use super::registered::{self, Disturbance};
use super::training::{Preset, Training};
use crate::models::{Model, Regularisation};

/// What is tuned. One constant a line, unaligned, so that each can be replaced by itself.
#[rustfmt::skip]
pub const TRAINING: Training = Training {
    learning_rate: 1e-4, // knob: 1e-5 | 3e-5 | 1e-4 | 3e-4
    weight_decay: 1e-4, // knob: 1e-5 | 1e-4 | 1e-2 | 5e-2
    batch_size: 32, // knob: 16 | 32 | 64
    grad_accum_steps: 1, // knob: 1 | 2 | 4
    warmup_steps: 100, // knob: 0 | 100 | 300
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
    dropout: 0.3, // knob: 0.0 | 0.1 | 0.2 | 0.3 | 0.5
    drop_path: 0.1, // knob: 0.0 | 0.1 | 0.2
    freeze_backbone: false, // knob: false | true
    augment_level: 2, // knob: 0 | 1 | 2 | 3
    augmentation: Augmentation::DistortFrames, // knob: Augmentation::Tone | Augmentation::DistortFrames
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
    /// Augmentation, 0 (none) to 3.
    pub augment_level: u64,
    /// What the level is of.
    pub augmentation: Augmentation,
}

/// The recipe of an image model.
pub fn recipe(model: &'static Model) -> Preset {
    let Knobs { dropout, drop_path, freeze_backbone, augment_level, augmentation } = KNOBS;
    let regularisation = Regularisation { dropout, drop_path, ..Regularisation::NONE };
    let disturbance = Disturbance::Seen(augmentation, augment_level);
    let frozen = if freeze_backbone { Frozen::Backbone } else { Frozen::Nothing };
    registered::recipe(model, TRAINING, (regularisation, disturbance), frozen)
}
