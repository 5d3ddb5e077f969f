//! How far the trainings of keeps in full came: a directory for each, with what says so beside its weights.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::resumed;

use super::full::Full;
use super::keep::Keep;
use crate::experiment::Row;
use crate::failure::{Failure, OrFailure as _};
use crate::report::{one_line, short};

/// Beside the directory of a training: it came to its end, and what was done with it then.
pub(super) const TRAINED: &str = "trained";
pub(super) const EVALUATED: &str = "evaluated";
pub(super) const EXPORTED: &str = "exported";
/// What is told of a keep beside its number.
const DESCRIPTION_WIDTH: usize = 60;

/// Says which keep is meant, and that another one, which was the best then perhaps, waits to be gone on with.
pub(super) fn tell(keep: &Keep<'_>) -> Result<(), Failure> {
    let Row { experiment: n, commit, description, .. } = &keep.row;
    let tag = &keep.session.begun.tag;
    let (commit, description) = (short(commit), one_line(description, DESCRIPTION_WIDTH));
    eprintln!("in full: experiment {n} of {tag} ({commit}), {description}");
    for (other, root) in unfinished(keep.notebook.root())? {
        if other != *n {
            eprintln!(
                "warning: the full training of experiment {other} is not finished, and this is not it: \
                 --experiment {other} goes on with {}",
                root.display()
            );
        }
    }
    Ok(())
}

/// Trainings of any keep that were cut short, each with its place.
fn unfinished(state: &Path) -> Result<Vec<(u32, PathBuf)>, Failure> {
    let keep = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("full-")?.parse().ok();
    let mut found = Vec::new();
    for all in paths(state)? {
        if let Some(n) = keep(&all) {
            found.extend(paths(&all)?.into_iter().filter(|r| is_begun(r)).map(|root| (n, root)));
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn paths(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(directory).or_outside()?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
}

/// Whether a training in that place was cut short.
pub(super) fn is_begun(root: &Path) -> bool {
    root.join("run").join(resumed::DIR).is_dir() && !root.join(TRAINED).exists()
}

/// Whether one came to its end there, and not all that is asked for was done with it.
pub(super) fn is_waiting(root: &Path, full: Full) -> bool {
    let last = if full.exports { EXPORTED } else { EVALUATED };
    root.join(TRAINED).exists() && !root.join(last).exists()
}

/// What is trained on other data, or for another time, is another model, and has its own place.
pub(super) fn place(pack: &Path, budget: Duration) -> String {
    let data = pack.file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{}-{}s", data.get(..12).unwrap_or(&data), budget.as_secs())
}
