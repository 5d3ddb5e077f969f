//! Inverted residuals: wide inside, narrow between.

use tch::Tensor;
use tch::nn::Path;

use crate::models::layers::{BatchNorm, Conv, ConvConfig, Window, drop_path};

/// Shape of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    /// Taken and given.
    pub channels: [i64; 2],
    /// Of the depthwise convolution.
    pub window: Window<2>,
    /// How many times wider it is inside.
    pub expansion: i64,
    /// How often the residual branch is left out in training.
    pub drop_path: f64,
}

/// `narrow(excite(silu(depthwise(silu(widen(x)))))) + x`, the sum where both sizes agree.
pub(super) struct Block {
    widen: Option<Unit>,
    depthwise: Unit,
    excite: Excitation,
    narrow: Unit,
    residual: bool,
    drop_path: f64,
}

impl Block {
    pub(super) fn new(path: &Path, config: BlockConfig) -> Self {
        let [inputs, outputs] = config.channels;
        let inner = inputs * config.expansion;
        let point = ConvConfig::same(Window::square(1, 1));
        let depthwise = ConvConfig { groups: inner, ..ConvConfig::same(config.window) };
        // timm numbers the norms by place, and calls the narrowing convolution after its rank.
        let [deep, narrow] = match config.expansion {
            1 => [["conv_dw", "bn1"], ["conv_pw", "bn2"]],
            _ => [["conv_dw", "bn2"], ["conv_pwl", "bn3"]],
        };
        let widens = config.expansion > 1;
        Self {
            widen: widens.then(|| Unit::new(path, ["conv_pw", "bn1"], [inputs, inner], point)),
            depthwise: Unit::new(path, deep, [inner, inner], depthwise),
            // A quarter of what enters the block, not of what enters the excitation.
            excite: Excitation::new(&(path / "se"), inner, inputs / 4),
            narrow: Unit::new(path, narrow, [inner, outputs], point),
            residual: inputs == outputs && config.window.stride == [1, 1],
            drop_path: config.drop_path,
        }
    }

    /// # Shapes
    /// `[B, inputs, H, W]` to `[B, outputs, H / stride, W / stride]`.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let wide = self.widen.as_ref().map(|unit| unit.forward(x, train).silu());
        let deep = self.depthwise.forward(wide.as_ref().unwrap_or(x), train).silu();
        let branch = self.narrow.forward(&self.excite.forward(&deep), train);
        if self.residual { drop_path(branch, self.drop_path, train) + x } else { branch }
    }
}

/// A convolution and its batch norm.
pub(super) struct Unit {
    conv: Conv<2>,
    norm: BatchNorm,
}

impl Unit {
    /// Both are below `path`, by their `names`.
    pub(super) fn new(
        path: &Path,
        names: [&str; 2],
        channels: [i64; 2],
        config: ConvConfig<2>,
    ) -> Self {
        let [conv, norm] = names.map(|name| path / name);
        Self { conv: Conv::new(&conv, channels, config), norm: BatchNorm::new(&norm, channels[1]) }
    }

    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }
}

/// Channels weighed by what the whole picture holds (squeeze and excitation).
struct Excitation {
    reduce: Conv<2>,
    expand: Conv<2>,
}

impl Excitation {
    fn new(path: &Path, channels: i64, reduced: i64) -> Self {
        let config = ConvConfig { bias: true, ..ConvConfig::same(Window::square(1, 1)) };
        Self {
            reduce: Conv::new(&(path / "conv_reduce"), [channels, reduced], config),
            expand: Conv::new(&(path / "conv_expand"), [reduced, channels], config),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mean = x.mean_dim(&[2i64, 3][..], true, x.kind());
        x * self.expand.forward(&self.reduce.forward(&mean).silu()).sigmoid()
    }
}
