//! AST: a vision transformer over the overlapping patches of a mel spectrogram.
//!
//! # Source
//! Gong et al., AST: Audio Spectrogram Transformer, <https://arxiv.org/abs/2104.01778>, as `ASTModel` of
//! the transformers library, whose state names it has below `encoder`.

use dfr_harness::recipe::Detector;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::layers::{
    Activation, Attention, Blocks, Conv, ConvConfig, Heads, LayerNorm, Linear, Mlp, Window,
};
use super::mel::{Mel, MelConfig};
use super::{Public, Regularisation};

/// Added to power, so that silence has a logarithm, and to deviations, so that it can be divided by them.
const FLOOR: f64 = 1e-8;
const EPSILON: f64 = 1e-12;
const HEAD_EPSILON: f64 = 1e-5;

/// Shape of the network.
#[derive(Clone, Copy, Debug)]
pub struct AstConfig {
    /// The spectrogram.
    pub mel: MelConfig,
    /// Spectra that it has places for at least: a sound with fewer is filled up with its mean.
    pub spectra: i64,
    /// Side of a patch, in bands and in spectra.
    pub patch: i64,
    /// From one patch to the next.
    pub stride: i64,
    /// Features of a patch.
    pub width: i64,
    /// Inner layer of a perceptron.
    pub inner: i64,
    /// Blocks.
    pub blocks: usize,
    /// Heads of the attention.
    pub heads: i64,
    /// What disturbs it in training.
    pub regularisation: Regularisation,
}

impl AstConfig {
    /// That of `MIT/ast-finetuned-audioset-10-10-0.4593`: 86.2 M parameters.
    pub fn audioset(regularisation: Regularisation) -> Self {
        Self {
            mel: MelConfig { sample_rate: 16_000, window: 400, hop: 160, bands: 128 },
            spectra: 1024,
            patch: 16,
            stride: 10,
            width: 768,
            inner: 3072,
            blocks: 12,
            heads: 12,
            regularisation,
        }
    }

    /// Narrow and shallow, for short sounds on a CPU.
    pub fn tiny(regularisation: Regularisation) -> Self {
        Self {
            mel: MelConfig { bands: 32, ..Self::audioset(regularisation).mel },
            spectra: 32,
            width: 24,
            inner: 48,
            blocks: 2,
            heads: 2,
            ..Self::audioset(regularisation)
        }
    }

    fn patches(&self, [bands, spectra]: [i64; 2]) -> i64 {
        let along = |places: i64| (places - self.patch) / self.stride + 1;
        along(bands) * along(spectra)
    }
}

/// [`AstConfig::audioset`] as a [`super::Model`].
pub fn audioset(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Ast::new(root, shape, AstConfig::audioset(regularisation)))
}

/// [`AstConfig::tiny`] as a [`super::Model`].
pub fn tiny(root: &Path, shape: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    Box::new(Ast::new(root, shape, AstConfig::tiny(regularisation)))
}

/// From the names of an `ASTForAudioClassification`; its classifier is of other classes.
pub fn public(name: &str) -> Public {
    let parts: Vec<&str> = name.splitn(3, '.').collect();
    match parts.as_slice() {
        ["classifier", ..] => Public::Ignored,
        [
            "audio_spectrogram_transformer",
            part @ ("embeddings" | "encoder" | "layernorm"),
            rest,
        ] => Public::Ours(format!("encoder.{part}.{rest}")),
        _ => Public::Unknown,
    }
}

/// The network.
pub struct Ast {
    mel: Mel,
    spectra: i64,
    embeddings: Embeddings,
    blocks: Blocks<Block>,
    norm: LayerNorm,
    head_norm: LayerNorm,
    head: Linear,
    dropout: f64,
}

impl Ast {
    /// Makes the network below `root`, with fresh weights, for sounds of `shape` (`N`).
    ///
    /// # Panics
    /// If `shape` is not that of a sound.
    pub fn new(root: &Path, shape: &[i64], config: AstConfig) -> Self {
        let &[samples] = shape else { panic!("AST takes sounds of shape [N], not {shape:?}") };
        let (encoder, head) = (root / "encoder", root / "head");
        let spectra = config.spectra.max(config.mel.spectra(samples));
        let block = |index| Block::new(&(&encoder / "encoder" / "layer" / index), &config);
        Self {
            mel: Mel::new(&(root / "mel_transform"), &config.mel),
            spectra,
            embeddings: Embeddings::new(&(&encoder / "embeddings"), spectra, &config),
            blocks: (0..config.blocks).map(block).collect(),
            norm: LayerNorm::new(&(&encoder / "layernorm"), config.width, EPSILON),
            head_norm: LayerNorm::new(&(&head / 0), config.width, HEAD_EPSILON),
            head: Linear::new(&(&head / 2), config.width, 2),
            dropout: config.regularisation.dropout,
        }
    }

