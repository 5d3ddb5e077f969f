//! What is believed of the incumbent's true score: what its recipe scores on average, without luck.
//!
//! An incumbent was chosen because it scored high, so its score flatters it, and a rule that compares
//! with it refuses what is better. Here every score of the session moves the belief, those of discards
//! too: if ideas keep scoring lower than ideas of that kind should, the incumbent was lucky.
//!
//! What ideas do is not known beforehand. Some help (exponential), some hurt (half a normal), some do
//! next to nothing; how much and how often is averaged over a set of worlds, each weighted by how well
//! it foretold the session so far. Everything is in units of the noise's standard deviation.

use std::sync::LazyLock;

/// Effects that are told apart: 0 and, on both sides, from a tenth of the noise to about 26 times it.
const EFFECTS: usize = 2 * ON_A_SIDE + 1;
const ON_A_SIDE: usize = 16;
const SMALLEST: f64 = 0.1;
const RATIO: f64 = 1.45;

/// Mean of what helps, and scale of what hurts, in each world.
const HELPS: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];
const HURTS: [f64; 5] = [0.75, 1.5, 3.0, 6.0, 12.0];
/// Shares of ideas that help and that hurt.
const SHARES: [(f64, f64); 3] = [(0.1, 0.5), (0.2, 0.5), (0.3, 0.4)];
/// Standard deviation of what does next to nothing.
const NEXT_TO_NOTHING: f64 = 0.2;
const WORLDS: usize = HELPS.len() * HURTS.len() * SHARES.len();

/// Chances of the effects, in their order.
type Chances = [f64; EFFECTS];

static EFFECT: LazyLock<Chances> = LazyLock::new(|| {
    std::array::from_fn(|at| match at.cmp(&ON_A_SIDE) {
        std::cmp::Ordering::Less => -distance(ON_A_SIDE - at),
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => distance(at - ON_A_SIDE),
    })
});

static WORLD: LazyLock<Vec<Chances>> = LazyLock::new(|| {
    let mut worlds = Vec::with_capacity(WORLDS);
    for helps in HELPS {
        for hurts in HURTS {
            worlds.extend(SHARES.map(|shares| world(helps, hurts, shares)));
        }
    }
    worlds
});

/// The distance from 0 of the n-th effect, counted from 1.
fn distance(n: usize) -> f64 {
    SMALLEST * RATIO.powi(i32::try_from(n).unwrap_or(i32::MAX) - 1)
}

/// The chances of the effects where the density is this, up to a factor.
fn chances(density: impl Fn(f64) -> f64) -> Chances {
    let effect = &*EFFECT;
    let width = |at: usize| {
        let last = EFFECTS - 1;
        let lower = if at == 0 { effect[0] } else { f64::midpoint(effect[at - 1], effect[at]) };
        let upper = if at == last { effect[at] } else { f64::midpoint(effect[at], effect[at + 1]) };
        upper - lower
    };
    normal(std::array::from_fn(|at| width(at) * density(effect[at])))
}

fn normal(weights: Chances) -> Chances {
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

fn bell(x: f64) -> f64 {
    (-x * x / 2.0).exp()
}

fn world(helps: f64, hurts: f64, (helping, hurting): (f64, f64)) -> Chances {
    // At 0 each side has half of the interval.
    let at_zero = 0.5;
    let help = chances(|x| match x {
        x if x > 0.0 => (-x / helps).exp(),
        0.0 => at_zero,
        _ => 0.0,
    });
    let hurt = chances(|x| match x {
        x if x < 0.0 => bell(x / hurts),
        0.0 => at_zero,
        _ => 0.0,
    });
    let neither = chances(|x| bell(x / NEXT_TO_NOTHING));
    let rest = 1.0 - helping - hurting;
    std::array::from_fn(|at| helping * help[at] + hurting * hurt[at] + rest * neither[at])
}

/// A mean and a variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The expected value.
    pub mean: f64,
    /// The square of its standard deviation.
    pub variance: f64,
}

/// What an idea did to the true score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// The expected value.
    pub mean: f64,
    /// The square of its standard deviation.
    pub variance: f64,
    /// The chance that it is above 0, where half of what is next to 0 counts.
    pub helps: f64,
}

/// What is believed after some scores, in the units of the scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Belief {
    noise: f64,
    /// The incumbent's true score, in units of the noise.
    incumbent: Estimate,
    /// Logarithm of the chance of everything seen so far, in each world.
    evidence: Vec<f64>,
}

impl Belief {
    /// After one score of the incumbent, measured with noise of this standard deviation, which must be
    /// above 0.
    pub fn new(score: f64, noise: f64) -> Self {
        let incumbent = Estimate { mean: score / noise, variance: 1.0 };
        Self { noise, incumbent, evidence: vec![0.0; WORLDS] }
    }

