//! wav2vec 2.0 over raw sound at 16 kHz.
//!
//! # Source
//! Baevski et al., wav2vec 2.0, <https://arxiv.org/abs/2006.11477>, as in `Wav2Vec2Model` of the
//! transformers library with the head of dfresearch's `Wav2Vec2Detector`. Two things are different from
//! that detector: each sound gets mean 0 and deviation 1, as in the feature extractor of the public
//! checkpoints, and masking and dropout follow [`Regularisation`].

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::Path;

use super::layers::Attention;
use super::speech::{ConvStep, FeatureNorm, NormOrder, Speech, SpeechConfig};
use super::{Public, Regularisation};

/// From 16000 samples to 50 places a second.
pub(super) const STEPS: [ConvStep; 7] = [
    ConvStep { kernel: 10, stride: 5 },
    ConvStep { kernel: 3, stride: 2 },
    ConvStep { kernel: 3, stride: 2 },
    ConvStep { kernel: 3, stride: 2 },
    ConvStep { kernel: 3, stride: 2 },
    ConvStep { kernel: 2, stride: 2 },
    ConvStep { kernel: 2, stride: 2 },
];

/// The same kinds of kernels, fewer.
const TINY_STEPS: [ConvStep; 3] = [
    ConvStep { kernel: 10, stride: 5 },
    ConvStep { kernel: 3, stride: 2 },
    ConvStep { kernel: 2, stride: 2 },
];

/// Presets.
impl SpeechConfig {
    /// `facebook/wav2vec2-base`: 94.6 M parameters.
    pub fn wav2vec2_base() -> Self {
        Self {
            normalize: true,
            channels: 512,
            steps: &STEPS,
            feature_norm: FeatureNorm::Group,
            conv_bias: false,
            width: 768,
            blocks: 12,
            heads: 12,
            mlp: 3072,
            order: NormOrder::Last,
            position_kernel: 128,
            position_groups: 16,
            masked_steps: 10,
            masked_features: 10,
            regularisation: Regularisation::NONE,
        }
    }

    /// `facebook/wav2vec2-large`, trained on LibriSpeech: as the base, wider and deeper.
    pub fn wav2vec2_large() -> Self {
        Self { width: 1024, blocks: 24, heads: 16, mlp: 4096, ..Self::wav2vec2_base() }
    }

    /// `facebook/wav2vec2-large-lv60`, trained on Libri-Light: as large, with layer norms from the first
    /// convolution on and before each branch.
    pub fn wav2vec2_large_lv60() -> Self {
        Self {
            feature_norm: FeatureNorm::Layer,
            conv_bias: true,
            order: NormOrder::First,
            ..Self::wav2vec2_large()
        }
    }

    /// The base, for a CPU.
    pub fn wav2vec2_tiny() -> Self {
        Self {
            channels: 16,
            steps: &TINY_STEPS,
            width: 24,
            blocks: 2,
            heads: 3,
            mlp: 48,
            position_kernel: 6,
            position_groups: 4,
            masked_steps: 3,
            masked_features: 4,
            ..Self::wav2vec2_base()
        }
    }

    /// [`SpeechConfig::wav2vec2_large_lv60`] for a CPU.
    pub fn wav2vec2_lv60_tiny() -> Self {
        let Self { feature_norm, conv_bias, order, .. } = Self::wav2vec2_large_lv60();
        // Odd, as no other.
        Self { feature_norm, conv_bias, order, position_kernel: 5, ..Self::wav2vec2_tiny() }
    }
}

/// [`SpeechConfig::wav2vec2_base`] as a [`super::Model`].
pub fn wav2vec2(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    build(root, shape, SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_base() })
}

/// [`SpeechConfig::wav2vec2_large`] as a [`super::Model`].
pub fn wav2vec2_large(
    root: &Path,
    shape: &[i64],
    regularisation: Regularisation,
) -> Box<dyn Detector> {
    build(root, shape, SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_large() })
}

/// [`SpeechConfig::wav2vec2_large_lv60`] as a [`super::Model`].
pub fn wav2vec2_large_lv60(
    root: &Path,
    shape: &[i64],
    regularisation: Regularisation,
) -> Box<dyn Detector> {
    build(root, shape, SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_large_lv60() })
}

/// [`SpeechConfig::wav2vec2_tiny`] as a [`super::Model`].
pub fn wav2vec2_tiny(
    root: &Path,
    shape: &[i64],
    regularisation: Regularisation,
) -> Box<dyn Detector> {
    build(root, shape, SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_tiny() })
}

/// [`SpeechConfig::wav2vec2_lv60_tiny`] as a [`super::Model`].
pub fn wav2vec2_lv60_tiny(
    root: &Path,
    shape: &[i64],
    regularisation: Regularisation,
) -> Box<dyn Detector> {
    build(root, shape, SpeechConfig { regularisation, ..SpeechConfig::wav2vec2_lv60_tiny() })
}

fn build(root: &Path, shape: &[i64], config: SpeechConfig) -> Box<dyn Detector> {
    Box::new(Wav2Vec2::new(root, shape, config))
}

/// From the names of `Wav2Vec2ForPreTraining`, as which the checkpoints are stored: beside the model they
/// have what predicts the hidden sounds.
pub fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("quantizer" | "project_q" | "project_hid" | "lm_head", _)) => Public::Ignored,
        Some(("wav2vec2", inner)) => super::speech::public(inner),
        _ => Public::Unknown,
    }
}

/// The network.
pub struct Wav2Vec2 {
    speech: Speech<Attention>,
}

impl Wav2Vec2 {
    /// Makes the network below `root` for sounds of `shape`, with fresh weights.
    ///
    /// # Panics
    /// If `shape` is not that of a sound which is long enough.
    pub fn new(root: &Path, shape: &[i64], config: SpeechConfig) -> Self {
        Self { speech: Speech::new(root, shape, &config, |path| config.attention(path)) }
    }
}

impl Detector for Wav2Vec2 {
    /// # Shapes
    /// `[B,N]` float in -1..1 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        self.speech.forward(input, None, train)
    }
}

#[cfg(test)]
#[path = "wav2vec2_tests.rs"]
mod tests;
