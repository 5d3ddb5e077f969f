//! Before the first experiment: put right what an earlier life left behind.

use tracing::{info, warn};

use super::Session;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::report::short;

impl Session {
    /// Ends an experiment that was in hand, and puts the branch on the incumbent.
    pub(super) async fn recover(&mut self) -> Result<(), Failure> {
        if let Some(candidate) = self.history.in_hand.clone() {
            let n = candidate.experiment;
            warn!(n, "an experiment was in hand when the daemon ended");
            self.accept_branch(&candidate.commit)?;
            if candidate.decided().is_some() {
                self.settle(n).await?;
            } else {
                self.abandon(n, "the daemon ended during the experiment".to_owned()).await?;
            }
        } else {
            self.accept_branch(&None)?;
        }
        self.notebook.write(&self.task, &self.history).or_outside()?;
        info!(branch = self.branch(), incumbent = short(&self.incumbent()), "ready");
        Ok(())
    }

    /// The branch may stand on the incumbent or on the candidate in hand; a missing one is made
    /// again. Anything else is a human's commit, which is not ours to move.
    fn accept_branch(&self, candidate: &Option<String>) -> Result<(), Failure> {
        let branch = self.branch();
        let incumbent = self.incumbent();
        let tip = self.repository.branch_tip(&branch).or_outside()?;
        match tip {
            None => {
                let at = candidate.as_ref().unwrap_or(&incumbent);
                self.repository.create_branch(&branch, at, "resumed").or_outside()
            }
            Some(tip) if Some(&tip) == candidate.as_ref() => Ok(()),
            Some(tip) if tip == incumbent => match candidate {
                // The verdict's move, or the candidate's, had not happened yet or was done already.
                Some(candidate) if *candidate != tip => self
                    .repository
                    .move_branch(&branch, (&tip, candidate), "recovered")
                    .or_outside(),
                _ => Ok(()),
            },
            Some(tip) => {
                let error = anyhow::anyhow!(
                    "branch {branch} stands on {tip}, which no experiment of this session made; \
                     the session's best is {incumbent}"
                );
                Err(Failure::new(Kind::Configuration, error)
                    .hint("keep that commit under another name: git branch mine autoresearch/TAG")
                    .hint(format!("then put the branch back: git branch -f {branch} {incumbent}")))
            }
        }
    }
}
