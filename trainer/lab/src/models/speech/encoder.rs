//! The transformer.

use tch::Tensor;
use tch::nn::Path;

use super::block::EPSILON;
use super::{Block, NormOrder, PositionalConv, SelfAttention, SpeechConfig};
use crate::models::layers::{Blocks, LayerNorm, rising};

/// Blocks over features that know their places.
pub struct Encoder<A> {
    positions: PositionalConv,
    norm: LayerNorm,
    blocks: Blocks<Block<A>>,
    order: NormOrder,
    dropout: f64,
}

impl<A: SelfAttention> Encoder<A> {
    /// Makes it below `path`, with fresh weights; `attention` makes that of one block.
    pub fn new(path: &Path, config: &SpeechConfig, attention: impl Fn(&Path) -> A) -> Self {
        let layers = path / "layers";
        let rates = rising(config.regularisation.drop_path, config.blocks);
        let block = |(index, rate)| {
            let path = &layers / index;
            Block::new(&path, config, attention(&(&path / "attention")), rate)
        };
        Self {
            positions: PositionalConv::new(&(path / "pos_conv_embed" / "conv"), config),
            norm: LayerNorm::new(&(path / "layer_norm"), config.width, EPSILON),
            blocks: rates.into_iter().enumerate().map(block).collect(),
            order: config.order,
            dropout: config.regularisation.hidden_dropout,
        }
    }

    /// # Shapes
    /// `[B, places, width]` to the same.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>, train: bool) -> Tensor {
        let placed = x + self.positions.forward(x);
        let start = match self.order {
            NormOrder::Last => self.norm.forward(&placed),
            NormOrder::First => placed,
        };
        let x = start.dropout(self.dropout, train);
        let x = self.blocks.forward(&x, bias.as_slice(), move |block, inputs| {
            block.forward(&inputs[0], inputs.get(1), train)
        });
        match self.order {
            NormOrder::Last => x,
            NormOrder::First => self.norm.forward(&x),
        }
    }
}
