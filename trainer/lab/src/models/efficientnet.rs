//! EfficientNet: inverted residuals over a picture, scaled in width and depth at once.
//!
//! # Source
//! Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks,
//! <https://arxiv.org/abs/1905.11946>, as `timm.models.efficientnet.EfficientNet`, whose state names it
//! has below `backbone`: symmetric padding, unlike the variants ported from TensorFlow (`tf_…`).

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::Path;

use super::layers::{ColourStatistics, Colours, ConvConfig, Linear, Window};
use super::{Public, Regularisation};
use block::{Block, BlockConfig, Unit};

mod block;

/// Shape of the network. Channels and blocks are counted before scaling.
#[derive(Clone, Copy, Debug)]
pub struct EfficientNetConfig {
    /// What channels are multiplied by.
    pub width: f64,
    /// What the blocks of each stage are multiplied by.
    pub depth: f64,
    /// Channels of the first convolution.
    pub stem: i64,
    /// From the stem on.
    pub stages: &'static [Stage],
    /// Channels of the last convolution, which are averaged over the picture.
    pub features: i64,
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Residual branches left out; the rate rises from block to block towards this.
    pub drop_path: f64,
}

/// Blocks with the same number of channels. The first of them has the stride.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Number of blocks.
    pub blocks: usize,
    /// Side of the depthwise kernels.
    pub kernel: i64,
    /// Step of the first block.
    pub stride: i64,
    /// How many times wider a block is inside than at its start; 1 leaves out the widening convolution.
    pub expansion: i64,
    /// Channels given.
    pub channels: i64,
}

/// Those of EfficientNet-B0, which all its siblings scale.
#[rustfmt::skip]
const STAGES: [Stage; 7] = [
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
    Stage { blocks: 2, kernel: 3, stride: 2, expansion: 6, channels: 24 },
    Stage { blocks: 2, kernel: 5, stride: 2, expansion: 6, channels: 40 },
    Stage { blocks: 3, kernel: 3, stride: 2, expansion: 6, channels: 80 },
    Stage { blocks: 3, kernel: 5, stride: 1, expansion: 6, channels: 112 },
    Stage { blocks: 4, kernel: 5, stride: 2, expansion: 6, channels: 192 },
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 6, channels: 320 },
];

#[rustfmt::skip]
const TINY_STAGES: [Stage; 2] = [
    Stage { blocks: 1, kernel: 3, stride: 1, expansion: 1, channels: 16 },
    Stage { blocks: 2, kernel: 5, stride: 2, expansion: 4, channels: 24 },
];

impl EfficientNetConfig {
    /// timm's `efficientnet_b4` with two classes: 17.6 M parameters.
    pub fn b4() -> Self {
        Self::scaled(1.4, 1.8)
    }

    /// timm's `efficientnet_b5` with two classes: 28.3 M parameters.
    pub fn b5() -> Self {
        Self::scaled(1.6, 2.2)
    }

    /// timm's `efficientnet_b7` with two classes: 63.8 M parameters.
    pub fn b7() -> Self {
        Self::scaled(2.0, 3.1)
    }

    /// Every kind of block, narrow and short, for a CPU.
    pub fn tiny() -> Self {
        Self { stem: 16, stages: &TINY_STAGES, features: 48, ..Self::scaled(1.0, 1.0) }
    }

    fn scaled(width: f64, depth: f64) -> Self {
        Self {
            width,
            depth,
            stem: 32,
            stages: &STAGES,
            features: 1280,
            dropout: 0.3,
            drop_path: 0.0,
        }
    }

    /// `count` channels times the width, to the nearest multiple of 8 that takes away no tenth.
    fn channels(&self, count: i64) -> i64 {
        let scaled = count as f64 * self.width;
        let nearest = (((scaled + 4.0) as i64) / 8 * 8).max(8);
        if (nearest as f64) < 0.9 * scaled { nearest + 8 } else { nearest }
    }

    /// Blocks of a stage.
    fn blocks(&self, stage: &Stage) -> usize {
        (stage.blocks as f64 * self.depth).ceil() as usize
    }
}

