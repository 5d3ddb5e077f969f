//! Hiera: a transformer whose tokens grow fewer and wider from stage to stage, over each frame of a clip.
//!
//! # Source
//! Ryali et al., Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles,
//! <https://arxiv.org/abs/2306.00989>, as `transformers.HieraModel`, whose state names it has below
//! `encoder`.

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::{Init, Path};

use super::layers::{
    Blocks, ColourStatistics, Colours, Conv, ConvConfig, LayerNorm, Linear, Start, Window, rising,
};
use super::{Public, Regularisation};
use block::{Block, BlockConfig, STDEV, norm, start_bias};

mod block;

/// Pixels from one token to the next, along each side.
const PATCH_STRIDE: i64 = 4;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct HieraConfig {
    /// Features of the first stage; every later stage doubles them.
    pub width: i64,
    /// Heads of the first stage; every later stage doubles them.
    pub heads: i64,
    /// Blocks per stage. Every stage but the first starts by halving both sides of the picture.
    pub blocks: &'static [usize],
    /// Stages, from the first, whose tokens attend within their unit only. A unit is what the halvings
    /// make one token of.
    pub local_stages: usize,
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Residual branches left out; the rate rises from block to block up to this.
    pub drop_path: f64,
}

impl HieraConfig {
    /// `facebook/hiera-base-224-hf` with two classes: 50.8 M parameters at 224 x 224.
    pub fn base() -> Self {
        Self {
            width: 96,
            heads: 1,
            blocks: &[2, 3, 16, 3],
            local_stages: 2,
            dropout: 0.3,
            drop_path: 0.0,
        }
    }

    /// Every kind of block, narrow and short, for a CPU.
    pub fn tiny() -> Self {
        Self { width: 16, blocks: &[1, 1, 2], ..Self::base() }
    }

    /// Side of a unit, in tokens of the first stage.
    fn unit(&self) -> i64 {
        1 << (self.blocks.len() - 1)
    }

    /// Features of the last stage.
    fn features(&self) -> i64 {
        self.width * self.unit()
    }

    /// Rows and columns of tokens that a picture has at first.
    fn tokens(&self, shape: &[i64]) -> [i64; 2] {
        let side = PATCH_STRIDE * self.unit();
        match *shape {
            [_, 3, height, width] if height % side == 0 && width % side == 0 => {
                [height / PATCH_STRIDE, width / PATCH_STRIDE]
            }
            _ => panic!("Hiera needs T 3 H W, H and W multiples of {side}, not {shape:?}"),
        }
    }
}

/// [`HieraConfig::base`] as a [`super::Model`].
pub fn hiera(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, HieraConfig::base(), rates)
}

/// [`HieraConfig::tiny`] as a [`super::Model`].
pub fn hiera_tiny(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, HieraConfig::tiny(), rates)
}

fn boxed(
    root: &Path,
    shape: &[i64],
    config: HieraConfig,
    Regularisation { dropout, drop_path, .. }: Regularisation,
) -> Box<dyn Detector> {
    Box::new(Hiera::new(root, shape, HieraConfig { dropout, drop_path, ..config }))
}

/// From the names of `facebook/hiera-base-224-hf`. Files with a head, for classes or for pre-training,
/// have the same below `hiera`.
pub fn public(name: &str) -> Public {
    let bare = name.strip_prefix("hiera.").unwrap_or(name);
    match bare.split_once('.') {
        Some(("classifier" | "decoder" | "encoder_norm" | "multiscale_fusion", _)) => {
            Public::Ignored
        }
        Some(("embeddings" | "encoder" | "pooler", _)) => Public::Ours(format!("encoder.{bare}")),
        _ => Public::Unknown,
    }
}

/// The network over the frames of a clip, which weigh alike.
pub struct Hiera {
    colours: Colours,
    encoder: Encoder,
    head: (LayerNorm, Linear),
    dropout: f64,
}

