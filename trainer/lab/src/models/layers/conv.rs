//! Convolutions over 1 to 3 axes.

use tch::Tensor;
use tch::nn::{Init, Path};

/// Kernel and stride, by axis: `[T]`, `[H, W]` or `[T, H, W]`.
#[derive(Clone, Copy, Debug)]
pub struct Window<const N: usize> {
    /// Sizes.
    pub kernel: [i64; N],
    /// Steps.
    pub stride: [i64; N],
}

impl<const N: usize> Window<N> {
    /// The same along every axis.
    pub fn square(kernel: i64, stride: i64) -> Self {
        Self { kernel: [kernel; N], stride: [stride; N] }
    }
}

/// Where weights start.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// Normal with variance `2 / (outputs * kernel size / groups)`; a bias at 0.
    FanOut,
    /// Uniform within `1 / sqrt(inputs * kernel size / groups)`, as `torch.nn.Conv*d`; a bias too.
    FanIn,
    /// Normal with variance `2 / (inputs * kernel size / groups)`; a bias as with [`Start::FanIn`].
    FanInNormal,
    /// Normal with this deviation; a bias at 0.
    Normal(f64),
}

/// Shape of a [`Conv`].
#[derive(Clone, Copy, Debug)]
pub struct ConvConfig<const N: usize> {
    /// Kernel and stride.
    pub window: Window<N>,
    /// Zeros added at both ends of each axis.
    pub padding: [i64; N],
    /// Groups of channels that see nothing of each other.
    pub groups: i64,
    /// Whether each output has a bias.
    pub bias: bool,
    /// Where weights start.
    pub start: Start,
}

impl<const N: usize> ConvConfig<N> {
    /// Without bias, padded so that stride 1 keeps the size (odd kernels).
    pub fn same(window: Window<N>) -> Self {
        let padding = window.kernel.map(|size| size / 2);
        Self { window, padding, groups: 1, bias: false, start: Start::FanOut }
    }

    /// With bias, over patches side by side.
    pub fn patches(size: [i64; N]) -> Self {
        let window = Window { kernel: size, stride: size };
        Self { window, padding: [0; N], groups: 1, bias: true, start: Start::Normal(0.02) }
    }
}

/// A convolution over `N` axes.
pub struct Conv<const N: usize> {
    /// `[outputs, inputs / groups, kernel…]`.
    pub weight: Tensor,
    bias: Option<Tensor>,
    config: ConvConfig<N>,
}

impl<const N: usize> Conv<N> {
    /// Makes it below `path`, from `inputs` to `outputs` channels.
    pub fn new(path: &Path, [inputs, outputs]: [i64; 2], config: ConvConfig<N>) -> Self {
        let size: i64 = config.window.kernel.iter().product();
        let fan_in = (inputs * size / config.groups) as f64;
        let fan_out = (outputs * size / config.groups) as f64;
        let uniform = Init::Uniform { lo: -fan_in.powf(-0.5), up: fan_in.powf(-0.5) };
        let (init, bias) = match config.start {
            Start::FanOut => (normal((2.0 / fan_out).sqrt()), Init::Const(0.0)),
            Start::FanIn => (uniform, uniform),
            Start::FanInNormal => (normal((2.0 / fan_in).sqrt()), uniform),
            Start::Normal(stdev) => (normal(stdev), Init::Const(0.0)),
        };
        let mut shape = vec![outputs, inputs / config.groups];
        shape.extend(config.window.kernel);
        Self {
            weight: path.var("weight", &shape, init),
            bias: config.bias.then(|| path.var("bias", &[outputs], bias)),
            config,
        }
    }

    /// # Shapes
    /// `[B, inputs, …]` to `[B, outputs, …]`, each of the `N` axes to
    /// `(size + 2 padding - kernel) / stride + 1`.
    ///
    /// # Panics
    /// If the input has another number of axes.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        convolve(x, &self.weight, self.bias.as_ref(), &self.config)
    }
}

/// [`Conv::forward`] with weights that are computed.
///
/// # Panics
/// If `N` is not 1, 2 or 3.
pub fn convolve<const N: usize>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    config: &ConvConfig<N>,
) -> Tensor {
    let (stride, padding, groups) = (config.window.stride, config.padding, config.groups);
    match N {
        1 => x.conv1d(weight, bias, stride, padding, [1; N], groups),
        2 => x.conv2d(weight, bias, stride, padding, [1; N], groups),
        3 => x.conv3d(weight, bias, stride, padding, [1; N], groups),
        axes => unreachable!("no convolution has {axes} axes"),
    }
}

fn normal(stdev: f64) -> Init {
    Init::Randn { mean: 0.0, stdev }
}
