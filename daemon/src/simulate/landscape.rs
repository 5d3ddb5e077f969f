//! Landscapes whose truth is known: what an idea does to the true score.

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, Exp1, StandardNormal};

/// How ideas are distributed. The more was gained, the less those bring that help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landscape {
    /// A fifth of the ideas helps, three fifths hurt, the rest does next to nothing.
    A,
    /// One in twelve helps, somewhat more; half of the ideas does next to nothing.
    B,
}

/// Shares and sizes of a landscape, in units of the score.
struct Shape {
    helping: f64,
    hurting: f64,
    /// Mean of what helps at the start, and the gain at which it is down to a third.
    helps: f64,
    fades: f64,
    /// Standard deviation of the normal distribution whose lower half is what hurts.
    hurts: f64,
    /// Standard deviation of what does next to nothing.
    rest: f64,
}

impl Landscape {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::A => Shape {
                helping: 0.2,
                hurting: 0.6,
                helps: 0.006,
                fades: 0.06,
                hurts: 0.012,
                rest: 0.0008,
            },
            Self::B => Shape {
                helping: 0.08,
                hurting: 0.42,
                helps: 0.008,
                fades: 0.08,
                hurts: 0.015,
                rest: 0.001,
            },
        }
    }

    /// The effect of the next idea on the true score, once so much was gained.
    pub fn draw(self, gained: f64, rng: &mut impl Rng) -> f64 {
        let Shape { helping, hurting, helps, fades, hurts, rest } = self.shape();
        let kind: f64 = rng.random();
        let standard: f64 = StandardNormal.sample(rng);
        let exponential: f64 = Exp1.sample(rng);
        if kind < helping {
            helps * (-gained / fades).exp() * exponential
        } else if kind < helping + hurting {
            -hurts * standard.abs()
        } else {
            rest * standard
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    /// Shares and mean of what helps, against what the shape says.
    #[test]
    fn ideas_are_distributed_as_the_shape_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for landscape in Landscape::ALL {
            let Shape { helping, hurting, hurts, rest, .. } = landscape.shape();
            let drawn: Vec<f64> = (0..100_000).map(|_| landscape.draw(0.0, &mut rng)).collect();
            let above = drawn.iter().filter(|effect| **effect > 0.0).count() as f64 / 1e5;
            let expected = helping + (1.0 - helping - hurting) / 2.0;
            assert!((above - expected).abs() < 0.01, "{landscape:?}: {above} is not {expected}");
            let mean = drawn.iter().sum::<f64>() / 1e5;
            let of_helps = helping * landscape.shape().helps;
            let of_hurts = -hurting * hurts * (2.0 / std::f64::consts::PI).sqrt();
            assert!((mean - of_helps - of_hurts).abs() < 3.0 * (hurts + rest) / 300.0, "{mean}");
        }
    }

    #[test]
    fn what_helps_brings_less_the_more_was_gained() {
        let best = |gained: f64| {
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            (0..1000).map(|_| Landscape::A.draw(gained, &mut rng)).fold(0.0, f64::max)
        };
        assert!(best(0.12) < 0.5 * best(0.0));
    }
}
