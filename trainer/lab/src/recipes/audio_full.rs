//! The full-size audio models, as dfresearch trains them.
//!
//! After each constant stand the values worth trying.

use dfr_harness::schedule::Schedule;

use super::groups::Frozen;
use super::registered::{self, Disturbance};
use super::training::{Preset, Training};
use crate::models::{Model, Regularisation};
use crate::transforms::sound::SoundAugmentation;

/// What is tuned. One constant a line, unaligned, so that each can be replaced by itself.
#[rustfmt::skip]
pub const TRAINING: Training = Training {
    learning_rate: 1e-4, // knob: 1e-5 | 3e-5 | 1e-4 | 3e-4
    weight_decay: 1e-4, // knob: 1e-5 | 1e-4 | 1e-2 | 5e-2
    batch_size: 16, // knob: 8 | 16 | 32
    grad_accum_steps: 2, // knob: 1 | 2 | 4
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
    dropout: 0.2, // knob: 0.0 | 0.1 | 0.2 | 0.3
    hidden_dropout: 0.1, // knob: 0.0 | 0.1
    masking: 0.05, // knob: 0.0 | 0.05 | 0.1
    freeze_encoder: true, // knob: false | true
    gain_db: 0.0, // knob: 0.0 | 6.0 | 12.0
    shift: 0.0, // knob: 0.0 | 0.1 | 1.0
    noise: 0.0, // knob: 0.0 | 0.002 | 0.01
};

/// What is tuned of model and data.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Dropout around the last layers.
    pub dropout: f64,
    /// Dropout inside of the transformer, in the models that have it.
    pub hidden_dropout: f64,
    /// Share of time that a speech model does not see.
    pub masking: f64,
    /// Leave the convolutions over the waveform as they are, in the models that have them.
    pub freeze_encoder: bool,
    /// Largest change of loudness, in decibel.
    pub gain_db: f32,
    /// Largest shift in time, as a fraction of the record.
    pub shift: f64,
    /// Loudest noise, as a fraction of full scale.
    pub noise: f32,
}

/// The recipe of an audio model.
pub fn recipe(model: &'static Model) -> Preset {
    let Knobs { dropout, hidden_dropout, masking, freeze_encoder, gain_db, shift, noise } = KNOBS;
    let regularisation =
        Regularisation { dropout, hidden_dropout, masking, ..Regularisation::NONE };
    let disturbance = Disturbance::Heard(SoundAugmentation { gain_db, shift, noise });
    let convolutions = Frozen::Below("encoder.feature_extractor.");
    let frozen = if freeze_encoder { convolutions } else { Frozen::Nothing };
    registered::recipe(model, TRAINING, (regularisation, disturbance), frozen)
}
