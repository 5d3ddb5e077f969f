//! VideoMAE: a transformer over small boxes of a clip.
//!
//! # Source
//! Tong et al., VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video
//! Pre-Training, <https://arxiv.org/abs/2203.12602>, as in transformers' `VideoMAEModel`, whose state names
//! this has.

use dfr_harness::recipe::Detector;
use tch::Tensor;
use tch::nn::Path;

use super::layers::{
    Activation, Attention, Blocks, ColourStatistics, Colours, Conv, ConvConfig, Heads, LayerNorm,
    Linear, Mlp, NormHead, PreNormBlock, rising, sinusoids,
};
use super::{Public, Regularisation};

const EPSILON: f64 = 1e-12;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct VideoMaeConfig {
    /// Frames, and pixels along each side, of a box.
    pub tubelet: [i64; 3],
    /// Features of each place.
    pub width: i64,
    /// Features inside of the perceptrons.
    pub mlp_width: i64,
    /// Blocks.
    pub blocks: usize,
    /// Heads of attention.
    pub heads: i64,
    /// Noise in training; the library knows no drop path.
    pub regularisation: Regularisation,
}

impl VideoMaeConfig {
    /// The encoder of `MCG-NJU/videomae-base` with two classes: 86.2 M parameters. The file was trained on
    /// 16 frames of 224 x 224 pixels.
    pub fn base() -> Self {
        Self {
            tubelet: [2, 16, 16],
            width: 768,
            mlp_width: 3072,
            blocks: 12,
            heads: 12,
            regularisation: Regularisation { dropout: 0.3, ..Regularisation::NONE },
        }
    }

    /// The same network, narrow and short, for a CPU.
    pub fn tiny() -> Self {
        Self { tubelet: [2, 8, 8], width: 32, mlp_width: 64, blocks: 2, heads: 2, ..Self::base() }
    }
}

/// [`VideoMaeConfig::base`] as a [`super::Model`].
pub fn base(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(VideoMae::new(
        root,
        shape,
        VideoMaeConfig { regularisation, ..VideoMaeConfig::base() },
    ))
}

/// [`VideoMaeConfig::tiny`] as a [`super::Model`].
pub fn tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(VideoMae::new(
        root,
        shape,
        VideoMaeConfig { regularisation, ..VideoMaeConfig::tiny() },
    ))
}

/// From the names of the file of `MCG-NJU/videomae-base`, which has what painted the masked boxes too.
pub fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("videomae", inner)) => Public::Ours(format!("encoder.{inner}")),
        Some(("encoder_to_decoder" | "decoder", _)) => Public::Ignored,
        None if name == "mask_token" => Public::Ignored,
        _ => Public::Unknown,
    }
}

/// The network.
pub struct VideoMae {
    colours: Colours,
    tubelets: Conv<3>,
    positions: Tensor,
    blocks: Blocks<PreNormBlock>,
    norm: LayerNorm,
    head: NormHead,
}

impl VideoMae {
    /// Makes the network below `root`, with fresh weights. Its places fit clips of `shape`.
    ///
    /// # Panics
    /// If `shape` is not `T 3 H W` with at least one box.
    pub fn new(root: &Path, shape: &[i64], config: VideoMaeConfig) -> Self {
        let (encoder, width) = (root / "encoder", config.width);
        let projection = &encoder / "embeddings" / "patch_embeddings" / "projection";
        let places = sinusoids(tubelet_count(shape, config.tubelet), width);
        Self {
            colours: Colours::new(root, ColourStatistics::IMAGENET, &[1, 1, 3, 1, 1]),
            tubelets: Conv::new(&projection, [3, width], ConvConfig::patches(config.tubelet)),
            positions: places.to_device(root.device()),
            blocks: blocks(&(&encoder / "encoder" / "layer"), &config),
            norm: LayerNorm::new(&(&encoder / "layernorm"), width, EPSILON),
            head: NormHead::new(&(root / "head"), width, config.regularisation.dropout),
        }
    }

    /// # Shapes
    /// `[B,T,3,H,W]` normalised to `[B,boxes,width]`.
    fn embed(&self, x: &Tensor) -> Tensor {
        let tubelets = self.tubelets.forward(&x.transpose(1, 2)).flatten(2, 4).transpose(1, 2);
        let positions = self.positions.to_kind(tubelets.kind());
        tubelets + positions
    }
}

impl Detector for VideoMae {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let x = self.embed(&self.colours.normalize(input));
        let x = self.blocks.forward(&x, &[], move |block, inputs| block.forward(&inputs[0], train));
        let features = self.norm.forward(&x).mean_dim(1, false, x.kind());
        self.head.forward(&features, train)
    }
}

fn tubelet_count(shape: &[i64], [time, tall, wide]: [i64; 3]) -> i64 {
    let &[frames, 3, height, width] = shape else {
        panic!("VideoMAE needs clips of T 3 H W, not of {shape:?}");
    };
    assert!(
        frames >= time && height >= tall && width >= wide,
        "VideoMAE needs clips of at least {time} frames of {tall} x {wide} pixels, \
         not {frames} of {height} x {width}"
    );
    (frames / time) * (height / tall) * (width / wide)
}

fn blocks(path: &Path, config: &VideoMaeConfig) -> Blocks<PreNormBlock> {
    let rates = rising(config.regularisation.drop_path, config.blocks);
    rates.iter().enumerate().map(|(index, &rate)| block(&(path / index), config, rate)).collect()
}

fn block(path: &Path, config: &VideoMaeConfig, drop_path: f64) -> PreNormBlock {
    let (width, mlp_width) = (config.width, config.mlp_width);
    let norm = |name: &str| LayerNorm::new(&(path / name), width, EPSILON);
    PreNormBlock {
        norms: [norm("layernorm_before"), norm("layernorm_after")],
        attention: attention(&(path / "attention"), config),
        mlp: Mlp {
            first: Linear::normal(&(path / "intermediate" / "dense"), width, mlp_width),
            second: Linear::normal(&(path / "output" / "dense"), mlp_width, width),
            activation: Activation::Gelu,
        },
        scales: None,
        dropout: [config.regularisation.hidden_dropout; 2],
        drop_path,
    }
}

/// The key has no bias: it would add the same to all logits of a place, which softmax forgets.
fn attention(path: &Path, config: &VideoMaeConfig) -> Attention {
    let (inner, width) = (path / "attention", config.width);
    let unbiased = |name: &str| Linear::unbiased(&(&inner / name), width, width);
    let bias = |name: &str| Some(inner.zeros(name, &[width]));
    Attention {
        query: Linear { bias: bias("q_bias"), ..unbiased("query") },
        key: unbiased("key"),
        value: Linear { bias: bias("v_bias"), ..unbiased("value") },
        output: Linear::normal(&(path / "output" / "dense"), width, width),
        heads: Heads { count: config.heads, dropout: config.regularisation.hidden_dropout },
    }
}

#[cfg(test)]
#[path = "videomae_tests.rs"]
mod tests;
