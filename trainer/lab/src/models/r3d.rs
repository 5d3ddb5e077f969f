//! R3D: a residual network of 3-D convolutions over a clip.
//!
//! # Source
//! Tran et al., A Closer Look at Spatiotemporal Convolutions, <https://arxiv.org/abs/1711.11248>, as in
//! torchvision's `r3d_18`, whose state names [`R3dConfig::r3d_18`] has.

use dfr_harness::recipe::Detector;
use tch::nn::Path;
use tch::{Kind, Tensor};

use super::layers::{
    BatchNorm, ColourStatistics, Colours, Conv, ConvConfig, Linear, Window, spread,
};
use super::{Public, Regularisation};

/// Shape of the network. Kernels and strides are `[T, H, W]`.
#[derive(Clone, Copy, Debug)]
pub struct R3dConfig {
    /// First convolution, from colours to `width` channels.
    pub stem: Window<3>,
    /// Start the stem's kernels with sum zero: deaf to brightness, open to fine texture.
    pub high_pass_stem: bool,
    /// Channels of the stem and of the first stage; every later stage doubles them.
    pub width: i64,
    /// Residual blocks per stage.
    pub blocks: &'static [usize],
    /// Kernel of all later convolutions.
    pub kernel: [i64; 3],
    /// Spatial stride of the first stage; the later ones have 2.
    pub first_stride: i64,
    /// Temporal stride of every stage but the first.
    pub temporal_stride: i64,
    /// Frames looked at, spread evenly over the clip.
    pub frames: i64,
    /// Dropout before the last layer.
    pub dropout: f64,
}

impl R3dConfig {
    /// torchvision's `r3d_18` with two classes: 33.2 M parameters.
    pub fn r3d_18() -> Self {
        Self {
            stem: Window { kernel: [3, 7, 7], stride: [1, 2, 2] },
            high_pass_stem: false,
            width: 64,
            blocks: &[2, 2, 2, 2],
            kernel: [3, 3, 3],
            first_stride: 1,
            temporal_stride: 2,
            frames: 16,
            dropout: 0.3,
        }
    }

    /// The same with half the blocks: 14.4 M parameters.
    pub fn r3d_10() -> Self {
        Self { blocks: &[1, 1, 1, 1], ..Self::r3d_18() }
    }

    /// The same network, narrow and short, for a CPU. Its stem sees every pixel (no stride), because
    /// traces of upsampling have periods of 2 to 4 pixels and do not survive an early stride.
    pub fn r3d_tiny() -> Self {
        Self {
            stem: Window { kernel: [1, 3, 3], stride: [1, 1, 1] },
            high_pass_stem: true,
            width: 8,
            blocks: &[1, 1, 1],
            kernel: [1, 3, 3],
            first_stride: 2,
            temporal_stride: 1,
            frames: 4,
            dropout: 0.1,
        }
    }
}

/// [`R3dConfig::r3d_18`] as a [`super::Model`].
pub fn r3d_18(root: &Path, _: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    let dropout = regularisation.dropout;
    Box::new(R3d::new(root, R3dConfig { dropout, ..R3dConfig::r3d_18() }))
}

/// [`R3dConfig::r3d_10`] as a [`super::Model`].
pub fn r3d_10(root: &Path, _: &[i64], regularisation: Regularisation) -> Box<dyn Detector> {
    let dropout = regularisation.dropout;
    Box::new(R3d::new(root, R3dConfig { dropout, ..R3dConfig::r3d_10() }))
}

/// From the names of torchvision's file `r3d_18-b3b3357e.pth`; its last layer knows actions.
pub fn public(name: &str) -> Public {
    match name.split_once('.') {
        Some(("fc", _)) => Public::Ignored,
        Some(("stem" | "layer1" | "layer2" | "layer3" | "layer4", _)) => {
            Public::Ours(format!("backbone.{name}"))
        }
        _ => Public::Unknown,
    }
}

/// The network over colours.
pub struct R3d {
    colours: Colours,
    trunk: Trunk,
    frames: i64,
}

/// The network from normalised channels on.
pub struct Trunk {
    stem: Unit,
    blocks: Vec<Block>,
    head: Linear,
    dropout: f64,
}

