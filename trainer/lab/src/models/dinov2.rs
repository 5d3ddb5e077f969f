//! DINOv2: a vision transformer that was trained on pictures alone.
//!
//! # Source
//! Oquab et al., DINOv2: Learning Robust Visual Features without Supervision,
//! <https://arxiv.org/abs/2304.07193>, as in transformers' `Dinov2Model`, whose state names this has. Its
//! `mask_token` is for pre-training only and left out.

use dfr_harness::recipe::Detector;
use tch::nn::{Init, Path};
use tch::{Kind, Tensor};

use super::layers::{
    Activation, Attention, Blocks, ColourStatistics, Colours, Conv, ConvConfig, Heads, LayerNorm,
    Linear, Mlp, NormHead, PreNormBlock, rising,
};
use super::{Public, Regularisation};

const EPSILON: f64 = 1e-6;
const STDEV: f64 = 0.02;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct Dinov2Config {
    /// Pixels along each side of a patch.
    pub patch: i64,
    /// Patches along each side of the table of positions; other pictures get it resized.
    pub grid: i64,
    /// Features of each place.
    pub width: i64,
    /// Features inside of the perceptrons.
    pub mlp_width: i64,
    /// Blocks.
    pub blocks: usize,
    /// Heads of attention.
    pub heads: i64,
    /// Where the factors of the branches start.
    pub layer_scale: f64,
    /// Noise in training. (The library has one rate of drop path for all blocks; here it rises.)
    pub regularisation: Regularisation,
}

impl Dinov2Config {
    /// `facebook/dinov2-base` with two classes: 86.6 M parameters. The file was trained on pictures of
    /// 518 x 518 pixels.
    pub fn base() -> Self {
        Self {
            patch: 14,
            grid: 37,
            width: 768,
            mlp_width: 3072,
            blocks: 12,
            heads: 12,
            layer_scale: 1.0,
            regularisation: Regularisation { dropout: 0.2, ..Regularisation::NONE },
        }
    }

    /// The same network, narrow and short, for a CPU; made for pictures of 32 x 32 pixels.
    pub fn tiny() -> Self {
        let (patch, grid, width, mlp_width) = (8, 4, 32, 64);
        Self { patch, grid, width, mlp_width, blocks: 2, heads: 2, ..Self::base() }
    }
}

/// [`Dinov2Config::base`] as a [`super::Model`].
pub fn base(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Dinov2::new(root, shape, Dinov2Config { regularisation, ..Dinov2Config::base() }))
}

/// [`Dinov2Config::tiny`] as a [`super::Model`].
pub fn tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Dinov2::new(root, shape, Dinov2Config { regularisation, ..Dinov2Config::tiny() }))
}

/// From the names of the file of `facebook/dinov2-base`.
pub fn public(name: &str) -> Public {
    if name == "embeddings.mask_token" {
        return Public::Ignored;
    }
    match name.split_once('.') {
        Some(("embeddings" | "encoder" | "layernorm", _)) => {
            Public::Ours(format!("backbone.{name}"))
        }
        _ => Public::Unknown,
    }
}

/// The network.
pub struct Dinov2 {
    colours: Colours,
    patches: Conv<2>,
    class: Tensor,
    positions: Tensor,
    blocks: Blocks<PreNormBlock>,
    norm: LayerNorm,
    head: NormHead,
    config: Dinov2Config,
}

impl Dinov2 {
    /// Makes the network below `root`, with fresh weights. It takes pictures of other sizes than `shape` too.
    ///
    /// # Panics
    /// If `shape` is not `3 H W` with at least one patch.
    pub fn new(root: &Path, shape: &[i64], config: Dinov2Config) -> Self {
        check_shape(shape, config.patch);
        let (backbone, width) = (root / "backbone", config.width);
        let embeddings = &backbone / "embeddings";
        let table = |name: &str, rows: i64| {
            embeddings.var(name, &[1, rows, width], Init::Randn { mean: 0.0, stdev: STDEV })
        };
        Self {
            colours: Colours::new(root, ColourStatistics::IMAGENET, &[1, 3, 1, 1]),
            patches: Conv::new(
                &(&embeddings / "patch_embeddings" / "projection"),
                [3, width],
                ConvConfig::patches([config.patch; 2]),
            ),
            class: table("cls_token", 1),
            positions: table("position_embeddings", 1 + config.grid * config.grid),
            blocks: blocks(&(&backbone / "encoder" / "layer"), &config),
            norm: LayerNorm::new(&(&backbone / "layernorm"), width, EPSILON),
            head: NormHead::new(&(root / "head"), width, config.regularisation.dropout),
            config,
        }
    }

