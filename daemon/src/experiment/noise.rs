//! How much a score says. A part of so many records measures a share with a standard error, and
//! digits beyond that are noise that a proposer could only learn by heart.

use std::collections::BTreeMap;

use super::verdict::{BELIEVED, TAMPERED};
use super::{Purpose, Row, Rule, SourceScore, Verdict};

/// Records that are assumed where the ledger does not tell them.
const ASSUMED_RECORDS: u64 = 1000;
/// Fewer records of one data set say nothing about it, and could be picked out one by one.
const LEAST_RECORDS: u64 = 30;
/// Standard errors by which the gap to the holdout may grow.
const ERRORS: f64 = 2.0;

/// The standard error of a share at one half, where it is largest.
fn standard_error(records: u64) -> f64 {
    0.5 / (records.max(1) as f64).sqrt()
}

/// Records that a row's scores were measured on.
fn records(row: &Row) -> u64 {
    if row.records > 0 { row.records } else { ASSUMED_RECORDS }
}

/// The standard error of a score of this name on so many records. A correlation runs from -1 to 1, a
/// share from 0 to 1.
fn error_of(name: &str, records: u64) -> f64 {
    let width = if name == "mcc" { 2.0 } else { 1.0 };
    width * standard_error(records)
}

/// A score of this name as it may be told to a proposer: in steps of 1, 2 or 5 of some decimal, none
/// smaller than its standard error.
pub fn rounded(name: &str, score: f64, row: &Row) -> String {
    let (step, digits) = step(error_of(name, records(row)));
    format!("{:.digits$}", (score / step).round() * step + 0.0)
}

/// By how much one score is above another as that may be told: the difference of what is told of both.
pub fn rounded_difference(name: &str, (score, other): (f64, f64), row: &Row) -> String {
    let (step, digits) = step(error_of(name, records(row)));
    format!("{:.digits$}", ((score / step).round() - (other / step).round()) * step + 0.0)
}

/// The smallest step that is no less than this, and its decimals.
fn step(least: f64) -> (f64, usize) {
    let steps = (0..=6).rev().flat_map(|digits| {
        [1.0, 2.0, 5.0].map(|step| (step / 10f64.powi(digits), digits.unsigned_abs() as usize))
    });
    steps.into_iter().find(|(step, _)| *step >= least).unwrap_or((1.0, 0))
}

/// What a verdict may be told of to a proposer: no digit of a score, and nothing that a run said which
/// saw the part that decides.
pub fn told_reason(row: &Row) -> &str {
    let is_believed = row.reason.contains(BELIEVED);
    match (row.purpose, row.verdict) {
        _ if row.reason.starts_with(TAMPERED) => told_tampering(&row.reason),
        (_, Verdict::Crash) => told_crash(&row.reason),
        (Purpose::Baseline, _) => "what the session began with",
        (Purpose::Adoption, _) => "a commit of the human's",
        (Purpose::Candidate, Verdict::Keep) if is_believed => "it probably helps",
        (Purpose::Candidate, Verdict::Discard) if is_believed => "not sure enough to help",
        (Purpose::Candidate, Verdict::Keep) => "better than the incumbent",
        (Purpose::Candidate, Verdict::Discard) => "not better than the incumbent",
        (Purpose::Moved, _) => "measured again, on another machine",
        (Purpose::Control | Purpose::Noise | Purpose::Certify, _) => "measured again",
    }
}

fn told_tampering(reason: &str) -> &str {
    match reason {
        _ if reason.contains("it printed") => "tampered: it printed a score",
        _ if reason.contains("official is") => "tampered: it claims another score",
        _ => reason,
    }
}

fn told_crash(reason: &str) -> &str {
    match reason {
        _ if reason.starts_with("prediction took longer") => reason,
        _ if reason.starts_with("predictions refused") => "predictions refused",
        _ if reason.starts_with("prediction") => "prediction failed",
        _ => reason,
    }
}

/// What makes a candidate a keep, in words for whoever proposes.
pub fn told_rule(rule: Rule, objective: &str) -> String {
    match rule {
        Rule::Strict => format!("{objective} is strictly higher than the incumbent's"),
        Rule::Yield => format!("it probably raises {objective}, by all scores so far"),
        Rule::Confirmed => {
            format!("it probably raises {objective}, by all scores so far, a second run's included")
        }
    }
}

/// Accuracy by data set as it may be told to a proposer; those with too few records as one, called
/// `others`, if that has enough.
pub fn told_sources(row: &Row) -> Vec<(String, String)> {
    let mut told: BTreeMap<String, SourceScore> = BTreeMap::new();
    for (name, score) in &row.sources {
        let name = if score.records >= LEAST_RECORDS { name } else { "others" };
        let sum = told.entry(name.to_owned()).or_default();
        sum.records += score.records;
        sum.correct += score.correct;
    }
    told.retain(|_, score| score.records >= LEAST_RECORDS);
    let told = told.into_iter().map(|(name, score)| {
        let (step, digits) = step(standard_error(score.records));
        let accuracy = score.correct as f64 / score.records as f64;
        (name, format!("{:.digits$}", (accuracy / step).round() * step))
    });
    told.collect()
}

/// What a keep scored where it was chosen, and where it was not.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Number of the experiment.
    pub experiment: u32,
    /// Full object id.
    pub commit: String,
    /// The objective on the validation part.
    pub validation: f64,
    /// The objective on the holdout part.
    pub holdout: f64,
    /// By which the gap of another keep may be larger.
    margin: f64,
}

impl Gap {
    /// By how much it looks better than it is.
    pub fn size(&self) -> f64 {
        self.validation - self.holdout
    }
}

/// The gaps of those rows that were measured on the holdout.
pub fn gaps<'a>(rows: impl IntoIterator<Item = &'a Row>, objective: &str) -> Vec<Gap> {
    let gap = |row: &Row| {
        // Two parts of about one size, compared twice.
        let margin = ERRORS * 2.0 * standard_error(records(row));
        Some(Gap {
            experiment: row.experiment,
            commit: row.commit.clone(),
            validation: *row.metrics.get(objective)?,
            holdout: *row.holdout.get(objective)?,
            margin,
        })
    };
    rows.into_iter().filter_map(gap).collect()
}

/// Says so when the best keep was to be measured on the holdout and does not stand there: it failed, or
/// it did something that it must not.
pub fn unmeasured(best: &Row) -> Option<String> {
    let problem = best.holdout_problem.as_ref()?;
    let Row { experiment, .. } = best;
    Some(format!("experiment {experiment} does not stand on the holdout: {problem}"))
}

/// Says so when keeps look better and better where they are chosen and not where they are not.
pub fn overfit(gaps: &[Gap]) -> Option<String> {
    let (first, last) = (gaps.first()?, gaps.last()?);
    let growth = last.size() - first.size();
    (growth > last.margin).then(|| {
        format!(
            "the gap between validation and holdout grew from {:+.4} at experiment {} to {:+.4} at \
             experiment {}: what is kept may fit the validation part alone",
            first.size(),
            first.experiment,
            last.size(),
            last.experiment
        )
    })
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
