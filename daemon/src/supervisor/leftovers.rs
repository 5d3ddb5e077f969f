//! What an earlier life of the session left behind when it was killed or the power went: programs,
//! locks of references, references that hold nothing. Every start clears it away, and so does
//! `recover`.

use std::path::PathBuf;

use crate::failure::{Failure, OrFailure as _};
use crate::notebook::Notebook;
use crate::repository::Repository;
use crate::runner;

/// What was found; all but foreign locks is gone now.
pub(super) struct Leftovers {
    programs: usize,
    locks: Vec<PathBuf>,
    foreign: Vec<PathBuf>,
    /// Names of references that held no object id. They are to be put back from the ledger.
    pub(super) references: Vec<String>,
}

/// Tells the programs of this session from all others on the machine.
pub(super) fn mark(notebook: &Notebook) -> String {
    let root = notebook.root();
    root.canonicalize().unwrap_or_else(|_| root.to_owned()).to_string_lossy().into_owned()
}

/// Clears everything away. For the holder of the session's lock.
pub(super) async fn clear(
    notebook: &Notebook,
    repository: &Repository,
    tag: &str,
) -> Result<Leftovers, Failure> {
    let programs = runner::end_leftovers(&mark(notebook)).await;
    let locks = repository.clear_own_locks(tag).or_outside()?;
    let references = repository.mend_own_refs(tag).or_outside()?;
    Ok(Leftovers { programs, locks: locks.removed, foreign: locks.foreign, references })
}

impl Leftovers {
    /// One line for each thing found.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if self.programs > 0 {
            told.push(format!(
                "programs that an earlier daemon left behind were ended: {}",
                self.programs
            ));
        }
        for lock in &self.locks {
            told.push(format!("{} was held by nobody; it is removed", lock.display()));
        }
        for lock in &self.foreign {
            told.push(format!(
                "{} is in the way of git; remove it when no git runs here",
                lock.display()
            ));
        }
        for name in &self.references {
            told.push(format!("{name} held nothing; it is put back from the ledger"));
        }
        told
    }
}
