//! Weights in half the bytes: what that does to the score is told before anybody submits them.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use dfr_contract::evaluation::Evaluation;
use dfr_contract::pack::{Part, PartHeader, file};
use dfr_export::config::Config;
use dfr_media::files::{FileError, at};
use dfr_media::pack::read::read_json;

use crate::evaluate::{against, labels};
use crate::failure::Failure;
use crate::python::{Answers, Python, write_loader};
use crate::train::TrainError;

/// Twice the validation part on a CPU, by a module that nobody has compiled.
const LIMIT: Duration = Duration::from_secs(3600);

/// What the submission in `dir` scores on the validation part of a pack, asked in Python as the competition
/// does.
///
/// # Errors
/// It ends with an error or leaves records out, or the disk.
pub fn score(
    python: &Python,
    (dir, config): (&Path, &Config),
    pack: &Path,
) -> Result<Evaluation, Failure> {
    write_loader(dir, config)?;
    let folder = pack.join(Part::Validation.as_str());
    let header: PartHeader =
        read_json(&folder.join(file::PART)).ok_or_else(|| unreadable(&folder))?;
    let records = folder.join(header.records_file());
    let records = File::open(&records).map_err(at("read", &records))?;
    let phase = python.asking(dir, (config.modality, &header.shape), Stdio::from(records), LIMIT);
    let mut answers = Answers::default();
    phase.run(&mut answers).map_err(TrainError::from)?;
    let labels = labels(pack, Part::Validation)?;
    against(pack, (Part::Validation, &labels), &answers.0)
}

fn unreadable(folder: &Path) -> FileError {
    let source = std::io::Error::other("not a part of a pack");
    FileError { action: "read", path: folder.join(file::PART), source }
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
