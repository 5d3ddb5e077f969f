//! The official score: from predictions and labels that no candidate's process can write or read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use dfr_contract::metrics::{self, ScoreError, Scores};
use dfr_contract::predictions::{self, PredictionsError};

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

/// Scores a run directory's predictions against a label file (one byte a record).
///
/// # Errors
/// Missing, oversized or malformed predictions; labels that cannot be read or are not labels.
pub fn score(run: &Path, labels: &Path) -> Result<Scores, ScorerError> {
    let labels_of = |path: &Path| {
        std::fs::read(path).map_err(|source| ScorerError::Vault { path: path.to_owned(), source })
    };
    let labels = labels_of(labels)?;
    let text = read_bounded(&run.join(predictions::FILE), labels.len())?;
    Ok(metrics::score(&labels, &predictions::parse(&text, labels.len())?)?)
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
        score(dir.path(), &dir.path().join("labels"))
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
        let scored = score(dir.path(), &dir.path().join("labels"));
        assert!(matches!(scored, Err(ScorerError::Missing(_))));
    }
}
