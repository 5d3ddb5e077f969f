//! Mixed precision: in what kind of numbers a step is computed, and what that asks for.

use tch::{Device, Kind, Tensor};

use crate::shim::{self, Autocast, ShimError};

/// Where the scale begins, what it is multiplied with after so many good updates, and after a bad one.
const FIRST: f64 = 65536.0;
const GROWTH: f64 = 2.0;
const GOOD_UPDATES: f64 = 2000.0;
const BACKOFF: f64 = 0.5;

/// The kind of a training's steps, with the scale that keeps small gradients in float16 from becoming zero.
///
/// # Source
/// `torch.autocast` and `torch.amp.GradScaler` with its defaults. dfresearch computes in float16 everywhere;
/// bfloat16 has float32's range and needs no scale, so that it comes first where a GPU is made for it.
pub struct MixedPrecision {
    device: Device,
    kind: Kind,
    /// The scale, and good updates since it changed.
    state: Tensor,
}

impl MixedPrecision {
    /// What `device` computes fast: bfloat16, float16 on GPUs before compute capability 8, float32 on a CPU.
    pub fn of(device: Device) -> Self {
        let kind = match device {
            Device::Cuda(_) if shim::computes_bfloat16() => Kind::BFloat16,
            Device::Cuda(_) => Kind::Half,
            _ => Kind::Float,
        };
        Self::in_kind(device, kind)
    }

    /// In a kind of one's own choice.
    pub fn in_kind(device: Device, kind: Kind) -> Self {
        Self { device, kind, state: Tensor::from_slice(&[FIRST, 0.0]) }
    }

    /// Begins it on this thread, until what it gives is dropped.
    ///
    /// # Errors
    /// libtorch has no such kind on this device.
    pub fn begin(&self) -> Result<Option<Autocast>, ShimError> {
        if self.kind == Kind::Float {
            return Ok(None);
        }
        Autocast::begin(self.device, self.kind).map(Some)
    }

    /// A loss as its gradients are to be computed of.
    pub fn scaled(&self, loss: &Tensor) -> Tensor {
        if self.is_scaled() { loss * self.scale() } else { loss.shallow_clone() }
    }

    /// Puts the gradients of scaled losses right, and says whether they are to be used: none of them is NaN or
    /// infinite. Without a scale they are, whatever they are.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn unscale(&mut self, parameters: &[Tensor]) -> Result<bool, ShimError> {
        if !self.is_scaled() {
            return Ok(true);
        }
        let is_finite = shim::unscale_gradients(parameters, self.scale())?;
        let good = if is_finite { self.state.double_value(&[1]) + 1.0 } else { 0.0 };
        let (factor, good) = match (is_finite, good >= GOOD_UPDATES) {
            (false, _) => (BACKOFF, 0.0),
            (true, true) => (GROWTH, 0.0),
            (true, false) => (1.0, good),
        };
        self.state.copy_(&Tensor::from_slice(&[self.scale() * factor, good]));
        Ok(is_finite)
    }

    /// What puts it back where it stood when it is overwritten: `[scale, good updates]`.
    pub fn state(&self) -> Tensor {
        self.state.shallow_clone()
    }

    fn is_scaled(&self) -> bool {
        self.kind == Kind::Half
    }

    fn scale(&self) -> f64 {
        self.state.double_value(&[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> MixedPrecision {
        MixedPrecision::in_kind(Device::Cpu, Kind::Half)
    }

    fn weight() -> Tensor {
        Tensor::ones([4, 4], (Kind::Float, Device::Cpu)).set_requires_grad(true)
    }

    /// The gradient of a loss this small is zero in float16.
    fn tiny_gradient(precision: &MixedPrecision, weight: &Tensor) -> Tensor {
        let autocast = precision.begin().unwrap();
        let output = weight.matmul(&Tensor::ones([4, 1], (Kind::Float, Device::Cpu)));
        assert_eq!(output.kind(), if autocast.is_some() { Kind::Half } else { Kind::Float });
        drop(autocast);
        precision.scaled(&(output.to_kind(Kind::Float).sum(Kind::Float) * 1e-9)).backward();
        weight.grad()
    }

    #[test]
    fn a_scale_keeps_small_gradients() {
        let (weight, mut precision) = (weight(), half());
        let gradient = tiny_gradient(&precision, &weight);
        assert!(precision.unscale(&[weight.shallow_clone()]).unwrap());
        let found = gradient.double_value(&[0, 0]);
        assert!((found / 1e-9 - 1.0).abs() < 1e-2, "{found}");
        precision.state().copy_(&Tensor::from_slice(&[1.0, 0.0]));
        let unscaled = self::weight();
        assert_eq!(tiny_gradient(&precision, &unscaled).double_value(&[0, 0]), 0.0);
    }

    #[test]
    fn a_bad_update_halves_the_scale_and_many_good_ones_double_it() {
        let (weight, mut precision) = (weight(), half());
        (&weight * f64::INFINITY).sum(Kind::Float).backward();
        assert!(!precision.unscale(&[weight.shallow_clone()]).unwrap());
        assert_eq!(Vec::<f64>::try_from(precision.state()).unwrap(), [FIRST / 2.0, 0.0]);
        let mut weight = weight;
        weight.zero_grad();
        precision.state().copy_(&Tensor::from_slice(&[8.0, GOOD_UPDATES - 1.0]));
        weight.sum(Kind::Float).backward();
        assert!(precision.unscale(&[weight.shallow_clone()]).unwrap());
        assert_eq!(Vec::<f64>::try_from(precision.state()).unwrap(), [16.0, 0.0]);
        assert_eq!(weight.grad().double_value(&[0, 0]), 0.125);
    }

    #[test]
    fn other_kinds_are_left_alone() {
        let mut precision = MixedPrecision::of(Device::Cpu);
        let weight = weight();
        assert_ne!(tiny_gradient(&precision, &weight).double_value(&[0, 0]), 0.0);
        (&weight * f64::NAN).sum(Kind::Float).backward();
        assert!(precision.unscale(&[weight]).unwrap());
        assert_eq!(precision.state().double_value(&[0]), FIRST);
    }
}
