//! The notebook: files for people and for the next prompt, under `state/<tag>/`.
//!
//! All of it is derived from the ledger and written anew as a whole after every experiment; nothing
//! of it is ever read back as truth. What a human adds is heard as words for the next proposal, and what
//! `dfr push` notes of keeps is taken into the ledger.

mod artifacts;
mod atomic;
mod human;
mod notes;
mod probe;
mod ready;
mod results;
mod state_md;
mod submissions;
mod untrusted;

pub use artifacts::{Notebook, NotebookError, sync};
pub use atomic::write_atomic;
pub use notes::legacy;
pub use probe::ProbeError;
pub use ready::ready;
pub use results::{Table, holdout_tsv, results_tsv};
pub use state_md::state_md;
pub use untrusted::{first_that_is_no_file, make_way};
