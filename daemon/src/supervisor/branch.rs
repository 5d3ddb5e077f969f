//! Keeps the branch where the ledger says, by compare-and-swap; a human's commit on it is theirs.

use tracing::{info, warn};

use super::Session;
use crate::experiment::{BranchMove, Entry, align};
use crate::failure::{Failure, OrFailure as _};
use crate::report::short;
use crate::repository::RepositoryError;

impl Session {
    /// Looks at the branch and puts it where it belongs, unless somebody else has moved it.
    pub(super) async fn align(&mut self) -> Result<(), Failure> {
        let branch = self.branch();
        let tip = self.repository.branch_tip(&branch).or_outside()?;
        // A crash may have left it on a candidate of the newest experiment, closed or not.
        let newest = self.history.opened.saturating_sub(1);
        let mut looked = Ok(false);
        let wanted = align(&self.history, &self.base, tip.as_deref(), |tip| {
            looked = self.repository.is_kept(&self.tag, newest, tip);
            *looked.as_ref().unwrap_or(&true)
        });
        looked.or_outside()?;
        let moved = match wanted {
            BranchMove::Stay => return Ok(()),
            BranchMove::Diverged { tip } => return self.diverged(tip).await,
            BranchMove::Create { at } => {
                warn!(branch, "the branch is gone; it is made again");
                self.repository.create_branch(&branch, &at, "made again")
            }
            BranchMove::Move { from, to } => {
                let message = self.move_message(&to);
                self.repository.move_branch(&branch, (&from, &to), &message)
            }
        };
        match moved {
            // Somebody was quicker: the next look finds what they did.
            Err(RepositoryError::Moved { .. } | RepositoryError::BranchExists { .. }) => {
                info!(branch, "moved by somebody else just now");
                Ok(())
            }
            moved => moved.or_outside(),
        }
    }

    fn move_message(&self, to: &str) -> String {
        let newest = self.history.opened.saturating_sub(1);
        match &self.history.in_hand {
            Some(candidate) if candidate.commit.as_deref() == Some(to) => {
                format!("experiment {newest}: candidate")
            }
            Some(candidate) => match candidate.decided() {
                Some(row) => format!("experiment {newest}: {}", row.verdict),
                None => format!("experiment {newest}: another turn"),
            },
            None => format!("experiment {newest}: incumbent"),
        }
    }

    async fn diverged(&mut self, tip: String) -> Result<(), Failure> {
        let branch = self.branch();
        warn!(
            branch,
            tip = short(&tip),
            "somebody else moved the branch; their commit stays and is measured as the new incumbent"
        );
        self.record(Entry::Diverged { tip }).await
    }
}
