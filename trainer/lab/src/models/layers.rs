//! Layers with PyTorch's initial values and state names. (tch's own differ in both: its batch norm
//! starts at random scales and keeps no `num_batches_tracked`, its linear layer starts wider.)

use tch::nn::{Init, Path, init::FanInOut, init::NonLinearity, init::NormalOrUniform};
use tch::{Kind, Tensor};

/// `x W^T + b`.
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// Weight and bias start uniform within `1 / sqrt(inputs)`.
    ///
    /// # Source
    /// `torch.nn.Linear.reset_parameters`.
    pub fn new(path: &Path, inputs: i64, outputs: i64) -> Self {
        let bound = 1.0 / (inputs as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        Self {
            weight: path.var("weight", &[outputs, inputs], uniform),
            bias: path.var("bias", &[outputs], uniform),
        }
    }

    /// # Shapes
    /// `[B, inputs]` to `[B, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// A 3-D convolution without bias; padded so that stride 1 keeps the size.
pub struct Conv3d {
    /// `[outputs, inputs, kT, kH, kW]`.
    pub weight: Tensor,
    stride: [i64; 3],
    padding: [i64; 3],
}

/// Kernel and stride of a [`Conv3d`], as `[T, H, W]`.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Odd sizes.
    pub kernel: [i64; 3],
    /// Steps.
    pub stride: [i64; 3],
}

impl Conv3d {
    /// Weights start normal with variance `2 / (outputs * kernel size)`.
    ///
    /// # Source
    /// torchvision's video ResNets: `kaiming_normal_(mode="fan_out", nonlinearity="relu")`.
    pub fn new(path: &Path, [inputs, outputs]: [i64; 2], window: Window) -> Self {
        let [t, h, w] = window.kernel;
        let init = Init::Kaiming {
            dist: NormalOrUniform::Normal,
            fan: FanInOut::FanOut,
            non_linearity: NonLinearity::ReLU,
        };
        Self {
            weight: path.var("weight", &[outputs, inputs, t, h, w], init),
            stride: window.stride,
            padding: window.kernel.map(|size| size / 2),
        }
    }

    /// # Shapes
    /// `[B, inputs, T, H, W]` to `[B, outputs, T/sT, H/sH, W/sW]`, rounded up.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv3d(&self.weight, None::<&Tensor>, self.stride, self.padding, [1, 1, 1], 1)
    }
}

/// Batch normalisation over all but the channel axis.
///
/// # Source
/// `torch.nn.BatchNorm3d`: epsilon 1e-5, momentum 0.1, scale starts at 1.
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor,
}

impl BatchNorm {
    /// Five state tensors below `path`, of which two are trained.
    pub fn new(path: &Path, channels: i64) -> Self {
        let zero = Tensor::zeros([0i64; 0], (Kind::Int64, path.device()));
        Self {
            weight: path.ones("weight", &[channels]),
            bias: path.zeros("bias", &[channels]),
            running_mean: path.zeros_no_train("running_mean", &[channels]),
            running_var: path.ones_no_train("running_var", &[channels]),
            num_batches_tracked: path.add("num_batches_tracked", zero, false),
        }
    }

    /// # Shapes
    /// `[B, channels, …]` to the same.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        if train {
            let _ = self.num_batches_tracked.shallow_clone().g_add_scalar_(1);
        }
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            0.1,
            1e-5,
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::VarStore};

    fn check_spread(name: &str, tensor: &Tensor, expected: f64) {
        let spread = tensor.std(true).double_value(&[]);
        assert!((spread / expected - 1.0).abs() < 0.05, "{name}: {spread} is not {expected}");
    }

    #[test]
    fn initial_values_are_pytorchs() {
        let store = VarStore::new(Device::Cpu);
        let linear = Linear::new(&(store.root() / "linear"), 1024, 8192);
        // torch.nn.Linear(1024, 8192).weight.std() is 0.0180.
        check_spread("linear weight", &linear.weight, 0.0180);
        check_spread("linear bias", &linear.bias, 0.0180);
        let window = Window { kernel: [3, 3, 3], stride: [1, 1, 1] };
        let conv = Conv3d::new(&(store.root() / "conv"), [16, 32], window);
        check_spread("conv weight", &conv.weight, (2.0f64 / (32.0 * 27.0)).sqrt());
        let norm = BatchNorm::new(&(store.root() / "norm"), 4);
        assert_eq!(Vec::<f32>::try_from(&norm.weight).unwrap(), [1.0; 4]);
        assert_eq!(Vec::<f32>::try_from(&norm.bias).unwrap(), [0.0; 4]);
    }

    #[test]
    fn batch_norm_tracks_in_training_only() {
        let store = VarStore::new(Device::Cpu);
        let norm = BatchNorm::new(&store.root(), 2);
        let x = Tensor::full([4, 2, 3], 5.0, (Kind::Float, Device::Cpu));
        let _ = norm.forward(&x, false);
        assert_eq!(norm.num_batches_tracked.int64_value(&[]), 0);
        let _ = norm.forward(&x, true);
        assert_eq!(norm.num_batches_tracked.int64_value(&[]), 1);
        assert!((norm.running_mean.double_value(&[0]) - 0.5).abs() < 1e-6);
    }
}
