//! Training of video detectors, driven by a few knobs.

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

use crate::models::r3d::{R3d, R3dConfig};
use crate::transforms::video::VideoAugmentation;

/// What is tuned.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    /// Peak learning rate of AdamW.
    pub learning_rate: f64,
    /// Decoupled weight decay, on all weights.
    pub weight_decay: f64,
    /// Clips per batch.
    pub batch_size: usize,
    /// Batches per update of the weights.
    pub grad_accum_steps: u64,
    /// Batches until the learning rate is at its peak.
    pub warmup_steps: u64,
    /// The learning rate after the warm-up.
    pub schedule: Schedule,
    /// Largest global norm of the gradients; 0 does not clip.
    pub clip_norm: f64,
    /// Dropout before the last layer.
    pub dropout: f64,
    /// Share of each target that goes to both classes.
    pub label_smoothing: f64,
    /// How much less easy clips weigh; 0 is cross-entropy.
    pub focal_gamma: f64,
    /// Blends pairs of clips, more evenly the larger; 0 blends none.
    pub mixup_alpha: f64,
    /// Augmentation, 0 (none) to 3.
    pub augment_level: u64,
    /// Frames looked at, at most those stored.
    pub frames: i64,
    /// Channels of the first stage; every later stage doubles them.
    pub width: i64,
    /// Frames that one convolution spans: 1 or 3.
    pub temporal_kernel: i64,
    /// Temporal stride of every stage but the first.
    pub temporal_stride: i64,
    /// Start with kernels that pass fine texture only.
    pub high_pass_stem: bool,
}

/// An R3D and how it is trained.
pub struct VideoRecipe {
    name: &'static str,
    config: R3dConfig,
    knobs: Knobs,
    augmentation: VideoAugmentation,
}

impl VideoRecipe {
    /// `base` with the knobs turned.
    pub fn new(name: &'static str, base: R3dConfig, knobs: Knobs) -> Self {
        let [_, height, width] = base.kernel;
        let config = R3dConfig {
            dropout: knobs.dropout,
            frames: knobs.frames,
            width: knobs.width,
            kernel: [knobs.temporal_kernel, height, width],
            temporal_stride: knobs.temporal_stride,
            high_pass_stem: knobs.high_pass_stem,
            ..base
        };
        let augmentation = VideoAugmentation::level(knobs.augment_level);
        Self { name, config, knobs, augmentation }
    }
}

impl Recipe for VideoRecipe {
    fn facts(&self) -> Facts {
        Facts {
            model: self.name.to_owned(),
            batch_size: self.knobs.batch_size,
            learning_rate: self.knobs.learning_rate,
            augment_level: Some(self.knobs.augment_level),
            num_frames: Some(self.knobs.frames.unsigned_abs()),
        }
    }

    fn model(&self, root: &Path, _shape: &[i64]) -> Box<dyn Detector> {
        Box::new(R3d::new(root, self.config))
    }

    fn optimizer(&self, variables: &VarStore) -> Box<dyn Optimizer> {
        let group = ParameterGroup {
            weight_decay: self.knobs.weight_decay,
            ..ParameterGroup::new(variables.trainable_variables())
        };
        Box::new(FusedAdamW::new(vec![group]))
    }

    fn learning_rate(&self, progress: Progress) -> f64 {
        self.knobs.learning_rate * self.knobs.schedule.factor(progress, self.knobs.warmup_steps)
    }

    fn loss(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        let Knobs { focal_gamma: gamma, label_smoothing, .. } = self.knobs;
        focal(logits, labels, FocalOptions { gamma, label_smoothing })
    }

    fn transform(&self) -> Option<&dyn Transform> {
        (self.knobs.augment_level > 0).then_some(&self.augmentation)
    }

    fn accumulation(&self) -> u64 {
        self.knobs.grad_accum_steps
    }

    fn clip_norm(&self) -> Option<f64> {
        (self.knobs.clip_norm > 0.0).then_some(self.knobs.clip_norm)
    }

    fn step(&self, step: &mut Step) -> Tensor {
        augment(self.transform(), step);
        let (share, partners) = mix(step, self.knobs.mixup_alpha);
        let logits = forward(step);
        let mut loss = self.loss(&logits, &step.labels);
        if share < 1.0 {
            loss = loss * share + self.loss(&logits, &partners) * (1.0 - share);
        }
        backward(self, step, &loss);
        loss.detach()
    }
}

/// Blends every clip with its partner, the batch read backwards. Returns the share that the clip keeps
/// and the partners' labels.
///
/// # Source
/// Zhang et al., mixup, <https://arxiv.org/abs/1710.09412>.
fn mix(step: &mut Step, alpha: f64) -> (f64, Tensor) {
    let partners = step.labels.flip([0]);
    if alpha <= 0.0 {
        return (1.0, partners);
    }
    let share = symmetric_beta(alpha, step.rng);
    let clips = step.input.to_kind(Kind::Float);
    let blend = &clips * share + clips.flip([0]) * (1.0 - share);
    step.input = blend.round().to_kind(Kind::Uint8);
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
#[path = "video_tests.rs"]
mod tests;
