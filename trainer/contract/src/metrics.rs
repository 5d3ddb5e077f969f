//! The competition's metrics, computed from labels and probabilities.
//!
//! # Source
//! `sn34_score` is dfresearch's `compute_sn34_score` (what the loop maximises); `sn34_competition`
//! is gasbench's formula, which normalises the Brier score against 0.25. They differ on purpose:
//! ties, clipping and the empty set are each handled as their own source does.

use serde::{Deserialize, Serialize};

const ALPHA: f64 = 1.2;
const BETA: f64 = 1.8;
const FLOOR: f64 = 1e-10;

/// Everything that is computed from one set of predictions. All values are plain fractions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// `sqrt(mcc_norm^1.2 * brier_norm^1.8)` with `brier_norm = 1 - brier`; the objective.
    pub sn34_score: f64,
    /// Fraction right at threshold 0.5 (a tie is synthetic).
    pub accuracy: f64,
    /// Matthews correlation coefficient in -1..=1; 0 when labels or predictions hold one class.
    pub mcc: f64,
    /// Mean squared error of the probability of class synthetic.
    pub brier: f64,
    /// `(mcc + 1) / 2`, at least 1e-10.
    pub mcc_norm: f64,
    /// `1 - brier`, at least 1e-10.
    pub brier_norm: f64,
    /// gasbench's score of the same predictions.
    pub sn34_competition: f64,
}

impl Scores {
    /// Looks a score up by the name it has in footers, task files and tables.
    pub fn get(&self, name: &str) -> Option<f64> {
        Some(match name {
            "sn34_score" => self.sn34_score,
            "accuracy" => self.accuracy,
            "mcc" => self.mcc,
            "brier" => self.brier,
            "mcc_norm" => self.mcc_norm,
            "brier_norm" => self.brier_norm,
            "sn34_competition" => self.sn34_competition,
            _ => return None,
        })
    }
}

/// Why a set of predictions cannot be scored.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ScoreError {
    /// One probability per label, or nothing can be compared.
    #[error("{labels} labels but {probabilities} probabilities")]
    Length {
        /// Number of labels.
        labels: usize,
        /// Number of probabilities.
        probabilities: usize,
    },
    /// NaN, infinite, or outside the unit interval.
    #[error("probability {value} of record {index} is not in [0, 1]")]
    Probability {
        /// Position of the record.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A label that is neither real (0) nor synthetic (1).
    #[error("label {value} of record {index} is neither 0 nor 1")]
    Label {
        /// Position of the record.
        index: usize,
        /// Its value.
        value: u8,
    },
}

/// Scores probabilities of class synthetic against labels (0 real, 1 synthetic).
///
/// An empty set scores what dfresearch returns for it: 0 for every score, Brier 0.25.
///
/// # Errors
/// Different lengths, a label that is not 0 or 1, a probability that is not in [0, 1].
pub fn score(labels: &[u8], p_synthetic: &[f64]) -> Result<Scores, ScoreError> {
    validate(labels, p_synthetic)?;
    let ours = Confusion::count(labels, p_synthetic, |p| p >= 0.5);
    let theirs = Confusion::count(labels, p_synthetic, |p| p > 0.5);
    Ok(scores(labels, p_synthetic, [ours, theirs]))
}

/// The same where whoever asked has called each record synthetic or not; both MCCs and the accuracy count that.
///
/// # Errors
/// Those of [`score`].
pub fn score_called(labels: &[u8], p: &[f64], is_synthetic: &[bool]) -> Result<Scores, ScoreError> {
    validate(labels, p)?;
    let called = Confusion::of_calls(labels, is_synthetic.iter().copied());
    Ok(scores(labels, p, [called, called]))
}

fn scores(labels: &[u8], p_synthetic: &[f64], [ours, theirs]: [Confusion; 2]) -> Scores {
    if labels.is_empty() {
        return EMPTY;
    }
    let mcc = ours.mcc();
    let brier = mean_squared_error(labels, p_synthetic, |p| p);
    let mcc_norm = f64::midpoint(mcc, 1.0).max(FLOOR);
    let brier_norm = (1.0 - brier).max(FLOOR);
    let clipped = mean_squared_error(labels, p_synthetic, |p| p.clamp(1e-7, 1.0 - 1e-7));
    Scores {
        sn34_score: sn34(mcc_norm, brier_norm),
        accuracy: ours.accuracy(),
        mcc,
        brier,
        mcc_norm,
        brier_norm,
        sn34_competition: sn34_competition(theirs.mcc(), clipped),
    }
}

