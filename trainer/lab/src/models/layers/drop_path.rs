//! Leaving out whole branches of single records (stochastic depth).

use tch::{Kind, Tensor};

/// A residual branch, left out of each record with probability `rate` in training and scaled up elsewhere
/// so that its mean stays. Draws from libtorch's generator.
///
/// # Shapes
/// `[B, …]` to the same.
///
/// # Source
/// Huang et al., Deep Networks with Stochastic Depth, <https://arxiv.org/abs/1603.09382>.
pub fn drop_path(branch: Tensor, rate: f64, train: bool) -> Tensor {
    if rate == 0.0 || !train {
        return branch;
    }
    let mut shape = vec![1; branch.dim()];
    shape[0] = branch.size()[0];
    let keep = 1.0 - rate;
    let kept = Tensor::full(&shape, keep, (Kind::Float, branch.device())).bernoulli() / keep;
    &branch * kept.to_kind(branch.kind())
}

/// Rates of `count` blocks, rising evenly from 0 to `last`.
pub fn rising(last: f64, count: usize) -> Vec<f64> {
    let steps = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|block| last * block as f64 / steps).collect()
}
