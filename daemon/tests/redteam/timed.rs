//! A small repository whose trainer works against a clock, of which the lab may be edited. Every step
//! makes the score better, so that whoever takes more time than the others stands out.

use std::fs;
use std::path::Path;

use crate::pack::{Contents, Signal};
use crate::{lab, tree};

pub const CONTENTS: Contents = Contents { records: [64, 64, 64], signal: Signal::Brightness };

/// Training time of one experiment, in seconds: enough that half as much again is told as what it is
/// before the run as a whole is ended.
pub const BUDGET_S: &str = "15";

/// By which the scores of two honest trainings may differ, because a busy machine wakes one of them later.
/// Half as much time again is worth three times that.
pub const MARGIN: f64 = 0.01;

/// The task of the small repository, with a budget and a smaller room.
pub fn task() -> String {
    [
        (r#"paths = ["**"]"#, r#"paths = ["src/lab.rs", "src/kit.rs"]"#),
        ("predict_s = 10", "predict_s = 60"),
        (r#""train", "#, r#""train", "--budget-s", "{budget_s}", "#),
    ]
    .iter()
    .fold(tree::TASK.to_owned(), |text, (from, to)| lab::edited(&text, from, to))
}

/// Writes the repository's files.
pub fn write(repository: &Path) {
    tree::write(repository);
    fs::write(repository.join("harness/src/lib.rs"), include_str!("project/timed.rs")).unwrap();
}
