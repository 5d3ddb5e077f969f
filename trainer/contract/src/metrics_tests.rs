//! Reference values: dfresearch's published formula by hand, and scikit-learn's kept as data.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// (MCC, Brier, dfresearch's sn34_score, gasbench's sn34_score).
const FORMULAS: [(f64, f64, f64, f64); 9] = [
    (0.0, 0.25, 0.509257, 0.000001),
    (0.0, 0.5, 0.353553, 0.000001),
    (0.5, 0.20, 0.688363, 0.197680),
    (0.7, 0.10, 0.825030, 0.572780),
    (0.712, 0.1345, 0.799880, 0.454634),
    (0.8, 0.08, 0.870872, 0.663443),
    (0.9, 0.04, 0.934713, 0.828868),
    (0.95, 0.02, 0.967178, 0.913717),
    (1.0, 0.0, 1.0, 1.0),
];

#[test]
fn both_formulas_give_their_published_values() {
    for (mcc, brier, ours, competition) in FORMULAS {
        let printed = format!("{:.6}", sn34(f64::midpoint(mcc, 1.0), 1.0 - brier));
        assert_eq!(printed, format!("{ours:.6}"), "mcc {mcc} brier {brier}");
        let printed = format!("{:.6}", sn34_competition(mcc, brier));
        assert_eq!(printed, format!("{competition:.6}"), "mcc {mcc} brier {brier}");
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    labels: Vec<u8>,
    p: Vec<f64>,
    accuracy: f64,
    mcc: f64,
    brier: f64,
    sn34_score: f64,
}

/// Made by `scikit_learn_vectors.py` beside the data, with scikit-learn's `matthews_corrcoef` and
/// `brier_score_loss`.
#[test]
fn agrees_with_scikit_learn() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../tests/data/scikit_learn_vectors.json")).unwrap();
    assert!(cases.len() >= 8);
    for case in cases {
        let scores = score(&case.labels, &case.p).unwrap();
        for (what, ours, theirs) in [
            ("accuracy", scores.accuracy, case.accuracy),
            ("mcc", scores.mcc, case.mcc),
            ("brier", scores.brier, case.brier),
            ("sn34_score", scores.sn34_score, case.sn34_score),
        ] {
            assert!((ours - theirs).abs() < 1e-12, "{}: {what} {ours} != {theirs}", case.name);
        }
    }
}

#[test]
fn an_empty_set_scores_as_dfresearch_says() {
    let scores = score(&[], &[]).unwrap();
    assert_eq!(scores, EMPTY);
    assert_eq!((scores.brier, scores.mcc_norm, scores.brier_norm), (0.25, 0.5, 0.75));
}

#[test]
fn one_class_has_no_correlation() {
    for (labels, p) in [([1, 1], [0.9, 0.2]), ([0, 1], [0.9, 0.8]), ([0, 0], [0.0, 0.0])] {
        assert_eq!(score(&labels, &p).unwrap().mcc, 0.0, "{labels:?} {p:?}");
    }
}

#[test]
fn a_tie_is_synthetic_here_and_real_in_the_competition() {
    let scores = score(&[1, 0], &[0.5, 0.0]).unwrap();
    assert_eq!((scores.accuracy, scores.mcc), (1.0, 1.0));
    assert!(scores.sn34_competition < sn34_competition(1.0, scores.brier));
}

#[test]
fn refuses_what_cannot_be_scored() {
    assert_eq!(score(&[0], &[]), Err(ScoreError::Length { labels: 1, probabilities: 0 }));
    assert_eq!(score(&[2], &[0.5]), Err(ScoreError::Label { index: 0, value: 2 }));
    for value in [-0.01, 1.01, f64::INFINITY] {
        assert_eq!(score(&[0], &[value]), Err(ScoreError::Probability { index: 0, value }));
    }
    assert!(matches!(score(&[0], &[f64::NAN]), Err(ScoreError::Probability { index: 0, .. })));
}

proptest! {
    #[test]
    fn scores_stay_in_their_ranges(pairs in prop::collection::vec((0u8..2, 0.0f64..=1.0), 1..80)) {
        let (labels, p): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let s = score(&labels, &p).unwrap();
        for (name, value) in [("sn34", s.sn34_score), ("accuracy", s.accuracy), ("brier", s.brier),
                              ("competition", s.sn34_competition)] {
            prop_assert!((0.0..=1.0).contains(&value), "{} {}", name, value);
        }
        prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&s.mcc));
    }

    #[test]
    fn order_does_not_matter(pairs in prop::collection::vec((0u8..2, 0.0f64..=1.0), 1..40)) {
        let (labels, p): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let (rl, rp): (Vec<_>, Vec<_>) = pairs.into_iter().rev().unzip();
        let (a, b) = (score(&labels, &p).unwrap(), score(&rl, &rp).unwrap());
        prop_assert!((a.sn34_score - b.sn34_score).abs() < 1e-12);
    }
}
