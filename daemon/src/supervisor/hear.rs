//! What people did while the loop runs: what a human wrote becomes words for the next proposal, what was
//! submitted comes into the ledger.

use tracing::{info, warn};

use super::Session;
use crate::experiment::{DIRECTIVE_CHARS, Entry, Phase};
use crate::failure::{Failure, OrFailure as _};

impl Session {
    /// Takes in what is new in INBOX.md, what was added to STATE.md and what was submitted.
    pub(super) async fn hear(&mut self) -> Result<(), Failure> {
        for entry in self.notebook.news(&self.history) {
            if let Entry::Submitted { submission } = entry {
                info!(zip = submission.zip, "{}", submission.told());
                self.record(Entry::Submitted { submission }).await?;
                continue;
            }
            info!(?entry, "a human's words, for the next proposal");
            if let Entry::Directed { from, text } = &entry
                && text.ends_with('…')
                && text.chars().count() == DIRECTIVE_CHARS
            {
                let file = from.as_str();
                warn!(file, "a line was cut at {DIRECTIVE_CHARS} characters: make it two");
            }
            self.record(entry).await?;
            // The question that is under way does not carry them: the next one is begun as another,
            // which tells who was asked with them.
            self.begun.take_if(|(_, phase)| *phase == Phase::Propose);
        }
        Ok(())
    }

    /// The same before an end. What cannot be taken in now is by the next start.
    pub(super) async fn hear_the_last(&mut self) {
        if let Err(failure) = self.hear().await {
            warn!("what people did last is taken in by the next start: {:#}", failure.error);
        }
    }

    /// Writes the files for people anew, after what a human added to them was taken in.
    pub(super) async fn write_notebook(&mut self) -> Result<(), Failure> {
        self.hear().await?;
        self.notebook.write(&self.task, &self.history).or_outside()
    }
}
