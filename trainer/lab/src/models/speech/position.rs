//! A convolution that tells places apart by what is around them.

use tch::nn::{Init, Path};
use tch::{Kind, Tensor};

use super::SpeechConfig;
use crate::models::layers::{ConvConfig, Start, Window, convolve};

/// A grouped convolution over time with weight norm: its kernels are directions (`original1`) times
/// lengths (`original0`), one length for each place in the kernel.
///
/// # Source
/// Salimans and Kingma, Weight Normalization, <https://arxiv.org/abs/1602.07868>, with the names of
/// `torch.nn.utils.parametrizations.weight_norm`.
pub struct PositionalConv {
    lengths: Tensor,
    directions: Tensor,
    bias: Tensor,
    config: ConvConfig<1>,
}

impl PositionalConv {
    /// Makes it below `path`, with fresh weights whose lengths are those of their directions.
    pub fn new(path: &Path, config: &SpeechConfig) -> Self {
        let (width, kernel, groups) =
            (config.width, config.position_kernel, config.position_groups);
        let weight = path / "parametrizations" / "weight";
        let stdev = 2.0 / ((kernel * width) as f64).sqrt();
        let init = Init::Randn { mean: 0.0, stdev };
        let directions = weight.var("original1", &[width, width / groups, kernel], init);
        let norms = tch::no_grad(|| {
            directions.square().sum_dim_intlist(&[0i64, 1][..], true, None::<Kind>).sqrt()
        });
        let window = Window { kernel: [kernel], stride: [1] };
        Self {
            lengths: weight.var_copy("original0", &norms),
            directions,
            bias: path.zeros("bias", &[width]),
            // `start` is of no use here: the weights are there.
            config: ConvConfig {
                window,
                padding: [kernel / 2],
                groups,
                bias: true,
                start: Start::Normal(stdev),
            },
        }
    }

    /// # Shapes
    /// `[B, places, width]` to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let weight = Tensor::internal_weight_norm(&self.directions, &self.lengths, 2);
        let mixed = convolve(&x.transpose(1, 2), &weight, Some(&self.bias), &self.config);
        // An even kernel gives one place too many.
        mixed.narrow(2, 0, x.size()[1]).gelu("none").transpose(1, 2)
    }
}
