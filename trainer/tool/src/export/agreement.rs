//! An archive beside the predictions that were scored. A trace comes from a candidate's program, which may have
//! traced another model than the one that it predicted with.

use std::path::{Path, PathBuf};

use dfr_contract::predictions;
use dfr_export::config::Config;
use dfr_media::files;

use super::ExportError;
use super::asking::Records;
use crate::failure::Failure;
use crate::python::Python;
use crate::train::TrainError;

/// More would take minutes with the largest models on a CPU.
const RECORDS: u64 = 64;
/// Mean difference of probabilities. Predictions in bfloat16 on a GPU are some thousandths from single precision.
const MOST: f64 = 0.02;

/// Says how far the answers of the submission in `dir` are from predictions of the validation part of a pack.
///
/// # Errors
/// Too far, it leaves records out, or the disk.
pub fn require(
    python: &Python,
    submission: (&Path, &Config),
    (pack, file): (&Path, &PathBuf),
) -> Result<String, Failure> {
    let records = Records::find(pack)?;
    let all = usize::try_from(records.header.records).unwrap_or(usize::MAX);
    let scored = predictions::parse(&files::read_lossy(file)?, all)
        .map_err(|source| TrainError::Predictions { path: file.clone(), source })?;
    let answers = records.ask(python, submission, RECORDS)?;
    let asked = all.min(RECORDS as usize);
    Ok(compare(&answers, &scored[..asked])?)
}

fn compare(answers: &[f64], scored: &[f64]) -> Result<String, ExportError> {
    let records = scored.len();
    if answers.len() != records {
        let told = format!("it answered {} of {records} records and ended", answers.len());
        return Err(ExportError::Fails(told));
    }
    let differences = || answers.iter().zip(scored).map(|(a, b)| (a - b).abs());
    let mean = differences().sum::<f64>() / records.max(1) as f64;
    if mean.is_nan() || mean > MOST {
        return Err(ExportError::Other { mean, most: MOST, records });
    }
    let largest = differences().fold(0.0, f64::max);
    Ok(format!(
        "agreement: {records} records of validation are {mean:.1e} from what was scored, {largest:.1e} at most"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_another_model_and_answers_that_are_none_are_refused() {
        let scored = [0.1, 0.9, 0.5, 0.3];
        let told = compare(&[0.1, 0.9, 0.5, 0.301], &scored).unwrap();
        assert_eq!(
            told,
            "agreement: 4 records of validation are 2.5e-4 from what was scored, 1.0e-3 at most"
        );
        for other in [[0.1, 0.9, 0.5, 0.4], [0.1, 0.9, 0.5, f64::NAN]] {
            assert!(matches!(compare(&other, &scored), Err(ExportError::Other { records: 4, .. })));
        }
        assert!(matches!(compare(&scored[..3], &scored), Err(ExportError::Fails(_))));
    }
}
