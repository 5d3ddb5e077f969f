//! Optimisers: from gradients to new weights.

use tch::{Kind, Tensor};

use crate::shim::{AdamWRule, AdamWSlot, fused_adamw};

/// Updates weights in place.
pub trait Optimizer {
    /// The weights that are updated.
    fn parameters(&self) -> Vec<Tensor>;

    /// Makes one update from the gradients that are there.
    fn update(&mut self, learning_rate: f64);

    /// Forgets all gradients.
    fn zero_grad(&mut self) {
        for mut parameter in self.parameters() {
            parameter.zero_grad();
        }
    }

    /// The tensors, by name, that put it back where it stood when they are overwritten; `None` when it does
    /// not tell them, and then no training of it can go on after a stop.
    fn state(&self) -> Option<Vec<(String, Tensor)>> {
        None
    }

    /// Leaves the weights as they shall be kept: asked once, after the training.
    fn finish(&mut self) {}
}

/// Parameters that share their settings.
pub struct ParameterGroup {
    /// The weights.
    pub parameters: Vec<Tensor>,
    /// Multiplies the learning rate.
    pub learning_rate_scale: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl ParameterGroup {
    /// A group at the full learning rate, with PyTorch's default weight decay of 0.01.
    pub fn new(parameters: Vec<Tensor>) -> Self {
        Self { parameters, learning_rate_scale: 1.0, weight_decay: 0.01 }
    }
}

/// AdamW in one pass over all weights of a group.
///
/// # Source
/// `torch.optim.AdamW(fused=True)` with its default betas (0.9, 0.999) and epsilon 1e-8.
pub struct FusedAdamW {
    groups: Vec<(ParameterGroup, Vec<Moments>)>,
}

struct Moments {
    first: Tensor,
    second: Tensor,
    step: Tensor,
}

impl Moments {
    fn zero(parameter: &Tensor) -> Self {
        Self {
            first: parameter.zeros_like().detach(),
            second: parameter.zeros_like().detach(),
            step: Tensor::zeros([0i64; 0], (Kind::Float, parameter.device())),
        }
    }
}

impl FusedAdamW {
    /// Starts with empty moments.
    pub fn new(groups: Vec<ParameterGroup>) -> Self {
        let with_moments = |group: ParameterGroup| {
            let moments = group.parameters.iter().map(Moments::zero).collect();
            (group, moments)
        };
        Self { groups: groups.into_iter().map(with_moments).collect() }
    }
}

impl Optimizer for FusedAdamW {
    fn parameters(&self) -> Vec<Tensor> {
        let all = self.groups.iter().flat_map(|(group, _)| &group.parameters);
        all.map(Tensor::shallow_clone).collect()
    }

    /// # Panics
    /// If libtorch refuses, say because a gradient has another device than its weight.
    fn update(&mut self, learning_rate: f64) {
        for (group, moments) in &self.groups {
            let rule = AdamWRule {
                learning_rate: learning_rate * group.learning_rate_scale,
                beta1: 0.9,
                beta2: 0.999,
                weight_decay: group.weight_decay,
                epsilon: 1e-8,
            };
            if let Err(error) = fused_adamw(&slots(group, moments), rule) {
                panic!("{error}");
            }
        }
    }

    fn state(&self) -> Option<Vec<(String, Tensor)>> {
        let all = self.groups.iter().flat_map(|(_, moments)| moments).enumerate();
        let named = |(number, Moments { first, second, step }): (usize, &Moments)| {
            let parts = [("first", first), ("second", second), ("step", step)];
            parts.map(|(part, tensor)| (format!("{number}.{part}"), tensor.shallow_clone()))
        };
        Some(all.flat_map(named).collect())
    }
}

/// The weights that took part in the loss; the others have no gradient.
fn slots(group: &ParameterGroup, moments: &[Moments]) -> Vec<AdamWSlot> {
    let all = group.parameters.iter().zip(moments);
    all.filter_map(|(parameter, moments)| {
        let gradient = parameter.grad();
        gradient.defined().then(|| AdamWSlot {
            parameter: parameter.shallow_clone(),
            gradient,
            first_moment: moments.first.shallow_clone(),
            second_moment: moments.second.shallow_clone(),
            step: moments.step.shallow_clone(),
        })
    })
    .collect()
}

#[cfg(test)]
#[path = "optimizer_tests.rs"]
mod tests;
