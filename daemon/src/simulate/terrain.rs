//! A numeric landscape: a recipe with knobs whose truth is a bowl in all of them together, so that the
//! best value of one depends on the others.

use nalgebra::{DMatrix, DVector};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::proposer::knobs;

/// As many knobs as a recipe has, each with as many values.
const KNOBS: usize = 14;
const VALUES: usize = 5;
/// From the first setting to the bottom of the bowl, in units of the score.
const DEPTH: f64 = 0.08;
/// Of a knob's own curvature, beside that which it shares with the others.
const OWN: f64 = 0.3;

/// A bowl over the settings, and where a session begins in it.
#[derive(Clone, Debug)]
pub(super) struct Terrain {
    curvature: DMatrix<f64>,
    best: DVector<f64>,
    scale: f64,
    /// The first recipe.
    pub(super) recipe: String,
}

impl Terrain {
    /// Drawn from a seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let factors: DMatrix<f64> =
            DMatrix::from_fn(KNOBS, KNOBS, |_, _| StandardNormal.sample(&mut rng));
        let shared: DMatrix<f64> = &factors * factors.transpose() / KNOBS as f64;
        let curvature = shared + DMatrix::identity(KNOBS, KNOBS) * OWN;
        let best = DVector::from_fn(KNOBS, |_, _| rng.random_range(-1.0..1.0));
        let first: Vec<usize> = (0..KNOBS).map(|_| rng.random_range(0..VALUES)).collect();
        let values: Vec<String> = (0..VALUES).map(|value| value.to_string()).collect();
        let line = |(knob, value)| format!("k{knob} = {value} // knob: {}\n", values.join(" | "));
        let recipe = first.into_iter().enumerate().map(line).collect();
        let mut terrain = Self { curvature, best, scale: 1.0, recipe };
        terrain.scale = DEPTH / terrain.height(&terrain.recipe);
        terrain
    }

    /// By how much the true score of a recipe is above the first one's.
    pub(super) fn gain(&self, recipe: &str) -> f64 {
        DEPTH - self.scale * self.height(recipe)
    }

    fn height(&self, recipe: &str) -> f64 {
        let place = |knob: knobs::Knob| {
            let value: f64 = knob.current.parse().expect("a value of the terrain's own");
            2.0 * value / (VALUES - 1) as f64 - 1.0
        };
        let places = knobs::parse(recipe).into_iter().map(place);
        let off = DVector::from_iterator(KNOBS, places) - &self.best;
        off.dot(&(&self.curvature * &off))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_recipe_has_gained_nothing_and_knobs_depend_on_each_other() {
        let terrain = Terrain::new(3);
        assert_eq!(knobs::parse(&terrain.recipe).len(), KNOBS);
        assert!(terrain.gain(&terrain.recipe).abs() < 1e-12);
        let turned = |changes: &[(usize, &str)]| {
            let knobs = knobs::parse(&terrain.recipe);
            let changes: Vec<_> = changes.iter().map(|(at, value)| (&knobs[*at], *value)).collect();
            let replaced = knobs::turn(&terrain.recipe, &changes);
            let text = replaced.iter().fold(terrain.recipe.clone(), |text, replacement| {
                text.replacen(&replacement.search, &replacement.replace, 1)
            });
            terrain.gain(&text)
        };
        let other = |at: usize| {
            let knobs = knobs::parse(&terrain.recipe);
            if knobs[at].current == "0" { "4" } else { "0" }
        };
        let (one, two) = (turned(&[(0, other(0))]), turned(&[(1, other(1))]));
        let both = turned(&[(0, other(0)), (1, other(1))]);
        assert!((both - one - two).abs() > 1e-4, "{one} {two} {both}");
    }
}
