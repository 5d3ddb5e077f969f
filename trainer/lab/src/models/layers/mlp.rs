//! The two-layer perceptron of transformers.

use tch::Tensor;

use super::Linear;

/// What stands between the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Exact GELU.
    Gelu,
    /// `x * sigmoid(1.702 x)`, as in CLIP.
    QuickGelu,
}

impl Activation {
    /// # Shapes
    /// Any to the same.
    pub fn forward(self, x: &Tensor) -> Tensor {
        match self {
            Self::Gelu => x.gelu("none"),
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
        }
    }
}

/// `second(activation(first(x)))`.
pub struct Mlp {
    /// To the wide layer.
    pub first: Linear,
    /// Back.
    pub second: Linear,
    /// Between them.
    pub activation: Activation,
}

impl Mlp {
    /// # Shapes
    /// `[…, D]` to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.second.forward(&self.activation.forward(&self.first.forward(x)))
    }
}