/// [`EfficientNetConfig::b4`] as a [`super::Model`].
pub fn efficientnet_b4(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, EfficientNetConfig::b4(), rates)
}

/// [`EfficientNetConfig::b5`] as a [`super::Model`].
pub fn efficientnet_b5(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, EfficientNetConfig::b5(), rates)
}

/// [`EfficientNetConfig::b7`] as a [`super::Model`].
pub fn efficientnet_b7(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, EfficientNetConfig::b7(), rates)
}

/// [`EfficientNetConfig::tiny`] as a [`super::Model`].
pub fn efficientnet_tiny(root: &Path, shape: &[i64], rates: Regularisation) -> Box<dyn Detector> {
    boxed(root, shape, EfficientNetConfig::tiny(), rates)
}

fn boxed(
    root: &Path,
    shape: &[i64],
    config: EfficientNetConfig,
    Regularisation { dropout, drop_path, .. }: Regularisation,
) -> Box<dyn Detector> {
    Box::new(EfficientNet::new(root, shape, EfficientNetConfig { dropout, drop_path, ..config }))
}

/// From the names of timm's files, such as `efficientnet_b4.ra2_in1k`; their last layer knows ImageNet.
pub fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("classifier", _)) => Public::Ignored,
        Some(("conv_stem" | "bn1" | "blocks" | "conv_head" | "bn2", _)) => {
            Public::Ours(format!("backbone.{name}"))
        }
        _ => Public::Unknown,
    }
}

/// The network over colours.
pub struct EfficientNet {
    colours: Colours,
    stem: Unit,
    blocks: Vec<Block>,
    last: Unit,
    head: Linear,
    dropout: f64,
}

impl EfficientNet {
    /// Makes the network below `root`, with fresh weights.
    ///
    /// # Panics
    /// If `shape` is not `3 H W`.
    pub fn new(root: &Path, shape: &[i64], config: EfficientNetConfig) -> Self {
        assert!(matches!(shape, [3, _, _]), "EfficientNet needs pictures of 3 H W, not {shape:?}");
        let backbone = root / "backbone";
        let unit = |names, channels, kernel, stride| {
            Unit::new(&backbone, names, channels, ConvConfig::same(Window::square(kernel, stride)))
        };
        let features = config.channels(config.features);
        let widest = config.stages.last().map_or(config.stem, |stage| stage.channels);
        Self {
            colours: Colours::new(root, ColourStatistics::IMAGENET, &[1, 3, 1, 1]),
            stem: unit(["conv_stem", "bn1"], [3, config.channels(config.stem)], 3, 2),
            blocks: blocks(&(&backbone / "blocks"), &config),
            last: unit(["conv_head", "bn2"], [config.channels(widest), features], 1, 1),
            head: Linear::new(&(root / "head" / 1), features, 2),
            dropout: config.dropout,
        }
    }
}

fn blocks(path: &Path, config: &EfficientNetConfig) -> Vec<Block> {
    let total: usize = config.stages.iter().map(|stage| config.blocks(stage)).sum();
    let mut blocks = Vec::new();
    let mut inputs = config.channels(config.stem);
    for (index, stage) in config.stages.iter().enumerate() {
        let outputs = config.channels(stage.channels);
        for place in 0..config.blocks(stage) {
            let block = BlockConfig {
                channels: [inputs, outputs],
                window: Window::square(stage.kernel, if place == 0 { stage.stride } else { 1 }),
                expansion: stage.expansion,
                // As timm: the last block stays a step below the full rate.
                drop_path: config.drop_path * blocks.len() as f64 / total as f64,
            };
            blocks.push(Block::new(&(path / index / place), block));
            inputs = outputs;
        }
    }
    blocks
}

impl Detector for EfficientNet {
    /// # Shapes
    /// `[B,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let mut x = self.stem.forward(&self.colours.normalize(input), train).silu();
        for block in &self.blocks {
            x = block.forward(&x, train);
        }
        let x = self.last.forward(&x, train).silu();
        let features = x.mean_dim(&[2i64, 3][..], false, x.kind());
        self.head.forward(&features.dropout(self.dropout, train))
    }
}

#[cfg(test)]
#[path = "efficientnet_tests.rs"]
mod tests;