    /// The standard deviation of scores by chance.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// The incumbent's true score.
    pub fn incumbent(&self) -> Estimate {
        self.scaled(self.incumbent)
    }

    /// What an idea did whose mean score of so many runs is this, in the units of the scores.
    pub fn effect(&self, score: f64, runs: u32) -> Effect {
        let (effect, _) = self.posterior(self.surprise(score), noise_of_mean(runs));
        let Effect { mean, variance, .. } = effect;
        let Estimate { mean, variance } = self.scaled(Estimate { mean, variance });
        Effect { mean, variance, ..effect }
    }

    /// Takes in an idea's mean score of so many runs; kept, it is the incumbent.
    pub fn take_in(&mut self, score: f64, runs: u32, is_kept: bool) {
        let (surprise, own) = (self.surprise(score), noise_of_mean(runs));
        let (effect, evidence) = self.posterior(surprise, own);
        self.evidence = evidence;
        let Estimate { mean, variance } = self.incumbent;
        let gain = variance / (variance + own);
        let left = 1.0 - gain;
        // Given the effect the rest of the surprise is the incumbent's luck or the run's noise; over
        // what the effect may be, the parts add up.
        self.incumbent = if is_kept {
            Estimate {
                mean: mean + gain * surprise + left * effect.mean,
                variance: variance * left + left * left * effect.variance,
            }
        } else {
            Estimate {
                mean: mean + gain * (surprise - effect.mean),
                variance: variance * left + gain * gain * effect.variance,
            }
        };
    }

    /// Takes in another score of the incumbent itself.
    pub fn measured_again(&mut self, score: f64) {
        let surprise = self.surprise(score);
        let Estimate { mean, variance } = self.incumbent;
        let gain = variance / (variance + 1.0);
        let (mean, variance) = (mean + gain * surprise, variance * (1.0 - gain));
        self.incumbent = Estimate { mean, variance };
    }

    /// Something else is the incumbent: what is known of ideas stays.
    pub fn replaced(&mut self, incumbent: Estimate) {
        let Estimate { mean, variance } = incumbent;
        let square = self.noise * self.noise;
        self.incumbent = Estimate { mean: mean / self.noise, variance: variance / square };
    }

    fn scaled(&self, Estimate { mean, variance }: Estimate) -> Estimate {
        Estimate { mean: mean * self.noise, variance: variance * self.noise * self.noise }
    }

    fn surprise(&self, score: f64) -> f64 {
        score / self.noise - self.incumbent.mean
    }

    /// What an idea does that surprised so, where its score has noise of this variance; and the
    /// evidence for each world with it.
    fn posterior(&self, surprise: f64, own: f64) -> (Effect, Vec<f64>) {
        let spread = (self.incumbent.variance + own).sqrt();
        // A leap beyond the largest effect is that one, and the rest besides: no effect would be likely.
        let largest = EFFECT[EFFECTS - 1];
        let within = surprise.clamp(-largest, largest);
        let likelihood: Chances =
            std::array::from_fn(|at| bell((within - EFFECT[at]) / spread).max(f64::MIN_POSITIVE));
        let weights = weights(&self.evidence);
        let mut chances = [0.0; EFFECTS];
        let mut evidence = self.evidence.clone();
        for ((world, weight), evidence) in WORLD.iter().zip(weights).zip(&mut evidence) {
            let joint: Chances = std::array::from_fn(|at| world[at] * likelihood[at]);
            *evidence += joint.iter().sum::<f64>().ln();
            for (chance, joint) in chances.iter_mut().zip(joint) {
                *chance += weight * joint;
            }
        }
        let effect = moments(&normal(chances));
        (Effect { mean: effect.mean + surprise - within, ..effect }, evidence)
    }
}

/// How much each world counts.
fn weights(evidence: &[f64]) -> Vec<f64> {
    let most = evidence.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = evidence.iter().map(|evidence| (evidence - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn moments(chances: &Chances) -> Effect {
    let each = || chances.iter().zip(EFFECT.iter());
    let expected: f64 = each().map(|(chance, effect)| chance * effect).sum();
    let variance = each().map(|(chance, effect)| chance * (effect - expected).powi(2)).sum();
    let above: f64 = chances[ON_A_SIDE + 1..].iter().sum();
    let helps = (above + chances[ON_A_SIDE] / 2.0).min(1.0);
    Effect { mean: expected, variance, helps }
}

/// The variance of a mean of so many scores.
fn noise_of_mean(runs: u32) -> f64 {
    1.0 / f64::from(runs.max(1))
}

#[cfg(test)]
#[path = "belief_tests.rs"]
mod tests;
