//! The block of vision transformers.

use tch::Tensor;

use super::{Attention, LayerNorm, Mlp, drop_path};

/// A block of two residual branches, attention and perceptron, each with its norm in front.
///
/// # Source
/// Dosovitskiy et al., An Image is Worth 16x16 Words, <https://arxiv.org/abs/2010.11929>.
pub struct PreNormBlock {
    /// In front of the attention and of the perceptron.
    pub norms: [LayerNorm; 2],
    /// The first branch.
    pub attention: Attention,
    /// The second branch.
    pub mlp: Mlp,
    /// Factors of each branch's features, where there are any.
    pub scales: Option<[Tensor; 2]>,
    /// Dropout at the end of each branch.
    pub dropout: [f64; 2],
    /// How often a record goes without a branch in training.
    pub drop_path: f64,
}

impl PreNormBlock {
    /// # Shapes
    /// `[B, L, D]` to the same.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let seen = self.attention.forward(&self.norms[0].forward(x), None, train);
        let x = x + self.finish(&seen, 0, train);
        let thought = self.mlp.forward(&self.norms[1].forward(&x));
        x + self.finish(&thought, 1, train)
    }

    fn finish(&self, branch: &Tensor, index: usize, train: bool) -> Tensor {
        let kept = branch.dropout(self.dropout[index], train);
        let scaled = match &self.scales {
            Some(scales) => kept * &scales[index],
            None => kept,
        };
        drop_path(scaled, self.drop_path, train)
    }
}

#[cfg(test)]
#[path = "pre_norm_tests.rs"]
mod tests;
