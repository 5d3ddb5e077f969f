//! A forest that tries to tell the classes apart by features that hold no content. Pure.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::audit::features;

/// Parts of the records. Each but the first is judged by a forest that has seen those before it.
pub const FOLDS: usize = 10;
/// Trees of a forest.
const TREES: usize = 40;
/// Levels of a tree: enough for a few features at once.
const DEPTH: u16 = 4;
/// A leaf holds at least so many records, and this part of all: fewer would be learning by heart.
const LEAF: (usize, usize) = (8, 20);

/// Mean AUC over the folds that are judged, where label 1 should have the higher score. `parts` are
/// the labels of each part, in stored order, at least [`FOLDS`] of each class in each. Only records of
/// one part are compared: parts may have different shares of the classes.
///
/// Folds are drawn within each class and part, so that what a forest knows of other folds' labels
/// tells it nothing of those it judges: with an honest order each fold's AUC is 0.5 on average,
/// whatever is learnt. A forest learns from earlier folds only, so their AUCs are uncorrelated too and
/// the mean has just the standard error of the rank statistic. Where each fold is judged by all
/// others, two folds that lean the same way by chance confirm each other: measured on honest orders,
/// the mean then has 1.3 standard errors.
pub fn auc(parts: &[&[u8]], seed: u64) -> f64 {
    let records = draw_folds(parts, seed);
    let of_fold = |fold| fold_auc(parts, &records, (fold, seed));
    let areas: Vec<f64> = (1..FOLDS).into_par_iter().map(of_fold).collect();
    areas.iter().sum::<f64>() / areas.len() as f64
}

/// What is known of a record besides its features.
#[derive(Clone, Copy, Debug)]
struct Record {
    part: usize,
    label: u8,
    fold: usize,
}

/// All records, in stored order; as many of each class of each part in every fold as can be.
fn draw_folds(parts: &[&[u8]], seed: u64) -> Vec<Record> {
    let of_part = |(part, labels): (usize, &&[u8])| -> Vec<Record> {
        labels.iter().map(|label| Record { part, label: *label, fold: 0 }).collect()
    };
    let mut records: Vec<Record> = parts.iter().enumerate().flat_map(of_part).collect();
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.sort_by_key(|at| (records[*at].part, records[*at].label));
    for (turn, at) in order.into_iter().enumerate() {
        records[at].fold = turn % FOLDS;
    }
    records
}

fn fold_auc(parts: &[&[u8]], records: &[Record], (fold, seed): (usize, u64)) -> f64 {
    let features = features_before(parts, records, fold);
    let choose = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..records.len()).filter(|at| wanted(records[*at].fold)).collect()
    };
    let (learnt, judged) = (choose(&|of| of < fold), choose(&|of| of == fold));
    let rows = |chosen: &[usize]| {
        let rows = chosen.iter().map(|at| features[*at].clone()).collect();
        DenseMatrix::from_2d_vec(&rows).expect("rows of one length")
    };
    let targets: Vec<f64> = learnt.iter().map(|at| f64::from(records[*at].label)).collect();
    let settings = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_max_depth(DEPTH)
        .with_min_samples_leaf(LEAF.0.max(learnt.len() / LEAF.1))
        .with_seed(seed);
    let forest = RandomForestRegressor::fit(&rows(&learnt), &targets, settings)
        .expect("as many labels as rows, and more than one");
    let scores: Vec<f64> = forest.predict(&rows(&judged)).expect("rows of the length it learnt");
    let scored: Vec<(Record, f64)> = judged.iter().map(|at| records[*at]).zip(scores).collect();
    let (won, pairs) = scored
        .chunk_by(|(one, _), (other, _)| one.part == other.part)
        .map(pairs_won)
        .fold((0.0, 0.0), |(won, pairs), (w, p)| (won + w, pairs + p));
    won / pairs
}

/// Features of all records, in which only labels of earlier folds are known.
fn features_before(parts: &[&[u8]], records: &[Record], fold: usize) -> Vec<Vec<f64>> {
    let mut features = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let of_part = &records[features.len()..][..part.len()];
        let known: Vec<Option<u8>> =
            of_part.iter().map(|record| (record.fold < fold).then_some(record.label)).collect();
        features.extend(features::of_part(index, &known));
    }
    features
}

/// Pairs of both classes in which the one of class 1 has the higher score, and all pairs; equal ones
/// count half.
fn pairs_won(scored: &[(Record, f64)]) -> (f64, f64) {
    let mut order = scored.to_vec();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let (mut below, mut won) = (0.0, 0.0);
    for tied in order.chunk_by(|(_, a), (_, b)| a == b) {
        let ones = tied.iter().filter(|(record, _)| record.label == 1).count() as f64;
        let zeros = tied.len() as f64 - ones;
        won += ones * (below + zeros / 2.0);
        below += zeros;
    }
    (won, below * (scored.len() as f64 - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_and_ties_by_half() {
        let won = |scores: &[f64], labels: &[u8]| {
            let record = |label: &u8| Record { part: 0, label: *label, fold: 0 };
            let scored: Vec<_> = labels.iter().map(record).zip(scores.iter().copied()).collect();
            pairs_won(&scored)
        };
        assert_eq!(won(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]), (3.0, 4.0));
        assert_eq!(won(&[0.5; 4], &[0, 1, 0, 1]), (2.0, 4.0));
        assert_eq!(won(&[1.0, 0.0], &[0, 1]), (0.0, 1.0));
        assert_eq!(won(&[1.0, 0.0], &[1, 1]), (0.0, 0.0));
    }

    #[test]
    fn every_fold_has_its_share_of_each_class_of_each_part() {
        let labels = |count: u32, every: u32| -> Vec<u8> {
            (0..count).map(|n| u8::from(n % every == 0)).collect()
        };
        let records = draw_folds(&[&labels(103, 4), &labels(90, 3)], 3);
        for fold in 0..FOLDS {
            let of = |part, label| {
                let same = |r: &&Record| (r.fold, r.part, r.label) == (fold, part, label);
                records.iter().filter(same).count()
            };
            assert!((7..=8).contains(&of(0, 0)) && (2..=3).contains(&of(0, 1)), "fold {fold}");
            assert_eq!((of(1, 0), of(1, 1)), (6, 3), "fold {fold}");
        }
    }
}
