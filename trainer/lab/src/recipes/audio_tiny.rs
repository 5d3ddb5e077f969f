//! Preset audio-tiny: a small network for a CPU and the sample set.
//!
//! After each constant stand the values worth trying.

use dfr_harness::schedule::Schedule;

use super::audio::{self, Knobs};
use super::training::{Preset, Training};
use crate::models::r3d::R3dConfig;

/// What is tuned. One constant a line, unaligned, so that each can be replaced by itself.
#[rustfmt::skip]
pub const TRAINING: Training = Training {
    learning_rate: 1e-3, // knob: 3e-4 | 1e-3 | 3e-3 | 1e-2
    weight_decay: 1e-4, // knob: 1e-5 | 1e-4 | 1e-2 | 5e-2
    batch_size: 16, // knob: 8 | 16 | 32 | 64
    grad_accum_steps: 1, // knob: 1 | 2 | 4
    warmup_steps: 20, // knob: 0 | 20 | 50
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
    dropout: 0.1, // knob: 0.0 | 0.1 | 0.3
    window: 512, // knob: 256 | 512 | 1024
    hop: 256, // knob: 128 | 256 | 512
    width: 8, // knob: 4 | 8 | 12 | 16
    gain_db: 0.0, // knob: 0.0 | 6.0 | 12.0
    shift: 0.0, // knob: 0.0 | 0.1 | 1.0
    noise: 0.0, // knob: 0.0 | 0.002 | 0.01
    mask: 0.0, // knob: 0.0 | 0.1 | 0.2
};

/// The recipe.
pub fn recipe() -> Preset {
    audio::recipe("audio-tiny", R3dConfig::r3d_tiny(), (TRAINING, KNOBS))
}
