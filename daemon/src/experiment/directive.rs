//! What a human wrote while the loop runs, and what came of it.

use serde::{Deserialize, Serialize};

use super::{History, Purpose, Row};

/// Words of a human for the next proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The experiment that was next, or in hand, when they were read.
    pub experiment: u32,
    /// Where they stood.
    pub from: Place,
    /// One line.
    pub text: String,
}

/// Where a human wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// `INBOX.md`, whose lines stay as they are.
    Inbox,
    /// `STATE.md`, which is written anew after every experiment.
    State,
}

impl Place {
    /// The file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "INBOX.md",
            Self::State => "STATE.md",
        }
    }
}

impl Directive {
    /// The first proposal that came to a verdict after it was read.
    pub fn taken_up<'a>(&self, history: &'a History) -> Option<&'a Row> {
        let at = history.rows.partition_point(|row| row.experiment < self.experiment);
        let later =
            history.rows[at..].iter().chain(history.in_hand.iter().filter_map(|c| c.decided()));
        later
            .into_iter()
            .find(|row| row.purpose == Purpose::Candidate && row.experiment >= self.experiment)
    }
}

impl History {
    /// What the next proposal is to follow, oldest first.
    pub fn to_follow(&self) -> Vec<&Directive> {
        let open = self.directives.iter().rev().take_while(|told| told.taken_up(self).is_none());
        open.collect::<Vec<_>>().into_iter().rev().collect()
    }

    /// Whether these words are known.
    pub fn has_heard(&self, from: Place, text: &str) -> bool {
        self.directives.iter().any(|told| told.from == from && told.text == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Entry, Verdict};
    use crate::sample::{entries, history, tried};

    #[test]
    fn words_are_followed_by_the_next_proposal_that_comes_to_a_verdict() {
        let keep = tried(Verdict::Keep, 0.6, "baseline");
        let mut session = history(&[keep.clone(), tried(Verdict::Crash, 0.0, "before")]);
        let text = "try focal loss".to_owned();
        let from = Place::Inbox;
        session.apply(2, &Entry::Directed { from, text: text.clone() }, 0).unwrap();
        assert!(session.has_heard(from, &text) && !session.has_heard(Place::State, &text));
        // One that is given up answers nobody.
        session.apply(2, &entries(2, &keep)[0], 0).unwrap();
        session.apply(2, &Entry::Abandoned { reason: "endpoint".to_owned() }, 0).unwrap();
        assert_eq!(session.to_follow().len(), 1);
        for entry in entries(3, &tried(Verdict::Discard, 0.5, "focal loss")) {
            session.apply(3, &entry, 0).unwrap();
        }
        assert!(session.to_follow().is_empty());
        assert_eq!(session.directives[0].taken_up(&session).map(|row| row.experiment), Some(3));
    }
}
