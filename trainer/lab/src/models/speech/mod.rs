//! What speech models have in common: convolutions from sound to features, a transformer over them, a
//! head over their mean.
//!
//! # Source
//! Baevski et al., wav2vec 2.0, <https://arxiv.org/abs/2006.11477>, as in `Wav2Vec2Model` of the
//! transformers library, whose state names lie below `encoder`.

mod block;
mod encoder;
mod features;
mod head;
mod masking;
mod names;
mod position;

pub use block::{Block, NormOrder, SelfAttention};
pub use encoder::Encoder;
pub use features::{ConvStep, FeatureEncoder, FeatureNorm, Projection};
pub use head::Head;
pub use masking::{Masking, Spans};
pub use names::public;
pub use position::PositionalConv;

use tch::Tensor;
use tch::nn::Path;

use super::Regularisation;
use super::layers::{Attention, Heads, Linear};

/// Deviation from 0 that a silent sound is taken to have, squared.
const LEAST_VARIANCE: f64 = 1e-7;

/// Shape of a speech model.
#[derive(Clone, Copy, Debug)]
pub struct SpeechConfig {
    /// Give each sound mean 0 and deviation 1.
    pub normalize: bool,
    /// Channels of every convolution over the sound.
    pub channels: i64,
    /// Those convolutions, from the sound on.
    pub steps: &'static [ConvStep],
    /// Which of them are normalised, and how.
    pub feature_norm: FeatureNorm,
    /// Whether they have biases.
    pub conv_bias: bool,
    /// Features of each place in the transformer.
    pub width: i64,
    /// Its blocks.
    pub blocks: usize,
    /// Attention heads in each.
    pub heads: i64,
    /// Width between the layers of their perceptrons.
    pub mlp: i64,
    /// Where blocks normalise.
    pub order: NormOrder,
    /// Kernel of the convolution that tells places apart.
    pub position_kernel: i64,
    /// Groups of its channels.
    pub position_groups: i64,
    /// Length of the spans of time that are masked.
    pub masked_steps: i64,
    /// Length of the spans of features that are masked.
    pub masked_features: i64,
    /// What disturbs it in training.
    pub regularisation: Regularisation,
}

impl SpeechConfig {
    /// How many places a sound has after the convolutions.
    ///
    /// # Panics
    /// If it is no sound (`N` samples), or none is left of it.
    pub fn places(&self, shape: &[i64]) -> i64 {
        let &[samples] = shape else {
            panic!("a speech model needs records of shape N, but these are {shape:?}");
        };
        let left = |size: i64, step: &ConvStep| (size - step.kernel).div_euclid(step.stride) + 1;
        let places = self.steps.iter().fold(samples, left);
        let needed =
            self.steps.iter().rev().fold(1, |size, step| (size - 1) * step.stride + step.kernel);
        assert!(places >= 1, "a speech model needs {needed} samples, but there are {samples}");
        places
    }

    /// Plain self-attention below `path`.
    pub fn attention(&self, path: &Path) -> Attention {
        let linear = |name: &str| Linear::normal(&(path / name), self.width, self.width);
        Attention {
            query: linear("q_proj"),
            key: linear("k_proj"),
            value: linear("v_proj"),
            output: linear("out_proj"),
            heads: Heads { count: self.heads, dropout: self.regularisation.hidden_dropout },
        }
    }
}

/// A speech model whose blocks attend by `A`.
pub struct Speech<A> {
    normalize: bool,
    features: FeatureEncoder,
    projection: Projection,
    masking: Masking,
    encoder: Encoder<A>,
    head: Head,
}

impl<A: SelfAttention> Speech<A> {
    /// Makes it below `root`, with fresh weights; `attention` makes that of one block.
    ///
    /// # Panics
    /// If `shape` is not that of a sound which is long enough.
    pub fn new(
        root: &Path,
        shape: &[i64],
        config: &SpeechConfig,
        attention: impl Fn(&Path) -> A,
    ) -> Self {
        config.places(shape);
        let path = root / "encoder";
        Self {
            normalize: config.normalize,
            features: FeatureEncoder::new(&(&path / "feature_extractor"), config),
            projection: Projection::new(&(&path / "feature_projection"), config),
            masking: Masking::new(&path, config),
            encoder: Encoder::new(&(&path / "encoder"), config, attention),
            head: Head::new(&(root / "head"), config.width, config.regularisation.dropout),
        }
    }

    /// `bias` is what the attention of every block gets beside its input.
    ///
    /// # Shapes
    /// `[B,N]` float in -1..1 to `[B,2]`.
    pub fn forward(&self, sound: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        let sound = sound.to_kind(self.masking.kind());
        let sound = if self.normalize { normalize(&sound) } else { sound };
        let features = self.projection.forward(&self.features.forward(&sound), train);
        let masked = self.masking.forward(features, train);
        let states = self.encoder.forward(&masked, bias, train);
        self.head.forward(&states.mean_dim(1, false, None), train)
    }
}

/// Mean 0 and deviation 1, each record by itself.
///
/// # Shapes
/// `[B,N]` to the same.
///
/// # Source
/// `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm` of the transformers library.
fn normalize(sound: &Tensor) -> Tensor {
    let centred = sound - sound.mean_dim(1, true, None);
    let variance = centred.square().mean_dim(1, true, None);
    centred / (variance + LEAST_VARIANCE).sqrt()
}

#[cfg(test)]
mod tests;