    /// Logarithm of power, each record with mean 0 and deviation 1, then zeros.
    ///
    /// # Shapes
    /// `[B, N]` to `[B, bands, spectra]`.
    fn features(&self, sound: &Tensor) -> Tensor {
        let power = (self.mel.forward(sound) + FLOOR).log();
        let missing = self.spectra - power.size()[2];
        assert!(
            missing >= 0,
            "AST has places for {} spectra, not {}",
            self.spectra,
            power.size()[2]
        );
        let over = &[1i64, 2][..];
        // Of silence, the rounding of a mean in float32 would be all that is left.
        let centred = (&power - power.mean_dim(over, true, Kind::Double)).to_kind(power.kind());
        let deviation = power.std_dim(over, true, true) + FLOOR;
        (centred / deviation).constant_pad_nd([0, missing])
    }
}

impl Detector for Ast {
    /// # Shapes
    /// `[B,N]` float32 in -1..1 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let hidden = self.embeddings.forward(&self.features(input), train);
        let hidden = self
            .blocks
            .forward(&hidden, &[], move |block, inputs| block.forward(&inputs[0], train));
        // The class token and the distillation token.
        let pooled = self.norm.forward(&hidden.narrow(1, 0, 2)).mean_dim(1, false, None);
        self.head.forward(&self.head_norm.forward(&pooled).dropout(self.dropout, train))
    }
}

/// From the spectrogram to patches that know their places, behind two tokens.
struct Embeddings {
    tokens: [Tensor; 2],
    positions: Tensor,
    projection: Conv<2>,
    dropout: f64,
}

impl Embeddings {
    fn new(path: &Path, spectra: i64, config: &AstConfig) -> Self {
        let width = config.width;
        let patches = config.patches([config.mel.bands, spectra]);
        let shape = ConvConfig {
            window: Window::square(config.patch, config.stride),
            ..ConvConfig::patches([config.patch; 2])
        };
        Self {
            tokens: ["cls_token", "distillation_token"]
                .map(|name| path.zeros(name, &[1, 1, width])),
            positions: path.zeros("position_embeddings", &[1, patches + 2, width]),
            projection: Conv::new(&(path / "patch_embeddings" / "projection"), [1, width], shape),
            dropout: config.regularisation.hidden_dropout,
        }
    }

    /// # Shapes
    /// `[B, bands, spectra]` to `[B, 2 + patches, D]`.
    fn forward(&self, spectrogram: &Tensor, train: bool) -> Tensor {
        let patches =
            self.projection.forward(&spectrogram.unsqueeze(1)).flatten(2, 3).transpose(1, 2);
        let [class, distillation] =
            self.tokens.each_ref().map(|token| token.expand([patches.size()[0], 1, -1], false));
        let hidden = Tensor::cat(&[class, distillation, patches], 1) + &self.positions;
        hidden.dropout(self.dropout, train)
    }
}

/// Attention, then a perceptron, both of the normalised input.
struct Block {
    norm_before: LayerNorm,
    attention: Attention,
    norm_after: LayerNorm,
    mlp: Mlp,
    dropout: f64,
}

impl Block {
    fn new(path: &Path, config: &AstConfig) -> Self {
        let (width, inner) = (config.width, config.inner);
        Self {
            norm_before: LayerNorm::new(&(path / "layernorm_before"), width, EPSILON),
            attention: self_attention(&(path / "attention"), width, config.heads),
            norm_after: LayerNorm::new(&(path / "layernorm_after"), width, EPSILON),
            mlp: Mlp {
                first: Linear::normal(&(path / "intermediate" / "dense"), width, inner),
                second: Linear::normal(&(path / "output" / "dense"), inner, width),
                activation: Activation::Gelu,
            },
            dropout: config.regularisation.hidden_dropout,
        }
    }

    /// # Shapes
    /// `[B, L, D]` to the same.
    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let inner = self.attention.forward(&self.norm_before.forward(x), None, train);
        let x = x + inner.dropout(self.dropout, train);
        let inner = self.mlp.forward(&self.norm_after.forward(&x));
        &x + inner.dropout(self.dropout, train)
    }
}

fn self_attention(path: &Path, width: i64, heads: i64) -> Attention {
    let map = |name: &str| Linear::normal(&(path / "attention" / name), width, width);
    Attention {
        query: map("query"),
        key: map("key"),
        value: map("value"),
        output: Linear::normal(&(path / "output" / "dense"), width, width),
        heads: Heads { count: heads, dropout: 0.0 },
    }
}

#[cfg(test)]
#[path = "ast_tests.rs"]
mod tests;
