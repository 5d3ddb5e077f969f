//! CLIP: the vision tower of a transformer that was trained on pictures with their captions.
//!
//! # Source
//! Radford et al., Learning Transferable Visual Models From Natural Language Supervision,
//! <https://arxiv.org/abs/2103.00020>, as in transformers' `CLIPVisionModel`, whose state names this has.

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::{Init, Path};

use super::layers::{
    Activation, Attention, Blocks, ColourStatistics, Colours, Conv, ConvConfig, Heads, LayerNorm,
    Linear, Mlp, NormHead, PreNormBlock, rising,
};
use super::{Public, Regularisation};

const EPSILON: f64 = 1e-5;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct ClipConfig {
    /// Pixels along each side of a patch.
    pub patch: i64,
    /// Features of each place.
    pub width: i64,
    /// Features inside of the perceptrons.
    pub mlp_width: i64,
    /// Blocks.
    pub blocks: usize,
    /// Heads of attention.
    pub heads: i64,
    /// Noise in training; the library knows none but that of attention.
    pub regularisation: Regularisation,
}

impl ClipConfig {
    /// The vision tower of `openai/clip-vit-large-patch14` with two classes: 303.2 M parameters on
    /// pictures of 224 pixels.
    pub fn vit_l14() -> Self {
        Self {
            patch: 14,
            width: 1024,
            mlp_width: 4096,
            blocks: 24,
            heads: 16,
            regularisation: Regularisation { dropout: 0.2, ..Regularisation::NONE },
        }
    }

    /// The same network, narrow and short, for a CPU.
    pub fn vit_tiny() -> Self {
        Self { patch: 8, width: 32, mlp_width: 64, blocks: 2, heads: 2, ..Self::vit_l14() }
    }
}

/// [`ClipConfig::vit_l14`] as a [`super::Model`].
pub fn vit_l14(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Clip::new(root, shape, ClipConfig { regularisation, ..ClipConfig::vit_l14() }))
}

/// [`ClipConfig::vit_tiny`] as a [`super::Model`].
pub fn vit_tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Clip::new(root, shape, ClipConfig { regularisation, ..ClipConfig::vit_tiny() }))
}

/// From the names of the file of `openai/clip-vit-large-patch14`, which has the text tower too.
pub fn public(name: &str) -> Public {
    if name == "vision_model.embeddings.position_ids" {
        return Public::Ignored;
    }
    match name.split_once('.').map_or(name, |(first, _)| first) {
        "vision_model" => Public::Ours(format!("vision_model.{name}")),
        "text_model" | "text_projection" | "visual_projection" | "logit_scale" => Public::Ignored,
        _ => Public::Unknown,
    }
}

/// The network.
pub struct Clip {
    colours: Colours,
    patches: Conv<2>,
    class: Tensor,
    positions: Tensor,
    first_norm: LayerNorm,
    blocks: Blocks<PreNormBlock>,
    last_norm: LayerNorm,
    head: NormHead,
}

impl Clip {
    /// Makes the network below `root`, with fresh weights. Its table of positions fits pictures of `shape`.
    ///
    /// # Panics
    /// If `shape` is not `3 H W` with at least one patch.
    pub fn new(root: &Path, shape: &[i64], config: ClipConfig) -> Self {
        let tower = root / "vision_model" / "vision_model";
        let embeddings = &tower / "embeddings";
        let (width, patch) = (config.width, config.patch);
        let patches = ConvConfig { bias: false, ..ConvConfig::patches([patch; 2]) };
        let places = 1 + patch_count(shape, patch);
        let norm = |name: &str| LayerNorm::new(&(&tower / name), width, EPSILON);
        Self {
            colours: Colours::new(root, ColourStatistics::CLIP, &[1, 3, 1, 1]),
            patches: Conv::new(&(&embeddings / "patch_embedding"), [3, width], patches),
            class: embeddings.var("class_embedding", &[width], normal((width as f64).powf(-0.5))),
            positions: (&embeddings / "position_embedding").var(
                "weight",
                &[places, width],
                normal(0.02),
            ),
            first_norm: norm("pre_layrnorm"),
            blocks: blocks(&(&tower / "encoder" / "layers"), &config),
            last_norm: norm("post_layernorm"),
            head: NormHead::new(&(root / "head"), width, config.regularisation.dropout),
        }
    }

