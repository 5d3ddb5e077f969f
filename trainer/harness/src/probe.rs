//! The smallest detector: logistic regression on the mean colour of a coarse grid of cells.

use tch::nn::{self, Init};
use tch::{Kind, Tensor};

use crate::recipe::Detector;

const CELLS: i64 = 4;

/// A linear model on pooled pixels: the default of a recipe that names no model, and a floor that any
/// other should beat.
pub struct Probe {
    weight: Tensor,
    bias: Tensor,
}

impl Probe {
    /// Makes `weight` and `bias` below `root`, at zero: both classes equally likely.
    pub fn new(root: &nn::Path, _shape: &[i64]) -> Self {
        let zero = Init::Const(0.0);
        Self {
            weight: root.var("weight", &[2, 3 * CELLS * CELLS], zero),
            bias: root.var("bias", &[2], zero),
        }
    }
}

impl Detector for Probe {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, _train: bool) -> Tensor {
        let pixels = input.to_kind(Kind::Float) / 127.5 - 1.0;
        let mean_frame = pixels.mean_dim(1, false, Kind::Float);
        let features = mean_frame.adaptive_avg_pool2d([CELLS, CELLS]).flatten(1, -1);
        features.linear(&self.weight, Some(&self.bias))
    }
}