const EMPTY: Scores = Scores {
    sn34_score: 0.0,
    accuracy: 0.0,
    mcc: 0.0,
    brier: 0.25,
    mcc_norm: 0.5,
    brier_norm: 0.75,
    sn34_competition: 0.0,
};

/// `sqrt(mcc_norm^1.2 * brier_norm^1.8)`.
pub fn sn34(mcc_norm: f64, brier_norm: f64) -> f64 {
    (mcc_norm.powf(ALPHA) * brier_norm.powf(BETA)).sqrt()
}

/// gasbench's score from its own MCC and Brier score: 0.25 or worse in Brier is worth almost nothing.
pub fn sn34_competition(mcc: f64, brier: f64) -> f64 {
    let mcc_norm = f64::midpoint(mcc, 1.0).clamp(0.0, 1.0).powf(ALPHA);
    let brier_norm = ((0.25 - brier) / 0.25).max(0.0).powf(BETA);
    (mcc_norm * brier_norm).max(1e-12).sqrt().clamp(0.0, 1.0)
}

fn validate(labels: &[u8], p_synthetic: &[f64]) -> Result<(), ScoreError> {
    if labels.len() != p_synthetic.len() {
        return Err(ScoreError::Length { labels: labels.len(), probabilities: p_synthetic.len() });
    }
    if let Some((index, &value)) = labels.iter().enumerate().find(|(_, l)| **l > 1) {
        return Err(ScoreError::Label { index, value });
    }
    match p_synthetic.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
        Some((index, &value)) => Err(ScoreError::Probability { index, value }),
        None => Ok(()),
    }
}

fn mean_squared_error(labels: &[u8], p_synthetic: &[f64], clip: impl Fn(f64) -> f64) -> f64 {
    let sum: f64 =
        labels.iter().zip(p_synthetic).map(|(&y, &p)| (clip(p) - f64::from(y)).powi(2)).sum();
    sum / labels.len() as f64
}

/// Records by class and prediction; class synthetic is the positive one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// Synthetic, and called so.
    pub tp: u64,
    /// Real, and called so.
    pub tn: u64,
    /// Real, called synthetic.
    pub fp: u64,
    /// Synthetic, called real.
    #[serde(rename = "fn")]
    pub fn_: u64,
}

impl Confusion {
    /// Counts with a rule for which probabilities say synthetic.
    pub fn count(labels: &[u8], p_synthetic: &[f64], is_synthetic: impl Fn(f64) -> bool) -> Self {
        Self::of_calls(labels, p_synthetic.iter().map(|p| is_synthetic(*p)))
    }

    /// Counts records that were called synthetic or not.
    pub fn of_calls(labels: &[u8], is_synthetic: impl IntoIterator<Item = bool>) -> Self {
        let mut counts = Self::default();
        for (&label, is_synthetic) in labels.iter().zip(is_synthetic) {
            match (label == 1, is_synthetic) {
                (true, true) => counts.tp += 1,
                (true, false) => counts.fn_ += 1,
                (false, true) => counts.fp += 1,
                (false, false) => counts.tn += 1,
            }
        }
        counts
    }

    /// Fraction right; NaN of no records.
    pub fn accuracy(&self) -> f64 {
        let right = self.tp + self.tn;
        right as f64 / (right + self.fp + self.fn_) as f64
    }

    fn mcc(&self) -> f64 {
        let [tp, tn, fp, fn_] = [self.tp, self.tn, self.fp, self.fn_].map(|n| n as f64);
        // Grouped in pairs: the product of four counts of a large set would lose digits.
        let margins = ((tp + fp) * (tp + fn_)).sqrt() * ((tn + fp) * (tn + fn_)).sqrt();
        if margins == 0.0 { 0.0 } else { (tp * tn - fp * fn_) / margins }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
