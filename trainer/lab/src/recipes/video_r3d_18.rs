//! Preset r3d-18: torchvision's R3D-18, as dfresearch trains it.
//!
//! After each constant stand the values worth trying.

use dfr_harness::schedule::Schedule;

use super::augmentation::Augmentation;
use super::training::{Preset, Training};
use super::video::{self, Knobs};
use crate::models::r3d::R3dConfig;

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
};

/// The same of model and data.
#[rustfmt::skip]
pub const KNOBS: Knobs = Knobs {
    dropout: 0.3, // knob: 0.0 | 0.1 | 0.3 | 0.5
    augment_level: 1, // knob: 0 | 1 | 2 | 3
    augmentation: Augmentation::DistortClips, // knob: Augmentation::Tone | Augmentation::DistortClips | Augmentation::DistortFrames
    frames: 16, // knob: 8 | 16
    width: 64, // knob: 32 | 64
    temporal_kernel: 3, // knob: 1 | 3
    temporal_stride: 2, // knob: 1 | 2
    high_pass_stem: false, // knob: false | true
};

/// The recipe.
pub fn recipe() -> Preset {
    video::recipe("r3d-18", R3dConfig::r3d_18(), (TRAINING, KNOBS))
}
