//! How sure a keep is: by the records of the validation part that it shares with what it had to beat,
//! and by how much scores of one recipe differ.

use dfr_contract::metrics;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Draws of the records, as long as they are few.
const DRAWS: usize = 1000;
/// Of many records fewer draws are made, so that no verdict waits for long: at most so many records in
/// all, and no fewer draws than tell a tail.
const RECORDS_IN_ALL: usize = 20_000_000;
const LEAST_DRAWS: usize = 200;
/// Share of draws with a higher score from which on it is no chance of the records.
const SURE: f64 = 0.975;
/// Share of the draws beyond each end of the interval.
const TAIL: f64 = 0.025;

/// What a keep's advantage over the incumbent rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Share of draws of the records in which it scores higher, half of the equal ones with them.
    pub better: f64,
    /// Ends of the 95 % interval of the difference, in the units of the score. It holds for other
    /// records, not for another seed.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The difference as a multiple of the standard deviation of scores over runs of one recipe, where
    /// that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noises: Option<f64>,
    /// Runs that its score is a mean of.
    pub runs: u32,
}

impl Evidence {
    /// For people.
    pub fn told(&self) -> String {
        let Self { better, low, high, noises, runs } = self;
        let noises = noises.map(|noises| format!(", {noises:.1} x the noise")).unwrap_or_default();
        let runs =
            if *runs > 1 { format!("confirmed by {runs} runs") } else { "one run".to_owned() };
        let percent = 100.0 * better;
        format!("{runs}, better in {percent:.0} % of draws ({low:+.4} to {high:+.4}){noises}")
    }

    /// For a proposer: a word, and no digit of the part that decides.
    pub fn in_a_word(&self) -> &'static str {
        let Self { better, noises, runs, .. } = *self;
        match (runs, noises) {
            (2.., _) => "confirmed by a second run",
            (_, Some(noises)) if noises < 1.0 => "not confirmed; it may be chance",
            _ if better < SURE => "not confirmed; it may be chance",
            _ => "not confirmed; beyond chance on these records",
        }
    }
}

/// Two sets of predictions for the same records.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// One byte a record.
    pub labels: &'a [u8],
    /// The keep's probabilities.
    pub own: &'a [f64],
    /// Those of what it had to beat.
    pub other: &'a [f64],
}

/// A paired bootstrap: both are scored on the same records, drawn with replacement.
///
/// Gives the share of draws in which the first is better, and the interval's two ends; nothing where
/// the two do not fit, or the objective is none of the scores.
///
/// # Source
/// Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 16.
pub fn bootstrap(pair: Pair<'_>, objective: &str, seed: u64) -> Option<(f64, f64, f64)> {
    let records = pair.labels.len();
    if records == 0 || [pair.own.len(), pair.other.len()] != [records; 2] {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = vec![0; records];
    let draws = (RECORDS_IN_ALL / records).clamp(LEAST_DRAWS, DRAWS);
    let mut differences = Vec::with_capacity(draws);
    for _ in 0..draws {
        drawn.fill_with(|| rng.random_range(0..records));
        let labels: Vec<u8> = drawn.iter().map(|at| pair.labels[*at]).collect();
        let score = |of: &[f64]| {
            let p: Vec<f64> = drawn.iter().map(|at| of[*at]).collect();
            metrics::score(&labels, &p).ok()?.get(objective)
        };
        differences.push(score(pair.own)? - score(pair.other)?);
    }
    differences.sort_unstable_by(f64::total_cmp);
    let count = |holds: fn(f64) -> bool| differences.iter().filter(|d| holds(**d)).count() as f64;
    let better = (count(|d| d > 0.0) + count(|d| d == 0.0) / 2.0) / draws as f64;
    let tail = (TAIL * draws as f64) as usize;
    Some((better, differences[tail], differences[draws - 1 - tail]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_distr::{Distribution as _, StandardNormal};

    /// Labels and probabilities of a detector that is right by this much.
    fn predicted(strength: f64, rng: &mut ChaCha8Rng) -> (Vec<u8>, Vec<f64>) {
        let labels: Vec<u8> = (0..400).map(|at| u8::from(at % 2 == 1)).collect();
        let p = |label: &u8| {
            let chance: f64 = StandardNormal.sample(rng);
            let logit = strength * (2.0 * f64::from(*label) - 1.0) + chance;
            1.0 / (1.0 + (-logit).exp())
        };
        let p = labels.iter().map(p).collect();
        (labels, p)
    }

    #[test]
    fn much_better_is_surely_better_and_the_same_is_neither() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (labels, strong) = predicted(1.5, &mut rng);
        let (_, weak) = predicted(0.5, &mut rng);
        let pair = Pair { labels: &labels, own: &strong, other: &weak };
        let (better, low, high) = bootstrap(pair, "sn34_score", 2).unwrap();
        assert!(better > 0.99 && 0.0 < low && low < high, "{better} {low} {high}");
        let (better, low, high) =
            bootstrap(Pair { own: &weak, other: &strong, ..pair }, "mcc", 2).unwrap();
        assert!(better < 0.01 && low < high && high < 0.0, "{better} {low} {high}");
        let same = bootstrap(Pair { other: &strong, ..pair }, "sn34_score", 2).unwrap();
        assert_eq!(same, (0.5, 0.0, 0.0));
    }

    /// Of detectors that are equally good, the interval excludes 0 about once in twenty times.
    #[test]
    fn the_interval_holds_what_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let excludes = |seed: u64| {
            let (labels, own) = predicted(1.0, &mut rng);
            let (_, other) = predicted(1.0, &mut rng);
            let pair = Pair { labels: &labels, own: &own, other: &other };
            let (_, low, high) = bootstrap(pair, "sn34_score", seed).unwrap();
            low > 0.0 || high < 0.0
        };
        let excluded = (0..100).map(excludes).filter(|excludes| *excludes).count();
        assert!((1..=11).contains(&excluded), "{excluded} of 100");
    }

    #[test]
    fn what_does_not_fit_has_no_evidence() {
        let pair = Pair { labels: &[0, 1], own: &[0.1, 0.9], other: &[0.1] };
        assert_eq!(bootstrap(pair, "sn34_score", 1), None);
        let pair = Pair { other: &[0.2, 0.8], ..pair };
        assert_eq!(bootstrap(pair, "loss", 1), None);
        assert!(bootstrap(pair, "brier", 1).is_some());
        assert_eq!(bootstrap(Pair { labels: &[], own: &[], other: &[] }, "mcc", 1), None);
    }
}
