//! What is noted of a submission to the competition: by `dfr push`, line by line, and from there by the daemon
//! in its ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::modality::Modality;

/// One model of one push: one line before it, and one with its end after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// When, RFC 3339.
    pub time: String,
    /// Which model of whom.
    #[serde(flatten)]
    pub model: Model,
    /// File name of the archive.
    pub zip: String,
    /// Whose keep it is, as its session calls it: `TAG-N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How gascli ended: 0 submitted, another number not; -1 stopped, so that it may have arrived; nothing before
    /// its end.
    pub exit: Option<i32>,
}

/// Which model of whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Subnet.
    pub netuid: u16,
    /// Wallet.
    pub wallet: String,
    /// Hotkey.
    pub hotkey: String,
    /// Kind of media.
    pub modality: Modality,
    /// Of the archive.
    pub sha256: String,
}

/// How an end that has no code of its own is noted: by a signal, or stopped by us.
pub const STOPPED: i32 = -1;

/// What is known of the pushes of one archive.
#[derive(Default)]
struct Pushes {
    /// Begun, and not ended.
    open: u32,
    /// One that was submitted, or was stopped.
    may_have_arrived: bool,
}

impl Pushes {
    fn and(&mut self, exit: Option<i32>) {
        match exit {
            None => self.open += 1,
            Some(code) => {
                // A begin whose line was torn is not known.
                self.open = self.open.saturating_sub(1);
                self.may_have_arrived |= [0, STOPPED].contains(&code);
            }
        }
    }
}

/// The archives, by their SHA-256, that stand before the competition: those that were submitted, and those of which a
/// push was stopped or never ended, for they may have arrived. A push that fails takes back no earlier one.
pub fn standing<'a>(submissions: impl IntoIterator<Item = &'a Submission>) -> BTreeSet<&'a str> {
    let mut pushes: BTreeMap<&str, Pushes> = BTreeMap::new();
    for submission in submissions {
        pushes.entry(&submission.model.sha256).or_default().and(submission.exit);
    }
    let may_stand = |pushes: &Pushes| pushes.may_have_arrived || pushes.open > 0;
    pushes.into_iter().filter(|(_, pushes)| may_stand(pushes)).map(|(sha256, _)| sha256).collect()
}

impl Model {
    /// Whether it is another one of the same modality under the same hotkey.
    pub fn is_beside(&self, other: &Self) -> bool {
        let place = |model: &Self| Self { sha256: String::new(), ..model.clone() };
        self.sha256 != other.sha256 && place(self) == place(other)
    }
}

impl Submission {
    /// What is known of its end, for people.
    pub fn told(&self) -> String {
        match self.exit {
            None => "begun".to_owned(),
            Some(0) => "submitted".to_owned(),
            Some(STOPPED) => "stopped, may have arrived".to_owned(),
            Some(code) => format!("not submitted (exit code {code})"),
        }
    }
}
