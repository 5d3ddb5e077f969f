//! Fast draws from a normal distribution, rounded to whole numbers.

use std::sync::LazyLock;

use rand::{Rng, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A draw is one of so many values that are equally likely.
const VALUE_BITS: usize = 13;

/// Draws from N(0, `deviation`²). A number of 64 random bits is enough for four.
pub struct Normal {
    values: Box<[i16; 1 << VALUE_BITS]>,
    fast: Xoshiro256PlusPlus,
}

impl Normal {
    /// A source of its own, seeded by `rng`. `deviation` is at most 8000.
    pub fn new(deviation: f32, rng: &mut impl Rng) -> Self {
        let scale = deviation.clamp(0.0, 8000.0);
        let values: Box<[i16]> =
            NORMAL.iter().map(|value| (value * scale).round() as i16).collect();
        let values = values.try_into().expect("as many as there are in the table");
        Self { values, fast: Xoshiro256PlusPlus::from_rng(rng) }
    }

    /// Four draws.
    #[inline]
    pub fn four(&mut self) -> [i16; 4] {
        let bits = self.fast.next_u64();
        std::array::from_fn(|at| {
            let value = bits >> (at * VALUE_BITS) & ((1 << VALUE_BITS) - 1);
            self.values[value as usize]
        })
    }
}

/// The standard normal distribution in equally likely values: the quantiles in the middle of each, with
/// variance 1.
static NORMAL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let count = 1 << VALUE_BITS;
    let middles = (0..count).map(|at| quantile((f64::from(at) + 0.5) / f64::from(count)));
    let values: Vec<f64> = middles.collect();
    let variance = values.iter().map(|value| value * value).sum::<f64>() / f64::from(count);
    values.iter().map(|value| (value / variance.sqrt()) as f32).collect()
});

/// Where the standard normal distribution has `share` below it, in 0..1, within 0.00045.
///
/// # Source
/// Abramowitz and Stegun, 26.2.23.
fn quantile(share: f64) -> f64 {
    let t = (-2.0 * share.min(1.0 - share).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below).copysign(share - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_normal_distribution() {
        for (share, known) in [(0.5, 0.0), (0.841_345, 1.0), (0.022_750, -2.0), (0.998_650, 3.0)] {
            assert!((quantile(share) - known).abs() < 1e-3, "{share}");
        }
    }
}