impl Hiera {
    /// Makes the network below `root` for clips of `shape`, with fresh weights.
    ///
    /// # Panics
    /// If `shape` is not `T 3 H W` of whole units (32 x 32 pixels in [`HieraConfig::base`]).
    pub fn new(root: &Path, shape: &[i64], config: HieraConfig) -> Self {
        let (head, features) = (root / "head", config.features());
        Self {
            colours: Colours::new(root, ColourStatistics::IMAGENET, &[1, 3, 1, 1]),
            encoder: Encoder::new(&(root / "encoder"), config.tokens(shape), &config),
            head: (
                LayerNorm::new(&(&head / 0), features, 1e-5),
                Linear::new(&(head / 2), features, 2),
            ),
            dropout: config.dropout,
        }
    }
}

impl Detector for Hiera {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let frames = self.colours.normalize(&input.flatten(0, 1));
        let features = self.encoder.forward(&frames, train);
        let size = input.size();
        let clip = features.view([size[0], size[1], -1]).mean_dim(1, false, features.kind());
        let (norm, linear) = &self.head;
        linear.forward(&norm.forward(&clip).dropout(self.dropout, train))
    }
}

/// From a picture to its features.
struct Encoder {
    patches: Conv<2>,
    positions: Tensor,
    tokens: [i64; 2],
    halvings: usize,
    blocks: Blocks<Block>,
    norm: LayerNorm,
}

impl Encoder {
    fn new(path: &Path, tokens: [i64; 2], config: &HieraConfig) -> Self {
        let embeddings = path / "embeddings";
        let projection = &embeddings / "patch_embeddings" / "projection";
        let window = Window::square(7, PATCH_STRIDE);
        let start = Start::Normal(STDEV);
        let patches = ConvConfig { bias: true, start, ..ConvConfig::same(window) };
        let table = [1, tokens[0] * tokens[1], config.width];
        let start = Init::Randn { mean: 0.0, stdev: STDEV };
        Self {
            patches: start_bias(&projection, Conv::new(&projection, [3, config.width], patches)),
            positions: embeddings.var("position_embeddings", &table, start),
            tokens,
            halvings: config.blocks.len() - 1,
            blocks: blocks(&(path / "encoder" / "stages"), tokens, config),
            norm: norm(&(path / "pooler" / "layernorm"), config.features()),
        }
    }

    /// # Shapes
    /// `[B, 3, H, W]` to `[B, features]`.
    fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let patches = self.patches.forward(pictures).flatten(2, 3).transpose(1, 2);
        let x = self.unroll(&(patches + &self.positions));
        let x = self.blocks.forward(&x, &[], move |block, inputs| block.forward(&inputs[0], train));
        self.norm.forward(&x.mean_dim(1, false, x.kind()))
    }

    /// Orders tokens such that the four quarters of the sequence hold what the first halving makes one
    /// of, the quarters of each what the next makes one of, and so on. What remains are the units.
    ///
    /// # Shapes
    /// `[B, rows * columns, D]` to the same.
    fn unroll(&self, x: &Tensor) -> Tensor {
        let (size, [mut rows, mut columns]) = (x.size(), self.tokens);
        let mut x = x.view([size[0], rows, columns, size[2]]);
        for _ in 0..self.halvings {
            (rows, columns) = (rows / 2, columns / 2);
            let pairs = x.view([-1, rows, 2, columns, 2, size[2]]);
            x = pairs.permute([0, 2, 4, 1, 3, 5]).flatten(0, 2);
        }
        x.reshape(size)
    }
}

fn blocks(stages: &Path, [rows, columns]: [i64; 2], config: &HieraConfig) -> Blocks<Block> {
    let rates = rising(config.drop_path, config.blocks.iter().sum());
    let units = rows * columns / config.unit().pow(2);
    let mut blocks = Vec::new();
    for (stage, &count) in config.blocks.iter().enumerate() {
        for place in 0..count {
            let halves = stage > 0 && place == 0;
            // A block that halves looks at the tokens of the stage before it, and as that one does.
            let looks_as = if halves { stage - 1 } else { stage };
            let outputs = config.width << stage;
            let block = BlockConfig {
                channels: [if halves { outputs / 2 } else { outputs }, outputs],
                heads: config.heads << stage,
                halves,
                units: if looks_as < config.local_stages { units } else { 1 },
                drop_path: rates[blocks.len()],
            };
            blocks.push(Block::new(&(stages / stage / "layers" / place), block));
        }
    }
    blocks.into_iter().collect()
}

#[cfg(test)]
#[path = "hiera_tests.rs"]
mod tests;
