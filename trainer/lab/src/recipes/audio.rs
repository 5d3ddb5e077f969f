//! Audio detectors: a small residual network over a spectrogram, driven by a few knobs.

use dfr_harness::recipe::Facts;

use super::training::{Preset, Training};
use crate::models::r3d::R3dConfig;
use crate::models::spectrogram::{SpectrogramConfig, SpectrogramNet};

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
}

/// `base` with the knobs turned.
pub fn recipe(name: &str, base: R3dConfig, (training, knobs): (Training, Knobs)) -> Preset {
    let trunk = R3dConfig { dropout: knobs.dropout, width: knobs.width, ..base };
    let config = SpectrogramConfig { window: knobs.window, hop: knobs.hop, trunk };
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
        transform: None,
    }
}

#[cfg(test)]
#[path = "audio_tests.rs"]
mod tests;
