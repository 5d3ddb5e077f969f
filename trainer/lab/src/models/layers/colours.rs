//! From bytes to the colours that a network was trained on.

use tch::Tensor;
use tch::nn::Path;

/// Mean and deviation of red, green and blue, in 0..=1.
#[derive(Clone, Copy, Debug)]
pub struct ColourStatistics {
    /// Means.
    pub mean: [f32; 3],
    /// Standard deviations.
    pub std: [f32; 3],
}

impl ColourStatistics {
    /// Of ImageNet.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    /// Of what CLIP was trained on.
    pub const CLIP: Self = Self {
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_55, 0.261_302_6, 0.275_777_1],
    };
    /// Of Kinetics-400.
    pub const KINETICS: Self =
        Self { mean: [0.43216, 0.394666, 0.37645], std: [0.22803, 0.22145, 0.216989] };
}

/// Takes the mean and divides by the deviation.
pub struct Colours {
    mean: Tensor,
    std: Tensor,
}

impl Colours {
    /// The buffers `mean` and `std` below `root`, of `shape`: 3 where the colours are, 1 elsewhere.
    pub fn new(root: &Path, statistics: ColourStatistics, shape: &[i64]) -> Self {
        let buffer = |name: &str, values: [f32; 3]| {
            root.add(name, Tensor::from_slice(&values).view(shape).to_device(root.device()), false)
        };
        Self { mean: buffer("mean", statistics.mean), std: buffer("std", statistics.std) }
    }

    /// # Shapes
    /// Any that `shape` broadcasts to, uint8 in 0..=255, to the same in the kind of the buffers.
    pub fn normalize(&self, x: &Tensor) -> Tensor {
        (x.to_kind(self.mean.kind()) / 255.0 - &self.mean) / &self.std
    }
}
