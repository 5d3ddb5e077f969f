//! From sound to features: convolutions that see some 25 ms each, 20 ms apart.

use tch::Tensor;
use tch::nn::Path;

use super::SpeechConfig;
use crate::models::layers::{Conv, ConvConfig, GroupNorm, LayerNorm, Linear, Start, Window};

const EPSILON: f64 = 1e-5;

/// One convolution over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvStep {
    /// Size.
    pub kernel: i64,
    /// Step.
    pub stride: i64,
}

/// Which convolutions are normalised, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureNorm {
    /// The first one, each channel over time.
    Group,
    /// All of them, each place over its channels.
    Layer,
}

/// Convolutions, each with its norm and GELU.
pub struct FeatureEncoder {
    layers: Vec<ConvLayer>,
}

impl FeatureEncoder {
    /// Makes it below `path`, with fresh weights.
    pub fn new(path: &Path, config: &SpeechConfig) -> Self {
        let layers = path / "conv_layers";
        let layer = |index| ConvLayer::new(&(&layers / index), index, config);
        Self { layers: (0..config.steps.len()).map(layer).collect() }
    }

    /// # Shapes
    /// `[B,N]` to `[B, places, channels]`.
    pub fn forward(&self, sound: &Tensor) -> Tensor {
        let mut x = sound.unsqueeze(1);
        for layer in &self.layers {
            x = layer.forward(&x);
        }
        x.transpose(1, 2)
    }
}

struct ConvLayer {
    conv: Conv<1>,
    norm: Option<ConvNorm>,
}

enum ConvNorm {
    Group(GroupNorm),
    Layer(LayerNorm),
}

impl ConvLayer {
    fn new(path: &Path, index: usize, config: &SpeechConfig) -> Self {
        let ConvStep { kernel, stride } = config.steps[index];
        let channels = [if index == 0 { 1 } else { config.channels }, config.channels];
        let conv = ConvConfig {
            window: Window { kernel: [kernel], stride: [stride] },
            padding: [0],
            groups: 1,
            bias: config.conv_bias,
            start: Start::FanInNormal,
        };
        Self {
            conv: Conv::new(&(path / "conv"), channels, conv),
            norm: ConvNorm::new(&(path / "layer_norm"), index, config),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.conv.forward(x);
        let normal = match &self.norm {
            None => x,
            Some(ConvNorm::Group(norm)) => norm.forward(&x),
            Some(ConvNorm::Layer(norm)) => norm.forward(&x.transpose(1, 2)).transpose(1, 2),
        };
        normal.gelu("none")
    }
}

impl ConvNorm {
    fn new(path: &Path, index: usize, config: &SpeechConfig) -> Option<Self> {
        let channels = config.channels;
        match config.feature_norm {
            FeatureNorm::Layer => Some(Self::Layer(LayerNorm::new(path, channels, EPSILON))),
            FeatureNorm::Group if index == 0 => {
                Some(Self::Group(GroupNorm::new(path, channels, channels)))
            }
            FeatureNorm::Group => None,
        }
    }
}

/// From the channels of the convolutions to the features of the transformer.
pub struct Projection {
    norm: LayerNorm,
    linear: Linear,
    dropout: f64,
}

impl Projection {
    /// Makes it below `path`, with fresh weights.
    pub fn new(path: &Path, config: &SpeechConfig) -> Self {
        Self {
            norm: LayerNorm::new(&(path / "layer_norm"), config.channels, EPSILON),
            linear: Linear::new(&(path / "projection"), config.channels, config.width),
            dropout: config.regularisation.hidden_dropout,
        }
    }

    /// # Shapes
    /// `[B, places, channels]` to `[B, places, width]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.linear.forward(&self.norm.forward(x)).dropout(self.dropout, train)
    }
}
