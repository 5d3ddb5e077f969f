//! What the recipes share: optimiser, schedule, loss, mixing of pairs.

use std::str::FromStr;

use dfr_harness::average::Averaged;
use dfr_harness::loss::{FocalOptions, focal};
use dfr_harness::optimizer::{FusedAdamW, Optimizer};
use dfr_harness::pretrained::Pretrained;
use dfr_harness::recipe::{
    Detector, Facts, KnobError, Progress, Recipe, Step, Transform, augment, backward, forward,
};
use dfr_harness::recompute::Recompute;
use dfr_harness::record::RecordTransform;
use dfr_harness::schedule::Schedule;
use rand::RngExt as _;
use tch::Tensor;
use tch::nn::{Path, VarStore};

use super::groups::{Frozen, freeze, groups};
use crate::transforms::mix::{self, Mixed};

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
    /// Puts pieces of records into others, more often halves the larger; 0 puts none.
    pub cutmix_alpha: f64,
    /// Learning rate of each layer, as a fraction of that of the next one; 1 is the same for all.
    pub layer_decay: f64,
    /// What an update leaves of the running mean of the weights, which is kept in their place; 0 keeps the
    /// weights.
    pub ema_decay: f64,
    /// Keeps only what stands between a transformer's blocks, and computes their inside again for the gradients:
    /// room for larger batches, for a third more time. Changes no result.
    pub gradient_checkpointing: bool,
}

impl Training {
    /// Mixes in one of the two ways, drawn where both are wanted.
    fn mix(&self, step: &mut Step) -> Mixed {
        let (mixup, cutmix) = (self.mixup_alpha > 0.0, self.cutmix_alpha > 0.0);
        match (mixup, cutmix) {
            (false, false) => mix::unmixed(step),
            (true, true) if step.rng.random() => mix::mixup(step, self.mixup_alpha),
            (true, false) => mix::mixup(step, self.mixup_alpha),
            _ => mix::cutmix(step, self.cutmix_alpha),
        }
    }
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
    /// The public checkpoint that it starts from.
    pub pretrained: Option<Pretrained>,
    /// What is not trained.
    pub frozen: Frozen,
    /// The augmentation of training batches, on the device.
    pub transform: Option<Box<dyn Transform>>,
    /// The augmentation of training records, on the CPU.
    pub record_transform: Option<Box<dyn RecordTransform>>,
}

/// What is turned from outside.
const KNOBS: [&str; 3] = ["learning_rate", "batch_size", "schedule"];

fn refused(knob: &'static str, value: &str, expected: &'static str) -> KnobError {
    KnobError::Value { knob, value: value.to_owned(), expected }
}

/// A number that is as it should be.
fn parsed<T: FromStr>(
    knob: &'static str,
    value: &str,
    expected: &'static str,
    is_sound: impl Fn(&T) -> bool,
) -> Result<T, KnobError> {
    let number = value.parse().ok().filter(is_sound);
    number.ok_or_else(|| refused(knob, value, expected))
}

impl Recipe for Preset {
    fn facts(&self) -> Facts {
        self.facts.clone()
    }

    fn set(&mut self, knob: &str, value: &str) -> Result<(), KnobError> {
        match knob {
            "learning_rate" => {
                self.training.learning_rate =
                    parsed("learning_rate", value, "above 0", |rate: &f64| {
                        rate.is_finite() && *rate > 0.0
                    })?;
                self.facts.learning_rate = self.training.learning_rate;
            }
            "batch_size" => {
                let records = parsed("batch_size", value, "a whole number from 1 on", |n| *n > 0)?;
                self.training.batch_size = records;
                self.facts.batch_size = records;
            }
            "schedule" => {
                let known = [("constant", Schedule::Constant), ("cosine", Schedule::Cosine)];
                let found = known.into_iter().find(|(word, _)| *word == value);
                let (_, schedule) =
                    found.ok_or_else(|| refused("schedule", value, "constant or cosine"))?;
                self.training.schedule = schedule;
            }
            _ => return Err(KnobError::Unknown { knob: knob.to_owned(), known: &KNOBS }),
        }
        Ok(())
    }

    fn model(&self, root: &Path, shape: &[i64]) -> Box<dyn Detector> {
        (self.build)(root, shape)
    }

    fn pretrained(&self) -> Option<Pretrained> {
        self.pretrained
    }

    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        let Training { weight_decay, layer_decay, ema_decay, .. } = self.training;
        freeze(variables, self.frozen);
        let adamw = Box::new(FusedAdamW::new(groups(variables, weight_decay, layer_decay)));
        if ema_decay > 0.0 { Box::new(Averaged::new(adamw, ema_decay)) } else { adamw }
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

    fn record_transform(&self) -> Option<&dyn RecordTransform> {
        self.record_transform.as_deref()
    }

    fn accumulation(&self) -> u64 {
        self.training.grad_accum_steps
    }

    fn clip_norm(&self) -> Option<f64> {
        (self.training.clip_norm > 0.0).then_some(self.training.clip_norm)
    }

    fn step(&self, step: &mut Step) -> Tensor {
        augment(self.transform(), step);
        let Mixed { share, partners } = self.training.mix(step);
        let recompute = self.training.gradient_checkpointing.then(Recompute::begin);
        let logits = forward(step);
        drop(recompute);
        let mut loss = self.loss(&logits, &step.labels);
        if share < 1.0 {
            loss = loss * share + self.loss(&logits, &partners) * (1.0 - share);
        }
        backward(self, step, &loss);
        loss.detach()
    }
}

#[cfg(test)]
#[path = "training_tests.rs"]
mod tests;
