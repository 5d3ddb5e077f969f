//! Blocks of one resolution, and the way to the next.

use tch::Tensor;
use tch::nn::Path;

use super::windows::{PositionBias, Windows};
use super::{EPSILON, SwinConfig};
use crate::models::layers::{
    Activation, Attention, Blocks, Heads, LayerNorm, Linear, Mlp, drop_path,
};

/// Where a stage stands in the network.
pub struct StageShape {
    /// Rows and columns.
    pub grid: [i64; 2],
    /// Features of each place.
    pub width: i64,
    /// Heads of the attention.
    pub heads: i64,
    /// A rate for each block.
    pub drop_path: Vec<f64>,
    /// Whether no stage follows.
    pub last: bool,
}

/// Blocks, then merging.
pub struct Stage {
    blocks: Blocks<Block>,
    merging: Option<Merging>,
}

impl Stage {
    /// Makes it below `path`, with fresh weights.
    pub fn new(path: &Path, shape: &StageShape, config: &SwinConfig) -> Self {
        let block = |index: usize| Block::new(&(path / "blocks" / index), index, shape, config);
        Self {
            blocks: (0..shape.drop_path.len()).map(block).collect(),
            merging: (!shape.last).then(|| Merging::new(&(path / "downsample"), shape.width)),
        }
    }

    /// # Shapes
    /// `[B, H, W, D]` to `[B, H / 2, W / 2, 2 D]`, both rounded up; to the same in the last stage.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.blocks.forward(x, &[], move |block, inputs| block.forward(&inputs[0], train));
        match &self.merging {
            Some(merging) => merging.forward(&x),
            None => x,
        }
    }
}

/// Attention within windows, then a perceptron.
struct Block {
    norm_before: LayerNorm,
    windows: Windows,
    bias: PositionBias,
    attention: Attention,
    norm_after: LayerNorm,
    mlp: Mlp,
    dropout: f64,
    drop_path: f64,
}

impl Block {
    fn new(path: &Path, index: usize, shape: &StageShape, config: &SwinConfig) -> Self {
        let attention = path / "attention";
        let shifted = index % 2 == 1;
        let windows = Windows::new(shape.grid, config.window, shifted, path.device());
        Self {
            norm_before: LayerNorm::new(&(path / "layernorm_before"), shape.width, EPSILON),
            bias: PositionBias::new(&(&attention / "self"), windows.side, shape.heads),
            windows,
            attention: self_attention(&attention, shape),
            norm_after: LayerNorm::new(&(path / "layernorm_after"), shape.width, EPSILON),
            mlp: mlp(path, shape.width, shape.width * config.mlp_ratio),
            dropout: config.regularisation.hidden_dropout,
            drop_path: shape.drop_path[index],
        }
    }

    /// # Shapes
    /// `[B, H, W, D]` to the same.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let inner = self.windows.cut(&self.norm_before.forward(x));
        let bias = self.windows.close(&self.bias.forward(), x.size()[0]);
        let inner = self.windows.join(&self.attention.forward(&inner, Some(&bias), train));
        let x = x + self.disturb(&inner, train);
        let inner = self.mlp.forward(&self.norm_after.forward(&x));
        &x + self.disturb(&inner, train)
    }

    fn disturb(&self, branch: &Tensor, train: bool) -> Tensor {
        drop_path(branch.dropout(self.dropout, train), self.drop_path, train)
    }
}

fn self_attention(path: &Path, shape: &StageShape) -> Attention {
    let map = |name: &str| Linear::normal(&(path / "self" / name), shape.width, shape.width);
    Attention {
        query: map("query"),
        key: map("key"),
        value: map("value"),
        output: Linear::normal(&(path / "output" / "dense"), shape.width, shape.width),
        heads: Heads { count: shape.heads, dropout: 0.0 },
    }
}

fn mlp(path: &Path, width: i64, inner: i64) -> Mlp {
    Mlp {
        first: Linear::normal(&(path / "intermediate" / "dense"), width, inner),
        second: Linear::normal(&(path / "output" / "dense"), inner, width),
        activation: Activation::Gelu,
    }
}

/// Four neighbours become one place of twice the features.
struct Merging {
    norm: LayerNorm,
    reduction: Linear,
}

impl Merging {
    fn new(path: &Path, width: i64) -> Self {
        Self {
            norm: LayerNorm::new(&(path / "norm"), 4 * width, EPSILON),
            reduction: Linear::unbiased(&(path / "reduction"), 4 * width, 2 * width),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let even = x.constant_pad_nd([0, 0, 0, size[2] % 2, 0, size[1] % 2]);
        let every_second =
            |row: i64, column: i64| even.slice(1, row, None, 2).slice(2, column, None, 2);
        // Column by column: the order of the checkpoint's weights.
        let neighbours =
            [[0, 0], [1, 0], [0, 1], [1, 1]].map(|[row, column]| every_second(row, column));
        self.reduction.forward(&self.norm.forward(&Tensor::cat(&neighbours, -1)))
    }
}
