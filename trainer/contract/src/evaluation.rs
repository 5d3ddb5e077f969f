//! What is told of one set of predictions beyond its scores: by source, by confidence, by class.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::{Confusion, ScoreError, Scores, score, score_called};

/// Equal steps of the probability of class synthetic.
const BINS: usize = 10;
/// Accuracy that the competition asks of a newcomer.
pub const SCREENING_ACCURACY: f64 = 0.80;

/// All that labels, probabilities and sources tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of records.
    pub records: u64,
    /// The metrics.
    pub scores: Scores,
    /// Counts at threshold 0.5 (a tie is synthetic), or as whoever asked has called the records.
    pub confusion: Confusion,
    /// Mean distance between stated and observed shares of synthetic records, weighted by records.
    pub calibration_error: f64,
    /// The steps of probability that hold records, from low to high.
    pub reliability: Vec<Bin>,
    /// By data set.
    pub sources: BTreeMap<String, SourceResult>,
}

/// Records whose probability of class synthetic is in `[from, to)`, in the last step up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Number of records.
    pub records: u64,
    /// Mean probability.
    pub stated: f64,
    /// Share that is synthetic.
    pub observed: f64,
}

/// Records of one data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceResult {
    /// Number of records.
    pub records: u64,
    /// How many of them are synthetic.
    pub synthetic: u64,
    /// Fraction right, by the same rule as the confusion.
    pub accuracy: f64,
    /// Mean probability of class synthetic.
    pub mean_probability: f64,
}

impl Evaluation {
    /// Evaluates probabilities of class synthetic; `sources` names the data set of each record.
    ///
    /// # Errors
    /// Those of [`score`]. Sources beyond the records are ignored.
    pub fn new(labels: &[u8], p_synthetic: &[f64], sources: &[String]) -> Result<Self, ScoreError> {
        let scores = score(labels, p_synthetic)?;
        let calls: Vec<bool> = p_synthetic.iter().map(|p| *p >= 0.5).collect();
        Ok(Self::of(scores, &Rows { labels, p_synthetic, calls: &calls }, sources))
    }

    /// The same where whoever asked has called each record synthetic or not: of three classes the largest may be
    /// real while the other two together are more likely.
    ///
    /// # Errors
    /// Those of [`score`].
    pub fn called(
        labels: &[u8],
        (p_synthetic, calls): (&[f64], &[bool]),
        sources: &[String],
    ) -> Result<Self, ScoreError> {
        let scores = score_called(labels, p_synthetic, calls)?;
        Ok(Self::of(scores, &Rows { labels, p_synthetic, calls }, sources))
    }

    fn of(scores: Scores, rows: &Rows, sources: &[String]) -> Self {
        let reliability = reliability(rows.labels, rows.p_synthetic);
        Self {
            records: rows.labels.len() as u64,
            scores,
            confusion: Confusion::of_calls(rows.labels, rows.calls.iter().copied()),
            calibration_error: calibration_error(&reliability),
            reliability,
            sources: by_source(rows, sources),
        }
    }

    /// Whether the accuracy would pass the competition's entrance exam.
    pub fn passes_screening(&self) -> bool {
        self.scores.accuracy >= SCREENING_ACCURACY
    }
}

/// Records, column by column.
struct Rows<'a> {
    labels: &'a [u8],
    p_synthetic: &'a [f64],
    calls: &'a [bool],
}

fn reliability(labels: &[u8], p_synthetic: &[f64]) -> Vec<Bin> {
    let step = 1.0 / BINS as f64;
    let bin = |at: usize| {
        let here = |p: f64| ((p / step) as usize).min(BINS - 1) == at;
        let held: Vec<(f64, f64)> = pairs(labels, p_synthetic).filter(|(_, p)| here(*p)).collect();
        let (observed, stated) = mean(&held)?;
        let (from, to) = (at as f64 / BINS as f64, (at + 1) as f64 / BINS as f64);
        Some(Bin { from, to, records: held.len() as u64, stated, observed })
    };
    (0..BINS).filter_map(bin).collect()
}

fn calibration_error(bins: &[Bin]) -> f64 {
    let records: u64 = bins.iter().map(|bin| bin.records).sum();
    let distance = |bin: &Bin| bin.records as f64 * (bin.stated - bin.observed).abs();
    bins.iter().map(distance).sum::<f64>() / records.max(1) as f64
}

fn by_source(rows: &Rows, sources: &[String]) -> BTreeMap<String, SourceResult> {
    let mut grouped: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, source) in sources.iter().take(rows.labels.len()).enumerate() {
        grouped.entry(source).or_default().push(at);
    }
    grouped.into_iter().map(|(name, of)| (name.clone(), rows.result(&of))).collect()
}

impl Rows<'_> {
    /// Of some of the records.
    fn result(&self, of: &[usize]) -> SourceResult {
        let labels: Vec<u8> = of.iter().map(|&at| self.labels[at]).collect();
        let calls = of.iter().map(|&at| self.calls[at]);
        SourceResult {
            records: of.len() as u64,
            synthetic: labels.iter().map(|label| u64::from(*label)).sum(),
            accuracy: Confusion::of_calls(&labels, calls).accuracy(),
            mean_probability: of.iter().map(|&at| self.p_synthetic[at]).sum::<f64>()
                / of.len() as f64,
        }
    }
}

