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
const DEPTH: u16 = 6;
/// Records in a leaf: fewer would be learning by heart.
const LEAF: usize = 8;

/// Mean AUC over the folds that are judged, where label 1 should have the higher score. `parts` are
/// the labels of each part, in stored order, both classes among them.
///
/// Folds are drawn within each class, so that what a forest knows of other folds' labels tells it
/// nothing of those it judges: with an honest order each fold's AUC is 0.5 on average, whatever is
/// learnt. A forest learns from earlier folds only, so their AUCs are uncorrelated too and the mean
/// has just the standard error of the rank statistic. Where each fold is judged by all others, two
/// folds that lean the same way by chance confirm each other: measured on honest orders, the mean
/// then has 1.3 standard errors.
pub fn auc(parts: &[&[u8]], seed: u64) -> f64 {
    let labels: Vec<u8> = parts.concat();
    let folds = draw_folds(&labels, seed);
    let of_fold = |fold| fold_auc(parts, &labels, &folds, (fold, seed));
    let areas: Vec<f64> = (1..FOLDS).into_par_iter().map(of_fold).collect();
    areas.iter().sum::<f64>() / areas.len() as f64
}

/// The fold of each record, as many of each class in every one as can be.
fn draw_folds(labels: &[u8], seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut rng);
    order.sort_by_key(|record| labels[*record]);
    let mut folds = vec![0; labels.len()];
    for (at, record) in order.into_iter().enumerate() {
        folds[record] = at % FOLDS;
    }
    folds
}

fn fold_auc(parts: &[&[u8]], labels: &[u8], folds: &[usize], (fold, seed): (usize, u64)) -> f64 {
    let features = features_before(parts, folds, fold);
    let choose = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..labels.len()).filter(|record| wanted(folds[*record])).collect()
    };
    let (learnt, judged) = (choose(&|of| of < fold), choose(&|of| of == fold));
    let rows = |records: &[usize]| {
        let rows = records.iter().map(|record| features[*record].clone()).collect();
        DenseMatrix::from_2d_vec(&rows).expect("rows of one length")
    };
    let label = |records: &[usize]| records.iter().map(|r| f64::from(labels[*r])).collect();
    let targets: Vec<f64> = label(&learnt);
    let settings = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_max_depth(DEPTH)
        .with_min_samples_leaf(LEAF)
        .with_seed(seed);
    let forest = RandomForestRegressor::fit(&rows(&learnt), &targets, settings)
        .expect("as many labels as rows, and more than one");
    let scores = forest.predict(&rows(&judged)).expect("rows of the length it was fitted to");
    let labels: Vec<u8> = judged.iter().map(|record| labels[*record]).collect();
    rank_auc(&scores, &labels)
}

/// Features of all records, in which only labels of earlier folds are known.
fn features_before(parts: &[&[u8]], folds: &[usize], fold: usize) -> Vec<Vec<f64>> {
    let mut features = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let at = features.len();
        let known = |(record, label): (usize, &u8)| (folds[at + record] < fold).then_some(*label);
        let known: Vec<Option<u8>> = part.iter().enumerate().map(known).collect();
        features.extend(features::of_part(index, &known));
    }
    features
}

/// Share of pairs of both classes in which the one of class 1 has the higher score; equal ones count
/// half.
pub fn rank_auc(scores: &[f64], labels: &[u8]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let ones = tied.iter().filter(|record| labels[**record] == 1).count() as f64;
        let zeros = tied.len() as f64 - ones;
        pairs += ones * (below + zeros / 2.0);
        below += zeros;
    }
    pairs / (below * (scores.len() as f64 - below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs_and_ties_by_half() {
        assert_eq!(rank_auc(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]), 0.75);
        assert_eq!(rank_auc(&[0.5; 4], &[0, 1, 0, 1]), 0.5);
        assert_eq!(rank_auc(&[1.0, 0.0], &[0, 1]), 0.0);
    }

    #[test]
    fn every_fold_has_its_share_of_each_class() {
        let labels: Vec<u8> = (0..103).map(|n| u8::from(n % 4 == 0)).collect();
        let folds = draw_folds(&labels, 3);
        for fold in 0..FOLDS {
            let of = |class| {
                let both = folds.iter().zip(&labels);
                both.filter(|(f, label)| **f == fold && **label == class).count()
            };
            assert!((7..=8).contains(&of(0)) && (2..=3).contains(&of(1)), "fold {fold}");
        }
    }
}
