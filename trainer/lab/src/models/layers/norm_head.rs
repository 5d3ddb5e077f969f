//! From a record's features to its logits.

use tch::Tensor;
use tch::nn::Path;

use super::{LayerNorm, Linear};

/// Norm, dropout and a linear map to two logits, named `0` and `2` as in a `torch.nn.Sequential`.
pub struct NormHead {
    norm: LayerNorm,
    linear: Linear,
    dropout: f64,
}

impl NormHead {
    /// Makes it below `path` for so many `features`.
    pub fn new(path: &Path, features: i64, dropout: f64) -> Self {
        Self {
            norm: LayerNorm::new(&(path / 0), features, 1e-5),
            linear: Linear::new(&(path / 2), features, 2),
            dropout,
        }
    }

    /// # Shapes
    /// `[B, features]` to `[B, 2]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.linear.forward(&self.norm.forward(x).dropout(self.dropout, train))
    }
}
