//! Audio detectors: a small residual network over a spectrogram, driven by a few knobs.

use dfr_harness::recipe::Facts;
use dfr_harness::record::RecordTransform;

use super::groups::Frozen;
use super::training::{Preset, Training};
use crate::models::r3d::R3dConfig;
use crate::models::spectrogram::{SpectrogramConfig, SpectrogramNet};
use crate::transforms::sound::SoundAugmentation;

/// What is tuned of model and data.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Samples per spectrum.
    pub window: i64,
    /// Samples from one spectrum to the next.
    pub hop: i64,
    /// Channels of the first stage; every later stage doubles them.
    pub width: i64,
    /// Largest change of loudness, in decibel.
    pub gain_db: f32,
    /// Largest shift in time, as a fraction of the record.
    pub shift: f64,
    /// Loudest noise, as a fraction of full scale.
    pub noise: f32,
    /// Largest band and span of the spectrogram that are hidden, as a fraction of it.
    pub mask: f64,
}

impl Knobs {
    fn record_transform(self) -> Option<Box<dyn RecordTransform>> {
        let Self { gain_db, shift, noise, .. } = self;
        SoundAugmentation { gain_db, shift, noise }.transform()
    }
}

/// `base` with the knobs turned.
pub fn recipe(name: &str, base: R3dConfig, (training, knobs): (Training, Knobs)) -> Preset {
    let trunk = R3dConfig { dropout: knobs.dropout, width: knobs.width, ..base };
    let Knobs { window, hop, mask, .. } = knobs;
    let config = SpectrogramConfig { window, hop, mask, trunk };
    Preset {
        facts: Facts {
            model: name.to_owned(),
            batch_size: training.batch_size,
            learning_rate: training.learning_rate,
            augment_level: None,
            num_frames: None,
        },
        training,
        build: Box::new(move |root, _| Box::new(SpectrogramNet::new(root, config))),
        pretrained: None,
        frozen: Frozen::Nothing,
        transform: None,
        record_transform: knobs.record_transform(),
    }
}

#[cfg(test)]
#[path = "audio_tests.rs"]
mod tests;
