//! Spans of time and of features that are hidden from the transformer in training.

use tch::nn::{Init, Path};
use tch::{Device, Kind, Tensor};

use super::SpeechConfig;

/// Fewest spans of time that are masked, if any are.
const FEWEST_IN_TIME: i64 = 2;

/// Replaces spans of time by a learned vector, then spans of features by 0.
///
/// # Source
/// Park et al., SpecAugment, <https://arxiv.org/abs/1904.08779>, as in `_mask_hidden_states` of the
/// transformers library; there the rates of time and of features are two numbers.
pub struct Masking {
    vector: Tensor,
    share: f64,
    time: Spans,
    features: Spans,
}

impl Masking {
    /// The vector `masked_spec_embed` below `path`, uniform in 0..1.
    pub fn new(path: &Path, config: &SpeechConfig) -> Self {
        let uniform = Init::Uniform { lo: 0.0, up: 1.0 };
        Self {
            vector: path.var("masked_spec_embed", &[config.width], uniform),
            share: config.regularisation.masking,
            time: Spans { length: config.masked_steps, fewest: FEWEST_IN_TIME },
            features: Spans { length: config.masked_features, fewest: 0 },
        }
    }

    /// In which kind the model computes.
    pub fn kind(&self) -> Kind {
        self.vector.kind()
    }

    /// # Shapes
    /// `[B, places, width]` to the same.
    pub fn forward(&self, x: Tensor, train: bool) -> Tensor {
        if !train || self.share == 0.0 {
            return x;
        }
        let (records, places, width) = x.size3().expect("features have three axes");
        let time = self.time.draw([records, places], self.share, x.device());
        let features = self.features.draw([records, width], self.share, x.device());
        let vector = self.vector.to_kind(x.kind());
        vector.where_self(&time.unsqueeze(2), &x).masked_fill(&features.unsqueeze(1), 0.0)
    }
}

/// How an axis is masked.
#[derive(Clone, Copy, Debug)]
pub struct Spans {
    /// Places in each; all there are, if the axis is shorter.
    pub length: i64,
    /// Spans at least, if they fit.
    pub fewest: i64,
}

impl Spans {
    /// Spans that would cover `share` of the axis if none met another, for each record at places of its
    /// own. How many there are is the same for all records of a batch. Draws from libtorch's generators.
    ///
    /// # Shapes
    /// To `[records, size]` booleans.
    pub fn draw(&self, [records, size]: [i64; 2], share: f64, device: Device) -> Tensor {
        let length = self.length.min(size);
        // Rounded up or down by chance, so that a small share is right on average.
        let chance = Tensor::rand([1], (Kind::Float, Device::Cpu)).double_value(&[0]);
        let wanted = (share * size as f64 / length as f64 + chance).floor() as i64;
        let count = wanted.max(self.fewest).min(size / length);
        let order = Tensor::rand([records, size - length + 1], (Kind::Float, device));
        let (_, starts) = order.topk(count, 1, true, false);
        let covered = starts.unsqueeze(2) + Tensor::arange(length, (Kind::Int64, device));
        let nothing = Tensor::zeros([records, size], (Kind::Bool, device));
        nothing.scatter_value(1, &covered.flatten(1, 2), 1)
    }
}
