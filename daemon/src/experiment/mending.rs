//! Repair turns: how many answers may follow one that failed, and which trainings go back to their
//! proposer.

use super::{Candidate, Cause, Purpose, RunOutcome, Stage, Step};

impl RunOutcome {
    /// Whether it ended as a mistake in its code ends a program: by itself, with a code. A batch that
    /// does not fit is one too; a limit that was passed, a loss that is no number and a device that
    /// failed are not.
    pub(super) fn is_mistake(&self) -> bool {
        matches!(
            self,
            Self::Crashed { code: Some(_), cause: None | Some(Cause::DeviceOutOfMemory), .. }
        )
    }
}

impl Candidate {
    /// Whether its training failed by what may be a mistake that is easily mended: once for each
    /// experiment, and only by a model, for the others have nobody to be told.
    pub(super) fn is_mendable(&self) -> bool {
        let is_a_models =
            self.purpose == Purpose::Candidate && self.row().proposer.starts_with("llm:");
        let is_new = self.rounds() == 0 && !self.was_handed_back();
        let failed = self.step == Step::Ran && self.is_mistake && self.tampered.is_none();
        is_a_models && is_new && failed
    }

    /// Whether a training of it failed and is being mended.
    pub(super) fn was_handed_back(&self) -> bool {
        self.refused.iter().any(|(stage, _)| *stage == Stage::Train)
    }

    /// Whether another training of it comes after one that failed.
    pub fn is_mended(&self) -> bool {
        self.was_handed_back() && self.rounds() == 0
    }

    /// Repair turns that may still follow, when so many are granted before the training, and another
    /// after one that failed; nothing when the last answer was one too many.
    pub fn turns_left(&self, granted: u32) -> Option<u32> {
        let refused = u32::try_from(self.refused.len()).unwrap_or(u32::MAX);
        (granted + u32::from(self.was_handed_back())).checked_sub(refused)
    }
}
