//! Normalisations.

use tch::nn::Path;
use tch::{Kind, Tensor};

/// Batch normalisation over all but the channel axis.
///
/// # Source
/// `torch.nn.BatchNorm3d`: epsilon 1e-5, momentum 0.1, scale starts at 1.
pub struct BatchNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    pub(super) running_mean: Tensor,
    running_var: Tensor,
    pub(super) num_batches_tracked: Tensor,
}

impl BatchNorm {
    /// Five state tensors below `path`, of which two are trained.
    pub fn new(path: &Path, channels: i64) -> Self {
        let zero = Tensor::zeros([0i64; 0], (Kind::Int64, path.device()));
        Self {
            weight: path.ones("weight", &[channels]),
            bias: path.zeros("bias", &[channels]),
            running_mean: path.zeros_no_train("running_mean", &[channels]),
            running_var: path.ones_no_train("running_var", &[channels]),
            num_batches_tracked: path.add("num_batches_tracked", zero, false),
        }
    }

    /// # Shapes
    /// `[B, channels, …]` to the same.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if train {
            let _ = self.num_batches_tracked.shallow_clone().g_add_scalar_(1);
        }
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            0.1,
            1e-5,
            true,
        )
    }
}

/// Normalisation over the last axis, for each place by itself.
///
/// # Source
/// `torch.nn.LayerNorm`.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    /// Scale starts at 1, shift at 0.
    pub fn new(path: &Path, features: i64, epsilon: f64) -> Self {
        let weight = path.ones("weight", &[features]);
        Self { weight, bias: path.zeros("bias", &[features]), epsilon }
    }

    /// # Shapes
    /// `[…, features]` to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.epsilon, true)
    }
}

/// Normalisation of each record's channels in groups, over all other axes.
///
/// # Source
/// `torch.nn.GroupNorm`, epsilon 1e-5.
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: i64,
}

impl GroupNorm {
    /// Scale starts at 1, shift at 0.
    pub fn new(path: &Path, groups: i64, channels: i64) -> Self {
        let weight = path.ones("weight", &[channels]);
        Self { weight, bias: path.zeros("bias", &[channels]), groups }
    }

    /// # Shapes
    /// `[B, channels, …]` to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), 1e-5, true)
    }
}
