//! Transformer blocks that look within units of tokens, and some of which halve the picture.

use tch::Tensor;
use tch::nn::Path;

use crate::models::layers::{Activation, LayerNorm, Linear, Mlp, attend, drop_path};

/// Deviation at which weights start, and where all biases start: the library has one number for both.
pub(super) const STDEV: f64 = 0.02;

/// Tokens that a halving of both sides makes one of.
const QUARTERS: i64 = 4;

const EPSILON: f64 = 1e-6;

/// Shape of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    /// Features taken and given.
    pub channels: [i64; 2],
    /// Attention heads.
    pub heads: i64,
    /// Whether of four tokens the strongest features go on.
    pub halves: bool,
    /// Units that the tokens attend within; 1 is all of the picture.
    pub units: i64,
    /// How often the residual branches are left out in training.
    pub drop_path: f64,
}

/// Attention and a perceptron, each around a shortcut. The one around the attention changes the width
/// and halves where the block does.
pub(super) struct Block {
    before: LayerNorm,
    shortcut: Option<Linear>,
    attention: UnitAttention,
    after: LayerNorm,
    mlp: Mlp,
    drop_path: f64,
}

impl Block {
    pub(super) fn new(path: &Path, config: BlockConfig) -> Self {
        let [inputs, outputs] = config.channels;
        let mlp = path / "mlp";
        Self {
            before: norm(&(path / "layernorm_before"), inputs),
            shortcut: config.halves.then(|| linear(&(path / "proj"), inputs, outputs)),
            attention: UnitAttention::new(&(path / "attn"), config),
            after: norm(&(path / "layernorm_after"), outputs),
            mlp: Mlp {
                first: linear(&(&mlp / "fc1"), outputs, outputs * 4),
                second: linear(&(mlp / "fc2"), outputs * 4, outputs),
                activation: Activation::Gelu,
            },
            drop_path: config.drop_path,
        }
    }

    /// # Shapes
    /// `[B, L, inputs]` to `[B, L, outputs]`, or to `[B, L / 4, outputs]` where it halves.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let normal = self.before.forward(x);
        let shortcut = match &self.shortcut {
            Some(linear) => strongest(&linear.forward(&normal)),
            None => x.shallow_clone(),
        };
        let x = shortcut + drop_path(self.attention.forward(&normal), self.drop_path, train);
        let branch = self.mlp.forward(&self.after.forward(&x));
        x + drop_path(branch, self.drop_path, train)
    }
}

/// Attention within units; the strongest of four queries asks for all four where the block halves.
struct UnitAttention {
    qkv: Linear,
    output: Linear,
    config: BlockConfig,
}

impl UnitAttention {
    fn new(path: &Path, config: BlockConfig) -> Self {
        let [inputs, outputs] = config.channels;
        let output = linear(&(path / "proj"), outputs, outputs);
        Self { qkv: linear(&(path / "qkv"), inputs, 3 * outputs), output, config }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let [batch, outputs] = [x.size()[0], self.config.channels[1]];
        let BlockConfig { heads, units, .. } = self.config;
        // The units vary fastest along the sequence: a unit's tokens are `units` apart.
        let maps = self.qkv.forward(x).view([batch, -1, units, 3, heads, outputs / heads]);
        let maps = maps.permute([3, 0, 2, 4, 1, 5]).flatten(1, 2);
        let [query, key, value] = [0, 1, 2].map(|map| maps.get(map));
        let query = if self.config.halves { strongest(&query) } else { query };
        let given = attend([&query, &key, &value], None, 0.0).unflatten(0, [batch, units]);
        self.output.forward(&given.permute([0, 3, 1, 2, 4]).reshape([batch, -1, outputs]))
    }
}

/// Each feature's largest value over the quarters of a sequence.
///
/// # Shapes
/// `[…, L, D]` to `[…, L / 4, D]`.
fn strongest(x: &Tensor) -> Tensor {
    x.unflatten(-2, [QUARTERS, -1]).max_dim(-3, false).0
}

/// Weights start normal, the bias at [`STDEV`].
fn linear(path: &Path, inputs: i64, outputs: i64) -> Linear {
    start_bias(path, Linear::normal(path, inputs, outputs))
}

pub(super) fn norm(path: &Path, features: i64) -> LayerNorm {
    start_bias(path, LayerNorm::new(path, features, EPSILON))
}

/// Sets the bias that the layer has made below `path` to [`STDEV`], where it starts in the library.
pub(super) fn start_bias<L>(path: &Path, layer: L) -> L {
    if let Some(mut bias) = path.get("bias") {
        let _ = tch::no_grad(|| bias.fill_(STDEV));
    }
    layer
}
