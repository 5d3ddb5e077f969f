//! The official score: from predictions and labels that no candidate's process can write or read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use dfr_contract::metrics::{self, ScoreError, Scores};
use dfr_contract::pack::SYNTHETIC;
use dfr_contract::predictions::{self, PredictionsError};

use crate::experiment::SourceScore;

/// Bytes that one line of predictions can need, with room to spare; a larger file is refused unread.
const LINE_CAP_BYTES: u64 = 64;

/// Why there is no score. Only the last two are not the candidate's fault.
#[derive(Debug, thiserror::Error)]
pub enum ScorerError {
    /// The trainer left no predictions.
    #[error("no predictions: {}", .0.display())]
    Missing(PathBuf),
    /// Far more bytes than predictions can have.
    #[error("predictions of {bytes} bytes for {records} records")]
    Size {
        /// Size of the file.
        bytes: u64,
        /// Records in the part.
        records: usize,
    },
    /// Not the format.
    #[error("predictions refused: {0}")]
    Predictions(#[from] PredictionsError),
    /// Bytes that are no text.
    #[error("predictions refused: not UTF-8")]
    NotText,
    /// There, but not to be read.
    #[error("predictions cannot be read: {0}")]
    Unreadable(io::Error),
    /// The labels do not fit.
    #[error("labels refused: {0}")]
    Labels(#[from] ScoreError),
    /// The labels cannot be read.
    #[error("cannot read {}", path.display())]
    Vault {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is known of a part that was predicted, and that no trainer is given.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// One byte a record.
    pub labels: &'a Path,
    /// The data set of each record, where that is to be told.
    pub sources: Option<&'a Path>,
}

/// What predictions came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Over all records.
    pub scores: Scores,
    /// By data set.
    pub sources: BTreeMap<String, SourceScore>,
    /// The predictions: the probability of class synthetic by record.
    pub predictions: Vec<f64>,
}

/// Scores the predictions in a directory.
///
/// # Errors
/// Missing, oversized or malformed predictions; a vault that cannot be read or does not fit.
pub fn score(out: &Path, part: &Part<'_>) -> Result<Scored, ScorerError> {
    let labels = vault(part.labels)?;
    let predictions = predicted(out, labels.len())?;
    let scores = metrics::score(&labels, &predictions)?;
    let sources = match part.sources {
        Some(path) => by_source(&String::from_utf8_lossy(&vault(path)?), &labels, &predictions),
        None => BTreeMap::new(),
    };
    Ok(Scored { scores, sources, predictions })
}

/// The predictions in a directory, one for each of so many records.
///
/// # Errors
/// Missing, oversized or malformed predictions.
pub fn predicted(out: &Path, records: usize) -> Result<Vec<f64>, ScorerError> {
    let text = read_bounded(&out.join(predictions::FILE), records)?;
    Ok(predictions::parse(&text, records)?)
}

/// Labels, one byte a record.
///
/// # Errors
/// A vault that cannot be read.
pub fn vault(path: &Path) -> Result<Vec<u8>, ScorerError> {
    std::fs::read(path).map_err(|source| ScorerError::Vault { path: path.to_owned(), source })
}

/// Counts by data set, from the lines `part, record, data set, …` of the validation part.
fn by_source(ids: &str, labels: &[u8], p_synthetic: &[f64]) -> BTreeMap<String, SourceScore> {
    let mut sources: BTreeMap<String, SourceScore> = BTreeMap::new();
    for line in ids.lines() {
        let mut columns = line.split('\t');
        let (Some("validation"), Some(record), Some(source)) =
            (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let record = record.parse::<usize>().ok();
        let Some((label, p)) = record.and_then(|at| labels.get(at).zip(p_synthetic.get(at))) else {
            continue;
        };
        let score = sources.entry(source.to_owned()).or_default();
        score.records += 1;
        score.correct += u64::from((*p >= 0.5) == (*label == SYNTHETIC));
    }
    sources
}

/// Scores by name, for the ledger and the notebook.
pub fn by_name(scores: &Scores) -> BTreeMap<String, f64> {
    let names =
        ["sn34_score", "accuracy", "mcc", "brier", "mcc_norm", "brier_norm", "sn34_competition"];
    names.iter().filter_map(|&name| Some((name.to_owned(), scores.get(name)?))).collect()
}

fn read_bounded(path: &Path, records: usize) -> Result<String, ScorerError> {
    // Never follow what the trainer may have put there instead of a file.
    let kind = path.symlink_metadata().map_err(|_| ScorerError::Missing(path.to_owned()))?;
    if !kind.is_file() {
        return Err(ScorerError::Missing(path.to_owned()));
    }
    if kind.len() > LINE_CAP_BYTES * (records as u64 + 1) {
        return Err(ScorerError::Size { bytes: kind.len(), records });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(ScorerError::Unreadable)?;
    file.take(kind.len()).read_to_end(&mut bytes).map_err(ScorerError::Unreadable)?;
    String::from_utf8(bytes).map_err(|_| ScorerError::NotText)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn scored(predictions: Option<&[u8]>, labels: &[u8]) -> Result<Scores, ScorerError> {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("labels"), labels).unwrap();
        if let Some(text) = predictions {
            fs::write(dir.path().join(predictions::FILE), text).unwrap();
        }
        let part = Part { labels: &dir.path().join("labels"), sources: None };
        score(dir.path(), &part).map(|scored| scored.scores)
    }

    #[test]
    fn predictions_become_a_score() {
        let text = predictions::print(&[0.1, 0.9, 0.2]);
        let scores = scored(Some(text.as_bytes()), &[0, 1, 1]).unwrap();
        assert_eq!(scores, metrics::score(&[0, 1, 1], &[0.1, 0.9, 0.2]).unwrap());
        assert_eq!(by_name(&scores).len(), 7);
    }

    #[test]
    fn what_is_not_predictions_is_refused() {
        assert!(matches!(scored(None, &[0]), Err(ScorerError::Missing(_))));
        let huge = "x".repeat(1000);
        assert!(matches!(scored(Some(huge.as_bytes()), &[0]), Err(ScorerError::Size { .. })));
        assert!(matches!(scored(Some(b"nonsense"), &[0]), Err(ScorerError::Predictions(_))));
        assert!(matches!(scored(Some(b"\xff\xfe"), &[0]), Err(ScorerError::NotText)));
        let text = predictions::print(&[0.5]);
        assert!(matches!(scored(Some(text.as_bytes()), &[9]), Err(ScorerError::Labels(_))));
    }

    #[test]
    fn a_link_to_the_labels_is_not_predictions() {
        let dir = TempDir::new().unwrap();
        fs::write(dir.path().join("labels"), [0]).unwrap();
        std::os::unix::fs::symlink("labels", dir.path().join(predictions::FILE)).unwrap();
        let part = Part { labels: &dir.path().join("labels"), sources: None };
        let scored = score(dir.path(), &part);
        assert!(matches!(scored, Err(ScorerError::Missing(_))));
    }
}
