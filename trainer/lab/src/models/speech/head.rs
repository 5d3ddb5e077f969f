//! From the mean of a sound's features to both logits.

use tch::Tensor;
use tch::nn::Path;

use crate::models::layers::{LayerNorm, Linear};

/// Features between the layers.
const WIDTH: i64 = 256;

/// Norm, layer, GELU, layer, with dropout before both layers. The names count dropout and GELU.
pub struct Head {
    norm: LayerNorm,
    first: Linear,
    second: Linear,
    dropout: f64,
}

impl Head {
    /// Makes it below `path`, with fresh weights.
    pub fn new(path: &Path, features: i64, dropout: f64) -> Self {
        Self {
            norm: LayerNorm::new(&(path / 0), features, 1e-5),
            first: Linear::new(&(path / 2), features, WIDTH),
            second: Linear::new(&(path / 5), WIDTH, 2),
            dropout,
        }
    }

    /// # Shapes
    /// `[B, features]` to `[B,2]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let normal = self.norm.forward(x).dropout(self.dropout, train);
        let wide = self.first.forward(&normal).gelu("none").dropout(self.dropout, train);
        self.second.forward(&wide)
    }
}
