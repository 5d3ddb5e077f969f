//! Weights in half the bytes: what that does to the score is told before anybody submits them.

use std::path::Path;

use dfr_contract::evaluation::Evaluation;
use dfr_contract::pack::Part;
use dfr_export::config::Config;

use super::asking::Records;
use crate::evaluate::{against, labels};
use crate::failure::Failure;
use crate::python::Python;

/// What the submission in `dir` scores on the validation part of a pack.
///
/// # Errors
/// It ends with an error or leaves records out, or the disk.
pub fn score(
    python: &Python,
    submission: (&Path, &Config),
    pack: &Path,
) -> Result<Evaluation, Failure> {
    let answers = Records::find(pack)?.ask(python, submission, u64::MAX)?;
    let labels = labels(pack, Part::Validation)?;
    against(pack, (Part::Validation, &labels), &answers)
}

/// Both scores, in one line.
pub fn told(single: &Evaluation, cast: &Evaluation, dtype: &str) -> String {
    let of = |evaluation: &Evaluation| {
        let scores = &evaluation.scores;
        format!("sn34_score {:.6}, accuracy {:.6}", scores.sn34_score, scores.accuracy)
    };
    let by = cast.scores.sn34_score - single.scores.sn34_score;
    format!("{dtype}: {} (float32: {}): {by:+.6}", of(cast), of(single))
}
