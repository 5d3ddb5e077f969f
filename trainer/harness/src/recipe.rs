//! What a recipe may decide: model, optimiser, schedule, loss, order, augmentation, the step.
//!
//! Every method has a default, so that a recipe says only what it does otherwise. Deliberately absent:
//! the clock, the data files, prediction and checkpoints. They stay in the harness, so that every
//! recipe is timed and judged alike.

use rand_chacha::ChaCha8Rng;
use tch::nn::{Path, VarStore};
use tch::{Device, Tensor};

use crate::optimizer::{FusedAdamW, Optimizer, ParameterGroup};
use crate::precision::MixedPrecision;
use crate::pretrained::Pretrained;
use crate::record::RecordTransform;
use crate::shim::clip_gradients;
use crate::{loss, order, probe};

/// A model that tells real (class 0) from synthetic (class 1).
pub trait Detector {
    /// Logits of both classes. Normalisation is part of the model.
    ///
    /// # Shapes
    /// `[B,T,3,H,W]` (video) or `[B,3,H,W]` (image) uint8 in 0..=255, or `[B,N]` (audio) float32 in
    /// -1..1, to `[B,2]` float.
    fn forward(&self, input: &Tensor, train: bool) -> Tensor;
}

/// An augmentation of training batches, on the device.
pub trait Transform {
    /// # Shapes
    /// `[B,T,3,H,W]` uint8 in 0..=255 to the same.
    fn apply(&self, batch: &Tensor, rng: &mut ChaCha8Rng) -> Tensor;
}

/// What the footer says of a recipe; of these the harness uses the batch size.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Model name.
    pub model: String,
    /// Records per batch, at least 1.
    pub batch_size: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Strength of augmentation, 0 to 3 (image and video only).
    pub augment_level: Option<u64>,
    /// Frames that the model looks at (video only).
    pub num_frames: Option<u64>,
}

/// Where the training stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Batches seen before this one.
    pub step: u64,
    /// Fraction of the time budget used, in 0..=1.
    pub budget: f64,
}

/// What one step works with.
pub struct Step<'a> {
    /// The model.
    pub detector: &'a dyn Detector,
    /// The optimiser that the recipe made.
    pub optimizer: &'a mut dyn Optimizer,
    /// Where model and batch are.
    pub device: Device,
    /// In what kind of numbers it is computed.
    pub precision: &'a mut MixedPrecision,
    /// `[B,T,3,H,W]` uint8, not yet augmented.
    pub input: Tensor,
    /// `[B]` int64: 0 real, 1 synthetic.
    pub labels: Tensor,
    /// Where the training stands.
    pub progress: Progress,
    /// Randomness of augmentation and of the step.
    pub rng: &'a mut ChaCha8Rng,
}

/// Why a knob cannot be turned.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnobError {
    /// The recipe has none of that name that is turned from outside.
    #[error("this recipe takes no {knob} from outside{}: change it in the recipe's file", listed(.known))]
    Unknown {
        /// What was asked for.
        knob: String,
        /// What there is.
        known: &'static [&'static str],
    },
    /// It does not go there.
    #[error("{knob} cannot be {value:?}: it is {expected}")]
    Value {
        /// The knob.
        knob: &'static str,
        /// What was asked for.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!(", only {}", names.join(", ")) }
}

/// How a detector is made and trained.
pub trait Recipe {
    /// What the footer reports.
    fn facts(&self) -> Facts;

    /// Turns a knob by hand: `dfr-train --set knob=value`.
    ///
    /// # Errors
    /// No such knob, or no such value.
    fn set(&mut self, knob: &str, _value: &str) -> Result<(), KnobError> {
        Err(KnobError::Unknown { knob: knob.to_owned(), known: &[] })
    }

    /// Makes the model below `root`, for records of `shape` (`T 3 H W`, `3 H W` or `N`). Variables are named by their
    /// path; these names are the checkpoint's.
    fn model(&self, root: &Path, shape: &[i64]) -> Box<dyn Detector> {
        Box::new(probe::Probe::new(root, shape))
    }

    /// The public checkpoint that the model starts from.
    fn pretrained(&self) -> Option<Pretrained> {
        None
    }

    /// Makes the optimiser over all trainable variables.
    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        let group = ParameterGroup::new(variables.trainable_variables());
        Box::new(FusedAdamW::new(vec![group]))
    }

    /// Learning rate of the next step.
    fn learning_rate(&self, _progress: Progress) -> f64 {
        self.facts().learning_rate
    }

    /// Mean loss of a batch.
    ///
    /// # Shapes
    /// Logits `[B,2]` float32 and labels `[B]` int64 to a scalar.
    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        loss::cross_entropy(logits, labels, 0.0)
    }

    /// The records of one epoch, in order. A record may come more than once, or not at all. Asked some
    /// batches ahead of the training; [`order`] has more than the default.
    fn batch_order(&self, labels: &[u8], rng: &mut ChaCha8Rng) -> Vec<usize> {
        order::shuffled(labels, rng)
    }

    /// The change of each training record, on the CPU.
    fn record_transform(&self) -> Option<&dyn RecordTransform> {
        None
    }

    /// The augmentation of training batches.
    fn transform(&self) -> Option<&dyn Transform> {
        None
    }

    /// Batches per update of the weights.
    fn accumulation(&self) -> u64 {
        1
    }

    /// Largest global norm of the gradients.
    fn clip_norm(&self) -> Option<f64> {
        None
    }

    /// Trains on one batch and returns its loss, detached.
    fn step(&self, step: &mut Step) -> Tensor {
        augment(self.transform(), step);
        let logits = forward(step);
        let loss = self.loss(&logits, &step.labels);
        backward(self, step, &loss);
        loss.detach()
    }
}

/// Replaces the step's input by its augmentation.
pub fn augment(transform: Option<&dyn Transform>, step: &mut Step) {
    if let Some(transform) = transform {
        step.input = tch::no_grad(|| transform.apply(&step.input, step.rng));
    }
}

/// The model's logits in float32, computed in half precision where the device is made for it.
pub fn forward(step: &Step) -> Tensor {
    let _autocast = step.precision.begin().expect("libtorch knows autocast for the device in use");
    step.detector.forward(&step.input, true).to_kind(tch::Kind::Float)
}

/// Adds the gradients of `loss`; after every [`Recipe::accumulation`] batches clips them and updates
/// the weights.
///
/// # Panics
/// If libtorch refuses.
pub fn backward<R: Recipe + ?Sized>(recipe: &R, step: &mut Step, loss: &Tensor) {
    let accumulation = recipe.accumulation().max(1);
    step.precision.scaled(&(loss / accumulation as f64)).backward();
    if !(step.progress.step + 1).is_multiple_of(accumulation) {
        return;
    }
    let parameters = step.optimizer.parameters();
    if step.precision.unscale(&parameters).unwrap_or_else(|error| panic!("{error}")) {
        let clipped = recipe.clip_norm().map(|max_norm| clip_gradients(&parameters, max_norm));
        clipped.transpose().unwrap_or_else(|error| panic!("{error}"));
        step.optimizer.update(recipe.learning_rate(step.progress));
    }
    step.optimizer.zero_grad();
}
