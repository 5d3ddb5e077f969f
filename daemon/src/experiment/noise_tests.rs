use super::*;
use crate::experiment::History;
use crate::sample::{self, tried};

fn row(sources: &[(&str, u64, u64)]) -> Row {
    let mut row = sample::history(&[tried(Verdict::Keep, 0.5, "x")]).rows.remove(0);
    let source = |(name, records, correct): &(&str, u64, u64)| {
        ((*name).to_owned(), SourceScore { records: *records, correct: *correct })
    };
    row.sources = sources.iter().map(source).collect();
    row.records = sources.iter().map(|(_, records, _)| records).sum();
    row
}

#[test]
fn a_score_has_no_more_digits_than_its_noise_allows() {
    for (records, score, told) in [
        (100, 0.643_21, "0.65"),
        (154, 0.643_21, "0.65"),
        (1000, 0.643_21, "0.64"),
        (1000, 0.650_1, "0.66"),
        (2500, 0.643_21, "0.64"),
        (10_000, 0.643_21, "0.645"),
        (1_000_000, 0.643_21, "0.6430"),
        (1, 0.643_21, "0.5"),
    ] {
        assert_eq!(
            rounded("sn34_score", score, &row(&[("a", records, 0)])),
            told,
            "{records} records"
        );
    }
    assert_eq!(rounded("sn34_score", -0.001, &row(&[])), "0.00");
    let unsorted = Row { records: 100, ..row(&[]) };
    assert_eq!(rounded("sn34_score", 0.643_21, &unsorted), "0.65");
    assert_eq!(rounded("mcc", 0.643_21, &unsorted), "0.6", "its standard error is twice as large");
}

#[test]
fn a_difference_tells_no_more_than_the_scores_beside_it() {
    let row = Row { records: 1000, ..row(&[]) };
    for (scores, told) in [
        ((0.644, 0.636), "0.00"),
        ((0.652, 0.648), "0.02"),
        ((0.61, 0.65), "-0.04"),
        ((0.5, 0.5), "0.00"),
    ] {
        let [one, other] = [scores.0, scores.1].map(|score| rounded("sn34_score", score, &row));
        let by = rounded_difference("sn34_score", scores, &row);
        assert_eq!(by, told);
        let between: f64 = one.parse::<f64>().unwrap() - other.parse::<f64>().unwrap();
        assert!((between - by.parse::<f64>().unwrap()).abs() < 1e-9, "{one} {other} {by}");
    }
}

#[test]
fn two_scores_within_the_noise_are_told_alike_however_close() {
    let row = row(&[("a", 1000, 0)]);
    let told: std::collections::BTreeSet<String> =
        (0..1000).map(|at| rounded("sn34_score", 0.630_1 + f64::from(at) * 1e-5, &row)).collect();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn small_data_sets_are_told_together_and_tiny_ones_not_at_all() {
    let many = row(&[("big", 400, 300), ("a", 20, 20), ("b", 29, 0), ("edge", 30, 30)]);
    let told = told_sources(&many);
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["big", "edge", "others"]);
    assert_eq!(told[0].1, "0.75");
    assert!(told_sources(&row(&[("a", 29, 1)])).is_empty());
}

#[test]
fn a_verdict_on_a_score_is_told_without_a_digit_and_a_failure_in_its_words() {
    let history = sample::history(&[
        tried(Verdict::Keep, 0.5, "x"),
        tried(Verdict::Discard, 0.4, "y"),
        tried(Verdict::Crash, 0.0, "z"),
    ]);
    let told: Vec<&str> = history.rows.iter().map(told_reason).collect();
    let reasons = ["better than the incumbent", "not better than the incumbent", "exit code 101"];
    assert_eq!(told, reasons);
}

#[test]
fn of_a_prediction_that_failed_only_the_daemons_own_words_are_told() {
    let mut row = row(&[]);
    row.verdict = Verdict::Crash;
    let own = crate::experiment::overlong(std::time::Duration::from_secs(7));
    for (reason, told) in [
        (own.as_str(), own.as_str()),
        ("prediction timed out: prediction took longer: record 3 is real", "prediction failed"),
        ("prediction exit code 1: record 3 is real", "prediction failed"),
        ("predictions refused: line 3: probability 7.25 is not in [0, 1]", "predictions refused"),
        ("tampered: it claims a 0.9, official is 0.612345", "tampered: it claims another score"),
        ("tampered: it printed a score: mcc: record 3 is real", "tampered: it printed a score"),
    ] {
        row.metrics.clear();
        row.reason = reason.to_owned();
        for purpose in [Purpose::Candidate, Purpose::Control, Purpose::Certify, Purpose::Adoption] {
            row.purpose = purpose;
            assert_eq!(told_reason(&row), told);
        }
    }
}

#[test]
fn a_verdict_is_told_in_the_words_of_its_rule() {
    let mut row = row(&[]);
    let believed = "sn34_score 0.600000: it helps with a chance of 0.81, by +0.01 (+2.0 x noise)";
    for (purpose, verdict, reason, told) in [
        (Purpose::Candidate, Verdict::Keep, believed, "it probably helps"),
        (Purpose::Candidate, Verdict::Discard, believed, "not sure enough to help"),
        (Purpose::Noise, Verdict::Discard, "sn34_score 0.600000", "measured again"),
        (Purpose::Adoption, Verdict::Keep, "sn34_score 0.600000", "a commit of the human's"),
    ] {
        (row.purpose, row.verdict, row.reason) = (purpose, verdict, reason.to_owned());
        assert_eq!(told_reason(&row), told);
    }
}

fn history(scores: &[(f64, f64)]) -> History {
    let all: Vec<_> = scores.iter().map(|(score, _)| tried(Verdict::Keep, *score, "x")).collect();
    let mut history = sample::history(&all);
    for (row, (_, holdout)) in history.rows.iter_mut().zip(scores) {
        row.holdout.insert("sn34_score".to_owned(), *holdout);
    }
    history
}

#[test]
fn a_gap_that_grows_beyond_the_noise_is_told_and_one_that_is_there_is_not() {
    for (scores, is_told) in [
        (&[][..], false),
        (&[(0.6, 0.5)], false),
        (&[(0.6, 0.6), (0.7, 0.68), (0.72, 0.69)], false),
        (&[(0.6, 0.4), (0.7, 0.5)], false),
        (&[(0.6, 0.6), (0.7, 0.61), (0.8, 0.62)], true),
    ] {
        let gaps = gaps(history(scores).line(), "sn34_score");
        assert_eq!(gaps.len(), scores.len());
        assert_eq!(overfit(&gaps).is_some(), is_told, "{scores:?}");
    }
}
