//! A residual network over the logarithm of a sound's power, by frequency and time.

use dfr_harness::recipe::Detector;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::r3d::{R3dConfig, Trunk};
use crate::transforms::spectrum;

/// Power below which everything is silence: 80 dB below a full-scale sample.
const FLOOR: f64 = 1e-8;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct SpectrogramConfig {
    /// Samples per spectrum.
    pub window: i64,
    /// Samples from one spectrum to the next.
    pub hop: i64,
    /// Largest share of each axis that is hidden in training; 0 hides nothing.
    pub mask: f64,
    /// What looks at it, as at a picture of one channel.
    pub trunk: R3dConfig,
}

/// The network.
pub struct SpectrogramNet {
    hann: Tensor,
    trunk: Trunk,
    hop: i64,
    mask: f64,
}

impl SpectrogramNet {
    /// Makes the network below `root`, with fresh weights.
    pub fn new(root: &Path, config: SpectrogramConfig) -> Self {
        let hann = Tensor::hann_window(config.window, (Kind::Float, root.device()));
        Self {
            hann: root.add("hann", hann, false),
            trunk: Trunk::new(root, 1, &config.trunk),
            hop: config.hop,
            mask: config.mask,
        }
    }

    /// Logarithm of power, each record with mean 0 and deviation 1: a louder copy is the same.
    ///
    /// # Shapes
    /// `[B,N]` to `[B,F,T]`, `F = window / 2 + 1`.
    fn spectrogram(&self, input: &Tensor) -> Tensor {
        let window = self.hann.size()[0];
        let spectrum =
            input.stft(window, self.hop, window, Some(&self.hann), false, true, true, false);
        let power = (spectrum.abs().square() / window as f64 + FLOOR).log();
        let over = &[1i64, 2][..];
        let (mean, std) =
            (power.mean_dim(over, true, Kind::Float), power.std_dim(over, true, true));
        (power - mean) / (std + 1e-5)
    }
}

impl Detector for SpectrogramNet {
    /// # Shapes
    /// `[B,N]` float32 in -1..1 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let mut spectrogram = self.spectrogram(&input.to_kind(Kind::Float));
        if train && self.mask > 0.0 {
            spectrogram = spectrum::mask(&spectrogram, self.mask);
        }
        self.trunk.forward(&spectrogram.unsqueeze(1).unsqueeze(1), train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    fn net() -> (VarStore, SpectrogramNet) {
        tch::manual_seed(1);
        let store = VarStore::new(Device::Cpu);
        let config =
            SpectrogramConfig { window: 256, hop: 128, mask: 0.0, trunk: R3dConfig::r3d_tiny() };
        let net = SpectrogramNet::new(&store.root(), config);
        (store, net)
    }

    fn tone(hertz: f64) -> Tensor {
        let time = Tensor::arange(4000, (Kind::Float, Device::Cpu)) / 16_000.0;
        (time * (std::f64::consts::TAU * hertz)).sin().unsqueeze(0) * 0.5
    }

    #[test]
    fn a_tone_stands_in_its_band() {
        let (_, net) = net();
        let spectrogram = net.spectrogram(&tone(4000.0));
        assert_eq!(spectrogram.size(), [1, 129, 30]);
        let loudest = spectrogram.mean_dim(2, false, Kind::Float).argmax(1, false);
        // 4 kHz of 8 kHz, the Nyquist frequency.
        assert_eq!(loudest.int64_value(&[0]), 64);
    }

    #[test]
    fn loudness_alone_changes_little() {
        let (_, net) = net();
        let logits = |gain: f64| net.forward(&(tone(440.0) * gain), false);
        let difference = (logits(1.0) - logits(0.9)).abs().max().double_value(&[]);
        assert!(difference < 0.05, "{difference}");
        assert_eq!(logits(1.0).size(), [1, 2]);
    }

    #[test]
    fn silence_has_an_answer() {
        let (_, net) = net();
        let silence = Tensor::zeros([2, 4000], (Kind::Float, Device::Cpu));
        assert!(net.forward(&silence, false).isfinite().all().int64_value(&[]) == 1);
    }
}
