//! What the recipes share: optimiser, schedule, loss, mixing of pairs.

use dfr_harness::loss::{FocalOptions, focal};
use dfr_harness::optimizer::{FusedAdamW, Optimizer, ParameterGroup};
use dfr_harness::recipe::{
    Detector, Facts, Progress, Recipe, Step, Transform, augment, backward, forward,
};
use dfr_harness::schedule::Schedule;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tch::nn::{Path, VarStore};
use tch::{Kind, Tensor};

/// What is tuned of the training.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    /// Peak learning rate of AdamW.
    pub learning_rate: f64,
    /// Decoupled weight decay, on all weights.
    pub weight_decay: f64,
    /// Records per batch.
    pub batch_size: usize,
    /// Batches per update of the weights.
    pub grad_accum_steps: u64,
    /// Batches until the learning rate is at its peak.
    pub warmup_steps: u64,
    /// The learning rate after the warm-up.
    pub schedule: Schedule,
    /// Largest global norm of the gradients; 0 does not clip.
    pub clip_norm: f64,
    /// Share of each target that goes to both classes.
    pub label_smoothing: f64,
    /// How much less easy records weigh; 0 is cross-entropy.
    pub focal_gamma: f64,
    /// Blends pairs of records, more evenly the larger; 0 blends none.
    pub mixup_alpha: f64,
}

/// Makes a model below a path, for records of a shape.
pub type Build = Box<dyn Fn(&Path, &[i64]) -> Box<dyn Detector>>;

/// A model and how it is trained.
pub struct Preset {
    /// What the footer reports.
    pub facts: Facts,
    /// The training's constants.
    pub training: Training,
    /// The model.
    pub build: Build,
    /// The augmentation of training batches.
    pub transform: Option<Box<dyn Transform>>,
}

impl Recipe for Preset {
    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn model(&self, root: &Path, shape: &[i64]) -> Box<dyn Detector> {
        (self.build)(root, shape)
    }

    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        let group = ParameterGroup {
            weight_decay: self.training.weight_decay,
            ..ParameterGroup::new(variables.trainable_variables())
        };
        Box::new(FusedAdamW::new(vec![group]))
    }

    fn learning_rate(&self, progress: Progress) -> f64 {
        let Training { learning_rate, schedule, warmup_steps, .. } = self.training;
        learning_rate * schedule.factor(progress, warmup_steps)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        let Training { focal_gamma: gamma, label_smoothing, .. } = self.training;
        focal(logits, labels, FocalOptions { gamma, label_smoothing })
    }

    fn transform(&self) -> Option<&dyn Transform> {
        self.transform.as_deref()
    }

    fn accumulation(&self) -> u64 {
        self.training.grad_accum_steps
    }

    fn clip_norm(&self) -> Option<f64> {
        (self.training.clip_norm > 0.0).then_some(self.training.clip_norm)
    }

    fn step(&self, step: &mut Step) -> Tensor {
        augment(self.transform(), step);
        let (share, partners) = mix(step, self.training.mixup_alpha);
        let logits = forward(step);
        let mut loss = self.loss(&logits, &step.labels);
        if share < 1.0 {
            loss = loss * share + self.loss(&logits, &partners) * (1.0 - share);
        }
        backward(self, step, &loss);
        loss.detach()
    }
}

/// Blends every record with its partner, the batch read backwards. Returns the share that the record
/// keeps and the partners' labels.
///
/// # Source
/// Zhang et al., mixup, <https://arxiv.org/abs/1710.09412>.
fn mix(step: &mut Step, alpha: f64) -> (f64, Tensor) {
    let partners = step.labels.flip([0]);
    if alpha <= 0.0 {
        return (1.0, partners);
    }
    let share = symmetric_beta(alpha, step.rng);
    let kind = step.input.kind();
    let records = step.input.to_kind(Kind::Float);
    let blend = &records * share + records.flip([0]) * (1.0 - share);
    step.input = if kind == Kind::Uint8 { blend.round().to_kind(kind) } else { blend };
    (share, partners)
}

/// A draw from Beta(alpha, alpha), by Jöhnk's rejection; fast for alpha up to about 1.
fn symmetric_beta(alpha: f64, rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let [x, y] = [rng.random::<f64>(), rng.random()].map(|u: f64| u.powf(1.0 / alpha));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}

#[cfg(test)]
#[path = "training_tests.rs"]
mod tests;