impl R3d {
    /// Makes the network below `root`, with fresh weights.
    pub fn new(root: &Path, config: R3dConfig) -> Self {
        Self {
            colours: Colours::new(root, ColourStatistics::KINETICS, &[1, 1, 3, 1, 1]),
            trunk: Trunk::new(root, 3, &config),
            frames: config.frames,
        }
    }
}

impl Trunk {
    /// Makes the network below `root` for so many `channels`, with fresh weights.
    pub fn new(root: &Path, channels: i64, config: &R3dConfig) -> Self {
        let backbone = root / "backbone";
        let stem = Unit::new(&(&backbone / "stem"), [channels, config.width], config.stem);
        if config.high_pass_stem {
            stem.subtract_mean();
        }
        let features = config.width << (config.blocks.len() - 1);
        Self {
            stem,
            blocks: stages(&backbone, config),
            head: Linear::new(&(root / "head" / 1), features, 2),
            dropout: config.dropout,
        }
    }

    /// # Shapes
    /// `[B,C,T,H,W]` float to `[B,2]`.
    pub fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let mut x = self.stem.forward(input, train).relu();
        for block in &self.blocks {
            x = block.forward(&x, train);
        }
        let features = x.mean_dim(&[2i64, 3, 4][..], false, x.kind());
        self.head.forward(&features.dropout(self.dropout, train))
    }
}

fn stages(backbone: &Path, config: &R3dConfig) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut inputs = config.width;
    for (stage, &count) in config.blocks.iter().enumerate() {
        let path = backbone / format!("layer{}", stage + 1);
        let outputs = config.width << stage;
        let first = config.first_stride;
        let mut stride =
            if stage == 0 { [1, first, first] } else { [config.temporal_stride, 2, 2] };
        for index in 0..count {
            let window = Window { kernel: config.kernel, stride };
            blocks.push(Block::new(&(&path / index), [inputs, outputs], window));
            inputs = outputs;
            stride = [1, 1, 1];
        }
    }
    blocks
}

impl Detector for R3d {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 to `[B,2]`.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor {
        let normal = self.colours.normalize(&spread(input, self.frames));
        self.trunk.forward(&normal.permute([0, 2, 1, 3, 4]).contiguous(), train)
    }
}

/// A convolution and its batch norm, named `0` and `1`.
struct Unit {
    conv: Conv<3>,
    norm: BatchNorm,
}

impl Unit {
    fn new(path: &Path, channels: [i64; 2], window: Window<3>) -> Self {
        let conv = Conv::new(&(path / 0), channels, ConvConfig::same(window));
        Self { conv, norm: BatchNorm::new(&(path / 1), channels[1]) }
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }

    fn subtract_mean(&self) {
        tch::no_grad(|| {
            let mut weight = self.conv.weight.shallow_clone();
            let _ = weight.g_sub_(&weight.mean_dim(&[2i64, 3, 4][..], true, Kind::Float));
        });
    }
}

/// `relu(conv2(relu(conv1(x))) + shortcut(x))`.
struct Block {
    conv1: Unit,
    conv2: Unit,
    shortcut: Option<Unit>,
}

impl Block {
    fn new(path: &Path, [inputs, outputs]: [i64; 2], window: Window<3>) -> Self {
        let still = Window { stride: [1, 1, 1], ..window };
        let point = Window { kernel: [1, 1, 1], ..window };
        let reshapes = inputs != outputs || window.stride != [1, 1, 1];
        Self {
            conv1: Unit::new(&(path / "conv1"), [inputs, outputs], window),
            conv2: Unit::new(&(path / "conv2"), [outputs, outputs], still),
            shortcut: reshapes.then(|| Unit::new(&(path / "downsample"), [inputs, outputs], point)),
        }
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let inner = self.conv1.forward(x, train).relu();
        let residual = self.conv2.forward(&inner, train);
        let shortcut = match &self.shortcut {
            Some(unit) => unit.forward(x, train),
            None => x.shallow_clone(),
        };
        (residual + shortcut).relu()
    }
}

#[cfg(test)]
#[path = "r3d_tests.rs"]
mod tests;
