//! Where the branch belongs, and what a tip that is found elsewhere means.

use super::{History, Purpose, Step, Verdict};

/// What is to be done about the branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchMove {
    /// It stands where it belongs, or where a human put it.
    Stay,
    /// It is not there: make it.
    Create {
        /// Where (full object id).
        at: String,
    },
    /// It is a step of ours behind or ahead: move it by compare-and-swap.
    Move {
        /// Where it stands.
        from: String,
        /// Where it belongs.
        to: String,
    },
    /// Somebody else moved it: write that down, leave it.
    Diverged {
        /// Where it stands.
        tip: String,
    },
}

impl History {
    /// Where the branch stands according to the ledger: on the candidate in hand from its commit to a
    /// verdict against it, on the incumbent otherwise; `base` before there is one.
    pub fn standing(&self, base: &str) -> String {
        self.standing_beside(base, self.diverged.as_deref())
    }

    /// The same if somebody else had moved the branch to `theirs`. A commit of theirs is stood on as
    /// long as it is there, or once it is kept: not when they have taken it off the branch again.
    fn standing_beside(&self, base: &str, theirs: Option<&str>) -> String {
        let in_hand = self.in_hand.as_ref().filter(|candidate| match candidate.decided() {
            Some(row) => row.verdict == Verdict::Keep,
            None if candidate.purpose == Purpose::Adoption => theirs == Some(&candidate.parent),
            None => candidate.step != Step::Opened,
        });
        let commit = in_hand.and_then(|candidate| candidate.commit.clone());
        commit.unwrap_or_else(|| {
            self.incumbent().map_or_else(|| base.to_owned(), |row| row.commit.clone())
        })
    }
}

/// Compares a tip with where it belongs. `is_ours` tells whether a tip is a commit of the newest
/// experiment: a crash may have left the branch on it, unless it is the one that a human made.
pub fn align(
    history: &History,
    base: &str,
    tip: Option<&str>,
    is_ours: impl FnOnce(&str) -> bool,
) -> BranchMove {
    let standing = history.standing(base);
    let Some(tip) = tip else { return BranchMove::Create { at: standing } };
    let incumbent = history.incumbent().map_or(base, |row| &row.commit);
    let is_left = history.left_behind.as_deref() == Some(tip);
    let is_at_home = tip == standing || tip == incumbent || is_left;
    // Only then is git asked.
    let is_step = is_at_home || (!history.is_theirs() && is_ours(tip));
    match &history.diverged {
        Some(known) if known == tip => BranchMove::Stay,
        // They took it back: it is where we had it, or a step of ours away.
        Some(_) if is_step => BranchMove::Diverged { tip: history.standing_beside(base, None) },
        None if tip == standing => BranchMove::Stay,
        None if is_step => BranchMove::Move { from: tip.to_owned(), to: standing },
        Some(_) | None => BranchMove::Diverged { tip: tip.to_owned() },
    }
}
