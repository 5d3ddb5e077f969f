//! Swin: a transformer over a picture's patches whose attention stays within windows, and whose windows
//! move by half their size from block to block.
//!
//! # Source
//! Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows,
//! <https://arxiv.org/abs/2103.14030>, as `SwinModel` of the transformers library, whose state names it has
//! below `swin`.

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::Path;

use super::layers::{ColourStatistics, Colours, Conv, ConvConfig, LayerNorm, Linear, rising};
use super::{Public, Regularisation};
use stage::{Stage, StageShape};

mod stage;
mod windows;

const EPSILON: f64 = 1e-5;

/// Blocks of one resolution.
#[derive(Clone, Copy, Debug)]
pub struct SwinStage {
    /// How many; every second one has shifted windows.
    pub blocks: usize,
    /// Heads of the attention of each.
    pub heads: i64,
}

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct SwinConfig {
    /// Side of a patch, in pixels.
    pub patch: i64,
    /// Features of a patch in the first stage; each later stage doubles them and halves both axes.
    pub width: i64,
    /// Stages, from fine to coarse.
    pub stages: &'static [SwinStage],
    /// Side of a window, in patches; a grid that is smaller is one window.
    pub window: i64,
    /// Width of a perceptron's inner layer, as a multiple of the features.
    pub mlp_ratio: i64,
    /// What disturbs it in training.
    pub regularisation: Regularisation,
}

impl SwinConfig {
    /// Swin-B with windows of 7, as of `Smogy/SMOGY-Ai-images-detector`: 86.7 M parameters. The library
    /// drops paths at 0.1.
    pub fn smogy(regularisation: Regularisation) -> Self {
        Self {
            patch: 4,
            width: 128,
            stages: &[
                SwinStage { blocks: 2, heads: 4 },
                SwinStage { blocks: 2, heads: 8 },
                SwinStage { blocks: 18, heads: 16 },
                SwinStage { blocks: 2, heads: 32 },
            ],
            window: 7,
            mlp_ratio: 4,
            regularisation,
        }
    }

    /// Narrow and shallow, for small pictures on a CPU.
    pub fn tiny(regularisation: Regularisation) -> Self {
        Self {
            patch: 4,
            width: 16,
            stages: &[SwinStage { blocks: 2, heads: 2 }, SwinStage { blocks: 2, heads: 4 }],
            window: 4,
            mlp_ratio: 2,
            regularisation,
        }
    }
}

/// [`SwinConfig::smogy`] as a [`super::Model`].
pub fn smogy(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Swin::new(root, shape, SwinConfig::smogy(regularisation)))
}

/// [`SwinConfig::tiny`] as a [`super::Model`].
pub fn tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Swin::new(root, shape, SwinConfig::tiny(regularisation)))
}

/// From the names of a `SwinForImageClassification`; its classifier is of other classes.
pub fn public(name: &str) -> Public {
    let parts: Vec<&str> = name.splitn(3, '.').collect();
    match parts.as_slice() {
        ["classifier", ..] | ["swin", "embeddings", "mask_token"] => Public::Ignored,
        ["swin", "embeddings" | "encoder" | "layernorm", _] => Public::Ours(name.to_owned()),
        _ => Public::Unknown,
    }
}

/// The network.
pub struct Swin {
    colours: Colours,
    patches: Patches,
    stages: Vec<Stage>,
    norm: LayerNorm,
    head: Linear,
    dropout: f64,
}

impl Swin {
    /// Makes the network below `root`, with fresh weights, for pictures of `shape` (`3 H W`).
    ///
    /// # Panics
    /// If `shape` is not that of a picture.
    pub fn new(root: &Path, shape: &[i64], config: SwinConfig) -> Self {
        let &[3, height @ 1..=i64::MAX, width @ 1..=i64::MAX] = shape else {
            panic!("Swin takes pictures of shape [3, H, W], not {shape:?}")
        };
        let swin = root / "swin";
        let grid = [height, width].map(|side| (side + config.patch - 1) / config.patch);
        let features = config.width << (config.stages.len() - 1);
        Self {
            colours: Colours::new(root, ColourStatistics::IMAGENET, &[1, 3, 1, 1]),
            patches: Patches::new(&(&swin / "embeddings"), &config),
            stages: stages(&(&swin / "encoder" / "layers"), grid, &config),
            norm: LayerNorm::new(&(&swin / "layernorm"), features, EPSILON),
            head: Linear::new(&(root / "head" / 1), features, 2),
            dropout: config.regularisation.dropout,
        }
    }
}

fn stages(path: &Path, mut grid: [i64; 2], config: &SwinConfig) -> Vec<Stage> {
    let blocks: usize = config.stages.iter().map(|stage| stage.blocks).sum();
    let mut rates = rising(config.regularisation.drop_path, blocks).into_iter();
    let mut stages = Vec::new();
    for (index, stage) in config.stages.iter().enumerate() {
        let shape = StageShape {
            grid,
            width: config.width << index,
            heads: stage.heads,
            drop_path: rates.by_ref().take(stage.blocks).collect(),
            last: index + 1 == config.stages.len(),
        };
        stages.push(Stage::new(&(path / index), &shape, config));
        grid = grid.map(|side| (side + 1) / 2);
    }
    stages
}

impl Detector for Swin {
    /// # Shapes
    /// `[B,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let patches = self.patches.forward(&self.colours.normalize(input));
        let hidden = patches.dropout(self.patches.dropout, train);
        let hidden = self.stages.iter().fold(hidden, |x, stage| stage.forward(&x, train));
        let features = self.norm.forward(&hidden).mean_dim(&[1i64, 2][..], false, None);
        self.head.forward(&features.dropout(self.dropout, train))
    }
}

/// From colours to the grid of patches.
struct Patches {
    projection: Conv<2>,
    norm: LayerNorm,
    side: i64,
    dropout: f64,
}

impl Patches {
    fn new(path: &Path, config: &SwinConfig) -> Self {
        let projection = path / "patch_embeddings" / "projection";
        let side = config.patch;
        Self {
            projection: Conv::new(&projection, [3, config.width], ConvConfig::patches([side; 2])),
            norm: LayerNorm::new(&(path / "norm"), config.width, EPSILON),
            side,
            dropout: config.regularisation.hidden_dropout,
        }
    }

    /// # Shapes
    /// `[B, 3, H, W]` to `[B, H / side, W / side, D]`, both rounded up: zeros stand beyond the edge.
    fn forward(&self, x: &Tensor) -> Tensor {
        let size = x.size();
        let missing = |side: i64| (self.side - side % self.side) % self.side;
        let padded = x.constant_pad_nd([0, missing(size[3]), 0, missing(size[2])]);
        self.norm.forward(&self.projection.forward(&padded).permute([0, 2, 3, 1]))
    }
}

#[cfg(test)]
#[path = "swin_tests.rs"]
mod tests;
