//! What an experiment is, as data and pure functions: entries, phases, transitions, verdicts.
//!
//! Nothing here knows files, git, processes, clocks or the network. The supervisor records an
//! [`Entry`] before and after each effect; [`History`] is what the entries imply, and refuses an
//! entry that cannot follow. Recovery is the same fold run again.

mod deadline;
mod entry;
mod history;
mod outcome;
mod verdict;

pub use deadline::{Limits, train_limits};
pub use entry::{Entry, Notes, Stage, Usage};
pub use history::{Candidate, History, IllegalEntry, Row};
pub use outcome::{Cause, Phase, RunOutcome, StopLevel};
pub use verdict::{Judgement, Verdict, judge};
