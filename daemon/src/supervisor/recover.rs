//! Before the first experiment: put right what an earlier life left behind.

use tracing::{info, warn};

use super::Session;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::report::short;

impl Session {
    /// Ends an experiment that was in hand, and puts the branch on the incumbent.
    pub(super) async fn recover(&mut self) -> Result<(), Failure> {
        self.accept_branch()?;
        if let Some(candidate) = self.history.in_hand.clone() {
            let n = candidate.experiment;
            warn!(n, "an experiment was in hand when the daemon ended");
            if candidate.decided().is_some() {
                self.settle(n).await?;
            } else {
                self.abandon(n, "the daemon ended during the experiment".to_owned()).await?;
            }
        }
        self.notebook.write(&self.task, &self.history).or_outside()?;
        info!(branch = self.branch(), incumbent = short(&self.incumbent()), "ready");
        Ok(())
    }

    /// Puts the branch where the ledger says. It may be missing, or a step behind or ahead: on the
    /// incumbent or on a candidate of the experiment in hand. Anything else is a human's commit,
    /// which is not ours to move.
    fn accept_branch(&self) -> Result<(), Failure> {
        let (branch, incumbent, standing) = (self.branch(), self.incumbent(), self.standing());
        let Some(tip) = self.repository.branch_tip(&branch).or_outside()? else {
            return self.repository.create_branch(&branch, &standing, "resumed").or_outside();
        };
        let is_candidate = match &self.history.in_hand {
            Some(c) => self.repository.is_kept(&self.tag, c.experiment, &tip).or_outside()?,
            None => false,
        };
        if tip == incumbent || is_candidate {
            return self.move_branch(&tip, &standing, "recovered");
        }
        let error = anyhow::anyhow!(
            "branch {branch} stands on {tip}, which no experiment of this session made; \
             the session's best is {incumbent}"
        );
        Err(Failure::new(Kind::Configuration, error)
            .hint(format!("keep that commit under another name: git branch mine {branch}"))
            .hint(format!("then put the branch back: git branch -f {branch} {incumbent}")))
    }
}
