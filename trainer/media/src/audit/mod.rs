//! Looks for tells: whether anything but the content of a record says which class it is of.
//!
//! [`store`] checks that what a trainer is handed is uniform; [`classify`] tries to learn the classes
//! from where records stand, as a candidate could that never looks at a pixel.

pub mod classify;
pub mod features;
pub mod store;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::pack::{Part, REAL, SYNTHETIC};

use crate::files::{FileError, at};
use crate::pack::read::labels_path;

/// Records of each class below which there is no verdict.
pub const ENOUGH: usize = 200;
/// Distance from 0.5 that is never held against a pack.
const LEAST_BOUND: f64 = 0.02;
/// Standard errors that an honest order may be away from 0.5.
const STANDARD_ERRORS: f64 = 3.0;
/// Of folds and trees: a pack is judged alike every time.
const SEED: u64 = 0x6466_7220_6175_6469;

/// Why a pack could not be audited.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A header that is not there or not valid.
    #[error("{}: no header of a part; run `dfr prepare`", .0.display())]
    Header(PathBuf),
    /// Labels that are none, or not one a record.
    #[error("{}: not one label of 0 or 1 for each record", .0.display())]
    Labels(PathBuf),
}

/// What could be learnt of one set of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which records.
    pub records: &'static str,
    /// Real and synthetic ones, by part; parts that hardly have both classes are not looked at.
    pub counts: Vec<[usize; 2]>,
    /// Area under the ROC curve on records that were not learnt from; none with too few records to tell.
    pub auc: Option<f64>,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What the order of the records tells.
    pub findings: Vec<Finding>,
    /// What is not uniform about the files, in words.
    pub tells: Vec<String>,
}

impl Finding {
    /// Largest distance of the AUC from 0.5 that an honest order may have: 0.02 or three standard
    /// errors of the rank statistic for as many records as were judged, whichever is more.
    pub fn bound(&self) -> f64 {
        let judged = (classify::FOLDS - 1) as f64 / classify::FOLDS as f64;
        let (mut variance, mut pairs) = (0.0, 0.0);
        for counts in &self.counts {
            let [real, synthetic] = counts.map(|n| judged * n as f64);
            variance += real * synthetic * (real + synthetic + 1.0) / 12.0;
            pairs += real * synthetic;
        }
        LEAST_BOUND.max(STANDARD_ERRORS * variance.sqrt() / pairs)
    }

    /// Real and synthetic records in all parts.
    fn total(&self) -> [usize; 2] {
        [0, 1].map(|class| self.counts.iter().map(|counts| counts[class]).sum())
    }

    /// Whether nothing is held against the records; also when there is no verdict.
    pub fn passes(&self) -> bool {
        self.auc.is_none_or(|auc| (auc - 0.5).abs() <= self.bound())
    }
}

impl Report {
    /// Whether the pack may be used.
    pub fn passes(&self) -> bool {
        self.tells.is_empty() && self.findings.iter().all(Finding::passes)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [real, synthetic] = self.total();
        write!(f, "audit of {:<12} {real:>6} real {synthetic:>6} synthetic  ", self.records)?;
        match self.auc {
            None => write!(f, "no verdict: fewer than {ENOUGH} of a class"),
            Some(auc) => {
                let verdict = if self.passes() { "passed" } else { "FAILED" };
                write!(f, "AUC {auc:.4}, allowed 0.5 ± {:.4}: {verdict}", self.bound())
            }
        }
    }
}

/// One line for each finding and each tell.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        self.tells.iter().try_for_each(|tell| writeln!(f, "audit: {tell}: FAILED"))
    }
}

/// Audits what a trainer gets of a pack without labels: validation, holdout, and both together.
///
/// # Errors
/// The disk; a pack that is not whole.
pub fn pack(dir: &Path) -> Result<Report, AuditError> {
    let sealed = [Part::Validation, Part::Holdout];
    let (mut labels, mut tells) = (Vec::new(), Vec::new());
    for part in sealed {
        let header = store::check(&dir.join(part.as_str()), &mut tells)?;
        labels.push(read_labels(&labels_path(dir, part), header.records)?);
    }
    let (validation, holdout) = (labels[0].as_slice(), labels[1].as_slice());
    let findings = vec![
        judge(sealed[0].as_str(), &[validation]),
        judge(sealed[1].as_str(), &[holdout]),
        judge("both", &[validation, holdout]),
    ];
    Ok(Report { findings, tells })
}

fn judge(records: &'static str, parts: &[&[u8]]) -> Finding {
    let count =
        |part: &[u8]| [REAL, SYNTHETIC].map(|class| part.iter().filter(|l| **l == class).count());
    let both = |part: &&[u8]| count(part).iter().all(|count| *count >= classify::FOLDS);
    let parts: Vec<&[u8]> = parts.iter().copied().filter(both).collect();
    let counts = parts.iter().map(|part| count(part)).collect();
    let finding = Finding { records, counts, auc: None };
    let enough = finding.total().iter().all(|count| *count >= ENOUGH);
    Finding { auc: enough.then(|| classify::auc(&parts, SEED)), ..finding }
}

fn read_labels(path: &Path, records: u64) -> Result<Vec<u8>, AuditError> {
    let labels = fs::read(path).map_err(at("read", path))?;
    let valid = labels.len() as u64 == records && labels.iter().all(|label| *label <= SYNTHETIC);
    if valid { Ok(labels) } else { Err(AuditError::Labels(path.to_owned())) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