fn pairs<'a>(labels: &'a [u8], p: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    labels.iter().map(|label| f64::from(*label)).zip(p.iter().copied())
}

/// Means of both columns; nothing of no rows.
fn mean(rows: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (first, second) = rows.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let count = rows.len() as f64;
    (!rows.is_empty()).then(|| (first / count, second / count))
}

/// Tables for people.
impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_scores(f)?;
        let Confusion { tp, tn, fp, fn_ } = self.confusion;
        writeln!(f, "\nconfusion          called real  called synthetic")?;
        writeln!(f, "  real             {tn:>11}  {fp:>16}")?;
        writeln!(f, "  synthetic        {fn_:>11}  {tp:>16}")?;
        writeln!(f, "\nreliability        records  stated  observed")?;
        for Bin { from, to, records, stated, observed } in &self.reliability {
            writeln!(f, "  {from:.1} to {to:.1}     {records:>9}  {stated:>6.3}  {observed:>8.3}")?;
        }
        writeln!(f, "  calibration error {:.6}", self.calibration_error)?;
        self.write_sources(f)
    }
}

impl Evaluation {
    fn write_scores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["sn34_score", "sn34_competition", "accuracy", "mcc", "brier"];
        for name in names.into_iter().chain(["mcc_norm", "brier_norm"]) {
            let value = self.scores.get(name).expect("one of the names above");
            writeln!(f, "{:<18} {value:.6}", format!("{name}:"))?;
        }
        writeln!(f, "{:<18} {}", "records:", self.records)
    }

    fn write_sources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.sources.keys().map(|name| name.chars().count()).max().unwrap_or(0).max(17);
        writeln!(f, "\n{:<width$}  records  synthetic  accuracy  mean p", "source")?;
        for (name, source) in &self.sources {
            let SourceResult { records, synthetic, accuracy, mean_probability } = source;
            writeln!(
                f,
                "{name:<width$}  {records:>7}  {synthetic:>9}  {accuracy:>8.3}  {mean_probability:>6.3}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation() -> Evaluation {
        let sources = ["a", "a", "b", "b"].map(str::to_owned);
        Evaluation::new(&[0, 0, 1, 1], &[0.1, 0.6, 0.45, 1.0], &sources).unwrap()
    }

    #[test]
    fn every_table_counts_the_same_records() {
        let evaluation = evaluation();
        assert_eq!(evaluation.confusion, Confusion { tp: 1, tn: 1, fp: 1, fn_: 1 });
        assert_eq!(evaluation.reliability.iter().map(|bin| bin.records).sum::<u64>(), 4);
        let b = evaluation.sources["b"];
        assert_eq!((b.records, b.synthetic, b.accuracy, b.mean_probability), (2, 2, 0.5, 0.725));
        assert!(!evaluation.passes_screening());
    }

    #[test]
    fn what_was_called_counts_where_a_threshold_would_say_otherwise() {
        // Of three classes: 0.4 real, 0.3 and 0.3.
        let (p, calls) = ([0.6, 0.9, 0.5], [false, true, false]);
        let sources = ["a", "b", "a"].map(str::to_owned);
        let called = Evaluation::called(&[0, 1, 0], (&p, &calls), &sources).unwrap();
        assert_eq!(called.confusion, Confusion { tp: 1, tn: 2, fp: 0, fn_: 0 });
        assert_eq!((called.scores.accuracy, called.scores.mcc), (1.0, 1.0));
        assert_eq!(
            (called.sources["a"].accuracy, called.sources["a"].mean_probability),
            (1.0, 0.55)
        );
        let new = Evaluation::new(&[0, 1, 0], &p, &sources).unwrap();
        assert_eq!(new.confusion, Confusion { tp: 1, tn: 0, fp: 2, fn_: 0 });
        assert!(called.scores.sn34_competition > new.scores.sn34_competition);
    }

    #[test]
    fn probability_one_is_in_the_last_step_and_calibration_is_weighed_by_records() {
        let evaluation = evaluation();
        let last = evaluation.reliability.last().unwrap();
        assert_eq!((last.from, last.to, last.stated, last.observed), (0.9, 1.0, 1.0, 1.0));
        let expected = (0.1 + 0.6 + (1.0 - 0.45) + 0.0) / 4.0;
        assert!((evaluation.calibration_error - expected).abs() < 1e-12);
    }

    #[test]
    fn people_see_every_number() {
        let text = evaluation().to_string();
        for words in
            ["sn34_competition:", "accuracy:          0.500000", "b                        2"]
        {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn nothing_is_no_error() {
        let nothing = Evaluation::new(&[], &[], &[]).unwrap();
        assert_eq!((nothing.records, nothing.calibration_error), (0, 0.0));
        assert!(nothing.reliability.is_empty() && nothing.sources.is_empty());
    }
}
