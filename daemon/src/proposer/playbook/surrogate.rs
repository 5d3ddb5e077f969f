//! A model of scores over settings: a Gaussian process with one length for all knobs, fitted by its
//! likelihood over a small grid.
//!
//! # Source
//! Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006: algorithm 2.1 and section 5.4.1.
//! Expected improvement over the best believed score: Jones, Schonlau and Welch, 1998.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal};

/// Distances over which scores are alike, where a knob goes from -1 to 1; per knob.
const LENGTHS: [f64; 3] = [0.35, 0.5, 1.0];
/// The variance of what knobs do, as a multiple of that of the scores.
const SIGNALS: [f64; 2] = [1.0, 4.0];
/// The variance of chance as a share of that of the scores, where it was not measured.
const CHANCES: [f64; 3] = [0.02, 0.1, 0.4];
/// Scores that differ by less are equal.
const LEAST_VARIANCE: f64 = 1e-10;

/// What is expected of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// The score.
    pub mean: f64,
    /// Standard deviation of its true score.
    pub deviation: f64,
}

/// Scores that were measured at points, and what they say of others.
#[derive(Clone, Debug)]
pub struct Surrogate {
    points: Vec<Vec<f64>>,
    average: f64,
    length: f64,
    signal: f64,
    factor: Cholesky<f64, Dyn>,
    weights: DVector<f64>,
}

/// What is tried of a model beside its points: lengths, variances of what knobs do and of chance.
fn grid(variance: f64, noise: Option<f64>) -> impl Iterator<Item = (f64, f64, f64)> {
    let chances = match noise {
        Some(noise) => vec![noise * noise],
        None => CHANCES.map(|share| share * variance).to_vec(),
    };
    LENGTHS.into_iter().flat_map(move |length| {
        let chances = chances.clone();
        let signals = SIGNALS.into_iter().map(move |factor| factor * variance);
        signals.flat_map(move |signal| {
            chances.clone().into_iter().map(move |chance| (length, signal, chance))
        })
    })
}

impl Surrogate {
    /// The likeliest model of these scores. `noise` is the standard deviation of scores over runs of
    /// one recipe, where it was measured. Nothing for fewer than two points.
    pub fn fit(points: &[Vec<f64>], scores: &[f64], noise: Option<f64>) -> Option<Self> {
        let n = scores.len() as f64;
        let average = scores.iter().sum::<f64>() / n;
        let off = DVector::from_iterator(scores.len(), scores.iter().map(|score| score - average));
        let variance = (off.norm_squared() / n).max(LEAST_VARIANCE);
        let distances =
            DMatrix::from_fn(n as usize, n as usize, |a, b| distance(&points[a], &points[b]));
        let models = grid(variance, noise).filter_map(|(length, signal, chance)| {
            let mut alike = distances.map(|distance| signal * likeness(distance, length));
            // Rounding alone must not make it singular.
            let diagonal = chance.max(signal * 1e-8);
            (0..scores.len()).for_each(|at| alike[(at, at)] += diagonal);
            let factor = alike.cholesky()?;
            let weights = factor.solve(&off);
            let fits = -off.dot(&weights) / 2.0 - factor.l().diagonal().map(f64::ln).sum();
            let points = points.to_vec();
            Some((fits, Self { points, average, length, signal, factor, weights }))
        });
        let best = models.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, model)| model);
        best.filter(|_| scores.len() > 1)
    }

    /// What is expected at a point.
    pub fn at(&self, point: &[f64]) -> Expected {
        let alike = self
            .points
            .iter()
            .map(|known| self.signal * likeness(distance(known, point), self.length));
        let alike = DVector::from_iterator(self.points.len(), alike);
        let mean = self.average + alike.dot(&self.weights);
        let explained = alike.dot(&self.factor.solve(&alike));
        Expected { mean, deviation: (self.signal - explained).max(LEAST_VARIANCE).sqrt() }
    }
}

impl Expected {
    /// By how much it is expected to be above a score, where less counts as nothing.
    pub fn improvement(self, best: f64) -> f64 {
        let above = (self.mean - best) / self.deviation;
        let normal = Normal::standard();
        self.deviation * (above * normal.cdf(above) + normal.pdf(above))
    }
}

/// Mean square of the differences.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    squares / a.len().max(1) as f64
}

fn likeness(distance: f64, length: f64) -> f64 {
    (-distance / (2.0 * length * length)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        (
            at.iter().map(|x| vec![*x]).collect(),
            at.iter().map(|x| 0.8 - 0.1 * (x - 0.3).powi(2)).collect(),
        )
    }

    #[test]
    fn it_knows_where_it_was_measured_and_doubts_elsewhere() {
        let (points, scores) = line(&[-1.0, -0.5, 0.0, 0.5]);
        let model = Surrogate::fit(&points, &scores, Some(1e-4)).unwrap();
        let [there, away] = [0.0, 1.0].map(|x| model.at(&[x]));
        assert!((there.mean - scores[2]).abs() < 1e-3, "{there:?}");
        assert!(there.deviation < away.deviation, "{there:?} {away:?}");
        assert!(model.at(&[0.3]).mean > model.at(&[-0.8]).mean);
    }

    #[test]
    fn what_is_better_and_what_is_unknown_is_worth_trying() {
        let certain = |mean| Expected { mean, deviation: 0.001 };
        assert!(certain(0.9).improvement(0.8) > certain(0.81).improvement(0.8));
        assert!(certain(0.7).improvement(0.8) < 1e-9);
        let doubtful = Expected { mean: 0.7, deviation: 0.1 };
        assert!(doubtful.improvement(0.8) > certain(0.7).improvement(0.8));
    }

    #[test]
    fn equal_scores_and_equal_points_do_no_harm() {
        let model = Surrogate::fit(&vec![vec![0.0]; 3], &[0.5; 3], None).unwrap();
        assert!((model.at(&[0.0]).mean - 0.5).abs() < 1e-9);
        assert!(Surrogate::fit(&[vec![0.0]], &[0.5], None).is_none());
    }
}
