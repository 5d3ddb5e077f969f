//! Keeps the branch where the ledger says, by compare-and-swap; a human's commit on it is theirs.

use anyhow::anyhow;
use tracing::{info, warn};

use super::Session;
use crate::experiment::{BranchMove, Entry, History, align, earlier_keeps};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::report::short;
use crate::repository::{Repository, RepositoryError};

/// Looks at a branch that moves under every one of them, before that is an error.
const LOOKS: u32 = 3;

/// The branch of a session.
pub(super) struct Branch<'a> {
    pub(super) repository: &'a Repository,
    pub(super) tag: &'a str,
    /// The commit that the session started from.
    pub(super) base: &'a str,
}

impl Branch<'_> {
    pub(super) fn name(&self) -> String {
        format!("autoresearch/{}", self.tag)
    }

    /// Puts the branch where it belongs, unless somebody else has moved it: what was to be done is
    /// done, but for writing a divergence down. Who moves it in that very moment wins, and what they
    /// did is found by another look: nothing may go on as if the branch stood where it belongs.
    pub(super) fn align(&self, history: &History) -> Result<BranchMove, Failure> {
        for _ in 0..LOOKS {
            if let Some(found) = self.look(history)? {
                return Ok(found);
            }
            info!(branch = self.name(), "moved by somebody else just now");
        }
        Err(stuck(&self.name()))
    }

    /// Nothing where somebody else moved the branch between the look and the move.
    fn look(&self, history: &History) -> Result<Option<BranchMove>, Failure> {
        let branch = self.name();
        let wanted = self.wanted(history)?;
        let moved = match &wanted {
            BranchMove::Stay | BranchMove::Diverged { .. } => Ok(()),
            BranchMove::Create { at } => self.repository.create_branch(&branch, at, "made again"),
            BranchMove::Move { from, to } => {
                let message = move_message(history, to);
                self.repository.move_branch(&branch, (from, to), &message)
            }
        };
        match moved {
            Err(RepositoryError::Moved { .. } | RepositoryError::BranchExists { .. }) => Ok(None),
            moved => moved.map(|()| Some(wanted)).or_outside(),
        }
    }

    fn wanted(&self, history: &History) -> Result<BranchMove, Failure> {
        let tip = self.repository.branch_tip(&self.name()).or_outside()?;
        // A crash may have left it on a candidate of the newest experiment, closed or not.
        let newest = history.opened.saturating_sub(1);
        let mut looked = Ok(false);
        let wanted = align(history, self.base, tip.as_deref(), |tip| {
            looked = self.repository.is_kept(self.tag, newest, tip);
            *looked.as_ref().unwrap_or(&true)
        });
        looked.or_outside()?;
        Ok(wanted)
    }
}

fn move_message(history: &History, to: &str) -> String {
    let newest = history.opened.saturating_sub(1);
    match &history.in_hand {
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

fn stuck(branch: &str) -> Failure {
    let error =
        anyhow!("branch {branch} stands on a commit that git has lost, or moves all the time");
    Failure::new(Kind::Outside, error)
        .hint(format!("git update-ref -d refs/heads/{branch}, then try again"))
}

impl Session {
    /// Puts the branch where it belongs; a divergence is written down.
    pub(super) async fn align(&mut self) -> Result<(), Failure> {
        let place = Branch { repository: &self.repository, tag: &self.tag, base: &self.base };
        let branch = place.name();
        match place.align(&self.history)? {
            BranchMove::Diverged { tip } => return self.diverged(tip).await,
            BranchMove::Create { .. } => {
                warn!(branch, "the branch was gone; it is made again");
                // With a human's commit that was on it: where it stands now is another tip.
                if let Some(theirs) = self.history.diverged.clone() {
                    let tip = self.history.standing(&self.base);
                    warn!(theirs = short(&theirs), "their commit went with the branch");
                    return self.record(Entry::Diverged { tip }).await;
                }
            }
            BranchMove::Stay | BranchMove::Move { .. } => {}
        }
        Ok(())
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

/// The nearest earlier keep that is there.
pub(super) fn earlier_keep<'a>(history: &'a History, repository: &Repository) -> Option<&'a str> {
    let mut keeps = earlier_keeps(history).map(|row| row.commit.as_str());
    keeps.find(|commit| repository.has(commit))
}