    /// # Shapes
    /// `[B,3,H,W]` normalised to `[B,1+patches,width]`, the class first.
    fn embed(&self, x: &Tensor, train: bool) -> Tensor {
        let patches = self.patches.forward(x);
        let positions = self.positions_of([patches.size()[2], patches.size()[3]]);
        let class = self.class.expand([x.size()[0], -1, -1], false);
        let tokens = Tensor::cat(&[class, patches.flatten(2, 3).transpose(1, 2)], 1);
        (tokens + positions).dropout(self.config.regularisation.hidden_dropout, train)
    }

    /// The table, resized to `size` rows and columns of patches.
    ///
    /// The library resizes in float32 whatever the weights are; so does this, or they would differ in float64.
    fn positions_of(&self, size: [i64; 2]) -> Tensor {
        let (grid, width) = (self.config.grid, self.config.width);
        if size == [grid; 2] {
            return self.positions.shallow_clone();
        }
        let table = self.positions.narrow(1, 1, grid * grid).view([1, grid, grid, width]);
        let planes = table.permute([0, 3, 1, 2]).to_kind(Kind::Float);
        let resized = planes.upsample_bicubic2d(size, false, None, None);
        let rows = resized.to_kind(self.positions.kind()).flatten(2, 3).transpose(1, 2);
        Tensor::cat(&[self.positions.narrow(1, 0, 1), rows], 1)
    }
}

impl Detector for Dinov2 {
    /// # Shapes
    /// `[B,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let x = self.embed(&self.colours.normalize(input), train);
        let x = self.blocks.forward(&x, &[], move |block, inputs| block.forward(&inputs[0], train));
        self.head.forward(&self.norm.forward(&x.select(1, 0)), train)
    }
}

fn check_shape(shape: &[i64], patch: i64) {
    let &[3, height, width] = shape else {
        panic!("DINOv2 needs pictures of 3 H W, not of {shape:?}");
    };
    assert!(
        height >= patch && width >= patch,
        "DINOv2 needs pictures of at least {patch} x {patch} pixels, not of {height} x {width}"
    );
}

fn blocks(path: &Path, config: &Dinov2Config) -> Blocks<PreNormBlock> {
    let rates = rising(config.regularisation.drop_path, config.blocks);
    rates.iter().enumerate().map(|(index, &rate)| block(&(path / index), config, rate)).collect()
}

fn block(path: &Path, config: &Dinov2Config, drop_path: f64) -> PreNormBlock {
    let (width, mlp_width) = (config.width, config.mlp_width);
    let norm = |name: &str| LayerNorm::new(&(path / name), width, EPSILON);
    let start = Init::Const(config.layer_scale);
    let scale = |name: &str| (path / name).var("lambda1", &[width], start);
    PreNormBlock {
        norms: [norm("norm1"), norm("norm2")],
        attention: attention(&(path / "attention"), config),
        mlp: Mlp {
            first: Linear::normal(&(path / "mlp" / "fc1"), width, mlp_width),
            second: Linear::normal(&(path / "mlp" / "fc2"), mlp_width, width),
            activation: Activation::Gelu,
        },
        scales: Some([scale("layer_scale1"), scale("layer_scale2")]),
        dropout: [config.regularisation.hidden_dropout, 0.0],
        drop_path,
    }
}

fn attention(path: &Path, config: &Dinov2Config) -> Attention {
    let width = config.width;
    let map = |name: &str| Linear::normal(&(path / "attention" / name), width, width);
    Attention {
        query: map("query"),
        key: map("key"),
        value: map("value"),
        output: Linear::normal(&(path / "output" / "dense"), width, width),
        heads: Heads { count: config.heads, dropout: config.regularisation.hidden_dropout },
    }
}

#[cfg(test)]
#[path = "dinov2_tests.rs"]
mod tests;
