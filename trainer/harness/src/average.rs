//! A running mean of the weights, which is steadier than the weights themselves.

use tch::{Device, Kind, Tensor};

use crate::optimizer::Optimizer;

/// An optimiser that ends on the exponential mean of its weights. Statistics of batch norms are no
/// weights and stay as they are.
///
/// # Source
/// Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging; the decay's warm-up,
/// `(1 + updates) / (10 + updates)`, is TensorFlow's `ExponentialMovingAverage`.
pub struct Averaged {
    inner: Box<dyn Optimizer>,
    decay: f64,
    means: Vec<Tensor>,
    /// How many there were, where [`Optimizer::state`] finds it.
    updates: Tensor,
}

impl Averaged {
    /// Starts at the weights that `inner` has now. `decay` in 0..1 is what is left of the mean after an
    /// update.
    pub fn new(inner: Box<dyn Optimizer>, decay: f64) -> Self {
        let means = inner.parameters().iter().map(|weight| weight.detach().copy()).collect();
        let updates = Tensor::zeros([0i64; 0], (Kind::Int64, Device::Cpu));
        Self { inner, decay, means, updates }
    }

    fn decay(&self) -> f64 {
        let updates = self.updates.int64_value(&[]) as f64;
        self.decay.min((1.0 + updates) / (10.0 + updates))
    }
}

impl Optimizer for Averaged {
    fn parameters(&self) -> Vec<Tensor> {
        self.inner.parameters()
    }

    fn update(&mut self, learning_rate: f64) {
        self.inner.update(learning_rate);
        let _ = self.updates.g_add_scalar_(1);
        let share = 1.0 - self.decay();
        tch::no_grad(|| {
            for (mean, weight) in self.means.iter_mut().zip(self.inner.parameters()) {
                let _ = mean.lerp_(&weight, share);
            }
        });
    }

    fn state(&self) -> Option<Vec<(String, Tensor)>> {
        let mut state = self.inner.state()?;
        let means = self.means.iter().enumerate();
        state.extend(means.map(|(number, mean)| (format!("mean.{number}"), mean.shallow_clone())));
        state.push(("updates".to_owned(), self.updates.shallow_clone()));
        Some(state)
    }

    fn finish(&mut self) {
        self.inner.finish();
        tch::no_grad(|| {
            for (mean, mut weight) in self.means.iter().zip(self.inner.parameters()) {
                weight.copy_(mean);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::{FusedAdamW, ParameterGroup};

    #[test]
    fn it_ends_on_the_mean_of_its_weights() {
        let weight = Tensor::full([1], 1.0, (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let group = ParameterGroup::new(vec![weight.shallow_clone()]);
        let mut optimizer = Averaged::new(Box::new(FusedAdamW::new(vec![group])), 0.3);
        let mut mean = 1.0;
        for decay in [2.0 / 11.0, 3.0 / 12.0, 0.3, 0.3] {
            (&weight * 2.0).sum(Kind::Double).backward();
            optimizer.update(0.1);
            optimizer.zero_grad();
            mean = decay * mean + (1.0 - decay) * weight.double_value(&[0]);
        }
        assert!((weight.double_value(&[0]) - mean).abs() > 0.01);
        optimizer.finish();
        assert!((weight.double_value(&[0]) - mean).abs() < 1e-12);
    }
}
