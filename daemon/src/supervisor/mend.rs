//! A training that failed by what may be a small mistake goes back to its proposer.

use tracing::warn;

use super::Session;
use crate::curve::end;
use crate::experiment::{Entry, Stage, Usage};
use crate::failure::Failure;

impl Session {
    /// Tells the proposer how the training ended, and what it said last.
    pub(super) async fn hand_back(&mut self) -> Result<(), Failure> {
        let candidate = self.candidate()?;
        let n = candidate.experiment;
        let failure = candidate.failure().unwrap_or_default();
        warn!(problem = failure, "its training failed; it goes back to its proposer, once");
        let said = end(&self.notebook.run_log_text(n)).join("\n");
        let problem = format!("{failure}\nThe end of its log:\n{said}");
        let (stage, usage) = (Stage::Train, Usage::default());
        self.record(Entry::Refused { stage, problem, tampered: None, usage }).await
    }
}
