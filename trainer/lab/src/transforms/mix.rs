//! Records of a batch mixed in pairs: every record with its partner, the batch read backwards.

use dfr_harness::recipe::Step;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// How the labels of a batch were mixed.
pub struct Mixed {
    /// The weight of a record's own label, in 0..=1.
    pub share: f64,
    /// The labels of the partners, `[B]` int64.
    pub partners: Tensor,
}

/// Leaves the batch as it is.
pub fn unmixed(step: &Step) -> Mixed {
    Mixed { share: 1.0, partners: step.labels.flip([0]) }
}

/// Blends every record with its partner; the more evenly the larger `alpha`, which is above 0.
///
/// # Source
/// Zhang et al., mixup, <https://arxiv.org/abs/1710.09412>.
pub fn mixup(step: &mut Step, alpha: f64) -> Mixed {
    let share = symmetric_beta(alpha, step.rng);
    let kind = step.input.kind();
    let records = step.input.to_kind(Kind::Float);
    let blend = &records * share + records.flip([0]) * (1.0 - share);
    step.input = if kind == Kind::Uint8 { blend.round().to_kind(kind) } else { blend };
    Mixed { share, ..unmixed(step) }
}

/// Puts a piece of its partner into every record, at the same place: a box of all frames, or a span of
/// sound. Its size is drawn with `alpha`, which is above 0, and its place evenly.
///
/// # Source
/// Yun et al., CutMix, <https://arxiv.org/abs/1905.04899>.
pub fn cutmix(step: &mut Step, alpha: f64) -> Mixed {
    let size = step.input.size();
    // Height and width, or time alone.
    let cut_dims = if size.len() >= 4 { 2 } else { 1 };
    let side = (1.0 - symmetric_beta(alpha, step.rng)).powf(1.0 / f64::from(cut_dims));
    let mixed = step.input.copy();
    let (mut to, mut from) = (mixed.shallow_clone(), step.input.flip([0]));
    let mut cut = 1.0;
    for dim in size.len() as i64 - i64::from(cut_dims)..size.len() as i64 {
        let whole = size[dim as usize];
        let length = ((side * whole as f64).round() as i64).min(whole);
        let start = step.rng.random_range(0..=whole - length);
        to = to.narrow(dim, start, length);
        from = from.narrow(dim, start, length);
        cut *= length as f64 / whole as f64;
    }
    to.copy_(&from);
    step.input = mixed;
    Mixed { share: 1.0 - cut, ..unmixed(step) }
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
#[path = "mix_tests.rs"]
mod tests;
