//! A batch that can be learnt, and how recipes do on it.

use dfr_harness::precision::MixedPrecision;
use dfr_harness::recipe::{Progress, Recipe as _, Step};
use dfr_harness::seed::{Purpose, generator};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::training::{Preset, Training};
use super::video_r3d_tiny;

/// Four records whose class is told by their level: real ones are faint.
pub fn batch(record: &[i64], kind: Kind) -> (Tensor, Tensor) {
    let labels = Tensor::from_slice(&[0i64, 1, 0, 1]);
    let noise = Tensor::randint(40, [&[4], record].concat(), (Kind::Float, Device::Cpu));
    let level = (&labels * 3 + 1).view([&[4], &vec![1; record.len()][..]].concat().as_slice());
    let input = noise * level.to_kind(Kind::Float);
    let input = if kind == Kind::Uint8 { input.to_kind(kind) } else { input / 160.0 };
    (input, labels)
}

/// Steps on one batch; returns first and last loss.
pub fn losses(recipe: &Preset, (input, labels): &(Tensor, Tensor), steps: u64) -> (f64, f64) {
    tch::manual_seed(0);
    let variables = VarStore::new(Device::Cpu);
    let detector = recipe.model(&variables.root(), &input.size()[1..]);
    let mut optimizer = recipe.optimizer(&variables);
    let mut rng = generator(0, Purpose::Step);
    let losses: Vec<f64> = (0..steps)
        .map(|step| {
            let mut step = Step {
                detector: &*detector,
                optimizer: &mut *optimizer,
                device: Device::Cpu,
                precision: &mut MixedPrecision::of(Device::Cpu),
                input: input.shallow_clone(),
                labels: labels.shallow_clone(),
                progress: Progress { step, budget: 0.0 },
                rng: &mut rng,
            };
            recipe.step(&mut step).double_value(&[])
        })
        .collect();
    (losses[0], losses[losses.len() - 1])
}

/// Trains fast on [`batch`].
pub const QUICK: Training =
    Training { learning_rate: 3e-3, warmup_steps: 0, ..video_r3d_tiny::TRAINING };
