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

/// The archives, by their SHA-256, that stand before the competition: those that were submitted, and those whose
/// submission was begun and never ended by itself, for they may have arrived.
pub fn standing<'a>(submissions: impl IntoIterator<Item = &'a Submission>) -> BTreeSet<&'a str> {
    let mut ends: BTreeMap<&str, Vec<Option<i32>>> = BTreeMap::new();
    for submission in submissions {
        ends.entry(&submission.model.sha256).or_default().push(submission.exit);
    }
    let may_stand = |ends: &Vec<Option<i32>>| {
        ends.contains(&Some(0)) || matches!(ends.last(), Some(None | Some(STOPPED)))
    };
    ends.into_iter().filter(|(_, ends)| may_stand(ends)).map(|(sha256, _)| sha256).collect()
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