    /// # Shapes
    /// `[B,3,H,W]` normalised to `[B,1+patches,width]`, the class first.
    fn embed(&self, x: &Tensor) -> Tensor {
        let patches = self.patches.forward(x).flatten(2, 3).transpose(1, 2);
        let class = self.class.expand([x.size()[0], 1, -1], false);
        Tensor::cat(&[class, patches], 1) + &self.positions
    }
}

impl Detector for Clip {
    /// # Shapes
    /// `[B,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let x = self.first_norm.forward(&self.embed(&self.colours.normalize(input)));
        let x = self.blocks.forward(&x, &[], move |block, inputs| block.forward(&inputs[0], train));
        self.head.forward(&self.last_norm.forward(&x.select(1, 0)), train)
    }
}

fn patch_count(shape: &[i64], patch: i64) -> i64 {
    let &[3, height, width] = shape else {
        panic!("CLIP needs pictures of 3 H W, not of {shape:?}");
    };
    assert!(
        height >= patch && width >= patch,
        "CLIP needs pictures of at least {patch} x {patch} pixels, not of {height} x {width}"
    );
    (height / patch) * (width / patch)
}

/// Deviations at which the linear maps of a block start.
///
/// # Source
/// `CLIPPreTrainedModel._init_weights`: what enters a residual sum starts smaller the more blocks there are.
struct Deviations {
    attention_in: f64,
    attention_out: f64,
    mlp_in: f64,
    mlp_out: f64,
}

impl Deviations {
    fn new(config: &ClipConfig) -> Self {
        let width = config.width as f64;
        let small = (width * 2.0 * config.blocks as f64).powf(-0.5);
        Self {
            attention_in: small,
            attention_out: width.powf(-0.5),
            mlp_in: (2.0 * width).powf(-0.5),
            mlp_out: small,
        }
    }
}

fn blocks(path: &Path, config: &ClipConfig) -> Blocks<PreNormBlock> {
    let rates = rising(config.regularisation.drop_path, config.blocks);
    rates.iter().enumerate().map(|(index, &rate)| block(&(path / index), config, rate)).collect()
}

fn block(path: &Path, config: &ClipConfig, drop_path: f64) -> PreNormBlock {
    let norm = |name: &str| LayerNorm::new(&(path / name), config.width, EPSILON);
    PreNormBlock {
        norms: [norm("layer_norm1"), norm("layer_norm2")],
        attention: attention(&(path / "self_attn"), config),
        mlp: mlp(&(path / "mlp"), config),
        scales: None,
        dropout: [0.0; 2],
        drop_path,
    }
}

fn attention(path: &Path, config: &ClipConfig) -> Attention {
    let deviations = Deviations::new(config);
    let map = |name: &str, stdev| linear(&(path / name), [config.width; 2], stdev);
    Attention {
        query: map("q_proj", deviations.attention_in),
        key: map("k_proj", deviations.attention_in),
        value: map("v_proj", deviations.attention_in),
        output: map("out_proj", deviations.attention_out),
        heads: Heads { count: config.heads, dropout: config.regularisation.hidden_dropout },
    }
}

fn mlp(path: &Path, config: &ClipConfig) -> Mlp {
    let (deviations, sizes) = (Deviations::new(config), [config.width, config.mlp_width]);
    Mlp {
        first: linear(&(path / "fc1"), sizes, deviations.mlp_in),
        second: linear(&(path / "fc2"), [sizes[1], sizes[0]], deviations.mlp_out),
        activation: Activation::QuickGelu,
    }
}

fn linear(path: &Path, [inputs, outputs]: [i64; 2], stdev: f64) -> Linear {
    Linear {
        weight: path.var("weight", &[outputs, inputs], normal(stdev)),
        bias: Some(path.zeros("bias", &[outputs])),
    }
}

fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}

#[cfg(test)]
#[path = "clip_tests.rs"]
mod tests;
