//! Blocks of the transformer.

use tch::Tensor;
use tch::nn::Path;

use super::SpeechConfig;
use crate::models::layers::{Activation, Attention, LayerNorm, Linear, Mlp, drop_path};

/// Epsilon of the transformer's norms.
pub(super) const EPSILON: f64 = 1e-5;

/// Where blocks normalise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormOrder {
    /// After each residual sum.
    Last,
    /// Before each branch, and once after the last block.
    First,
}

/// Attention from places to places of the same sound.
pub trait SelfAttention: Send + 'static {
    /// `bias` is known of the places before the input is.
    ///
    /// # Shapes
    /// `[B,L,D]` to the same.
    fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor;
}

impl SelfAttention for Attention {
    fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        Attention::forward(self, x, bias, train)
    }
}

/// Attention and perceptron, each a residual branch.
///
/// In training a branch may be left out of a record: the library leaves whole blocks out of a batch.
pub struct Block<A> {
    attention: A,
    layer_norm: LayerNorm,
    feed_forward: Mlp,
    final_layer_norm: LayerNorm,
    order: NormOrder,
    dropout: f64,
    drop_path: f64,
}

impl<A: SelfAttention> Block<A> {
    /// Makes it below `path`, with fresh weights; `drop_path` is the rate of this block.
    pub fn new(path: &Path, config: &SpeechConfig, attention: A, drop_path: f64) -> Self {
        let norm = |name: &str| LayerNorm::new(&(path / name), config.width, EPSILON);
        let inner = path / "feed_forward";
        Self {
            attention,
            layer_norm: norm("layer_norm"),
            feed_forward: Mlp {
                first: Linear::normal(&(&inner / "intermediate_dense"), config.width, config.mlp),
                second: Linear::normal(&(&inner / "output_dense"), config.mlp, config.width),
                activation: Activation::Gelu,
            },
            final_layer_norm: norm("final_layer_norm"),
            order: config.order,
            dropout: config.regularisation.hidden_dropout,
            drop_path,
        }
    }

    /// # Shapes
    /// `[B,L,D]` to the same.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        let attend = |x: &Tensor| self.disturb(&self.attention.forward(x, bias, train), train);
        let think = |x: &Tensor| self.disturb(&self.feed_forward.forward(x), train);
        match self.order {
            NormOrder::Last => {
                let x = self.layer_norm.forward(&(x + attend(x)));
                self.final_layer_norm.forward(&(&x + think(&x)))
            }
            NormOrder::First => {
                let x = x + attend(&self.layer_norm.forward(x));
                &x + think(&self.final_layer_norm.forward(&x))
            }
        }
    }

    fn disturb(&self, branch: &Tensor, train: bool) -> Tensor {
        drop_path(branch.dropout(self.dropout, train), self.drop_path, train)
    }
}
