//! The affine map.

use tch::Tensor;
use tch::nn::{Init, Path};

/// Deviation at which the weights of transformers start.
const TRANSFORMER_STDEV: f64 = 0.02;

/// `x W^T + b`.
pub struct Linear {
    /// `[outputs, inputs]`.
    pub weight: Tensor,
    /// `[outputs]`, where there is one.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Weight and bias start uniform within `1 / sqrt(inputs)`.
    ///
    /// # Source
    /// `torch.nn.Linear.reset_parameters`.
    pub fn new(path: &Path, inputs: i64, outputs: i64) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        Self {
            weight: path.var("weight", &[outputs, inputs], uniform),
            bias: Some(path.var("bias", &[outputs], uniform)),
        }
    }

    /// Weights start normal with deviation 0.02, the bias at 0.
    ///
    /// # Source
    /// `initializer_range` of the transformers library.
    pub fn normal(path: &Path, inputs: i64, outputs: i64) -> Self {
        Self { bias: Some(path.zeros("bias", &[outputs])), ..Self::unbiased(path, inputs, outputs) }
    }

    /// As [`Linear::normal`], without a bias.
    pub fn unbiased(path: &Path, inputs: i64, outputs: i64) -> Self {
        let init = Init::Randn { mean: 0.0, stdev: TRANSFORMER_STDEV };
        Self { weight: path.var("weight", &[outputs, inputs], init), bias: None }
    }

    /// # Shapes
    /// `[…, inputs]` to `[…, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }
}
