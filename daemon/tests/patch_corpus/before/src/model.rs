//! A small detector.

use crate::layers::{Conv, Linear};

/// Rate of the optimiser.
pub const RATE: f64 = 1e-3; // knob: 3e-4 | 1e-3 | 3e-3
/// Share of values that are dropped in training.
pub const DROPOUT: f64 = 0.1; // knob: 0.0 | 0.1 | 0.3

/// What is trained.
pub struct Model {
    stem: Conv,
    middle: Conv,
    head: Linear,
}

impl Model {
    /// A new one.
    pub fn new(width: i64) -> Self {
        Self {
            stem: Conv::new(3, width),
            middle: Conv::new(width, width),
            head: Linear::new(width, 2),
        }
    }

    fn features(&self, x: &Tensor) -> Tensor {
        let x = self.stem.forward(x).relu();
        let x = self.middle.forward(&x).relu();
        x.mean_dim([2, 3])
    }

    /// Two logits for each record.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.features(x);
        let x = x.dropout(DROPOUT, train);
        self.head.forward(&x)
    }
}
