//! The mel spectrogram: power by time and by bands that are narrow where the ear tells pitches apart.
//!
//! # Source
//! torchaudio's `MelSpectrogram` with its defaults: power, a periodic Hann window, the sound mirrored at
//! both ends, triangular bands of height 1 spaced evenly on the HTK scale from 0 to half the sample rate.

use tch::nn::Path;
use tch::{Device, Kind, Tensor};

/// Size of the spectrogram.
#[derive(Clone, Copy, Debug)]
pub struct MelConfig {
    /// Samples per second.
    pub sample_rate: i64,
    /// Samples per spectrum.
    pub window: i64,
    /// Samples from one spectrum to the next.
    pub hop: i64,
    /// Bands.
    pub bands: i64,
}

impl MelConfig {
    /// How many spectra a sound of so many samples has.
    pub fn spectra(&self, samples: i64) -> i64 {
        samples / self.hop + 1
    }
}

/// Window and bands, as buffers.
pub struct Mel {
    window: Tensor,
    bands: Tensor,
    hop: i64,
}

impl Mel {
    /// The buffers `spectrogram.window` and `mel_scale.fb` below `path`.
    pub fn new(path: &Path, config: &MelConfig) -> Self {
        let device = path.device();
        let window = Tensor::hann_window(config.window, (Kind::Float, device));
        let bands = triangles(config).to_device(device);
        Self {
            window: (path / "spectrogram").add("window", window, false),
            bands: (path / "mel_scale").add("fb", bands, false),
            hop: config.hop,
        }
    }

    /// # Shapes
    /// `[B, N]` to `[B, bands, N / hop + 1]`, in the kind of the buffers.
    ///
    /// # Panics
    /// If a sound is no longer than half a window.
    pub fn forward(&self, sound: &Tensor) -> Tensor {
        let size = self.window.size()[0];
        let samples = sound.size()[1];
        assert!(
            samples > size / 2,
            "a spectrogram needs more than {} samples, not {samples}",
            size / 2
        );
        // Eight bits of power would leave their rounding in the logarithm.
        tch::autocast(false, || {
            let sound = sound.to_kind(self.window.kind()).reflection_pad1d([size / 2; 2]);
            let window = Some(&self.window);
            let spectrum = sound.stft(size, self.hop, size, window, false, true, true, false);
            let power = spectrum.abs().square();
            power.transpose(1, 2).matmul(&self.bands).transpose(1, 2)
        })
    }
}

/// How much of each frequency belongs to each band. In float32 as torchaudio's: the values are part of
/// checkpoints.
///
/// # Shapes
/// `[window / 2 + 1, bands]`.
fn triangles(config: &MelConfig) -> Tensor {
    let on_cpu = (Kind::Float, Device::Cpu);
    let highest = (config.sample_rate / 2) as f64;
    let frequencies = Tensor::linspace(0.0, highest, config.window / 2 + 1, on_cpu).unsqueeze(1);
    let mels = Tensor::linspace(0.0, mels(highest), config.bands + 2, on_cpu);
    let corners = hertz(&mels).unsqueeze(0);
    let count = config.bands;
    let widths = corners.narrow(1, 1, count + 1) - corners.narrow(1, 0, count + 1);
    let above = &frequencies - corners.narrow(1, 0, count);
    let below = corners.narrow(1, 2, count) - &frequencies;
    let rising = above / widths.narrow(1, 0, count);
    let falling = below / widths.narrow(1, 1, count);
    rising.minimum(&falling).clamp_min(0.0)
}

/// HTK's scale.
fn mels(hertz: f64) -> f64 {
    2595.0 * (1.0 + hertz / 700.0).log10()
}

/// The reverse of [`mels`].
fn hertz(mels: &Tensor) -> Tensor {
    (Tensor::pow_scalar(10.0, &(mels / 2595.0)) - 1.0) * 700.0
}

#[cfg(test)]
#[path = "mel_tests.rs"]
mod tests;
