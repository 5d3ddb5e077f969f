//! What a human wrote while the loop runs, and what came of it.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{History, Row};

/// Longest line that is heard, in characters.
pub const DIRECTIVE_CHARS: usize = 800;
/// Words that one question carries at most, the oldest that are open; the others are for later ones.
pub const DIRECTIVES_AT_ONCE: usize = 10;

/// Proposers that turn knobs by numbers alone.
const CANNOT_READ: [&str; 2] = ["playbook", "optimiser"];

/// Words of a human for the next proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Where they stood.
    pub from: Place,
    /// One line.
    pub text: String,
    /// The last experiment whose proposer was asked with them.
    pub told: Option<u32>,
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
    /// The proposal that was told of them, once it has come to a verdict. One by who stood in for a model
    /// and cannot read is none.
    pub fn taken_up<'a>(&self, history: &'a History) -> Option<&'a Row> {
        let told = self.told?;
        let row = match history.rows.binary_search_by_key(&told, |row| row.experiment) {
            Ok(at) => Some(&history.rows[at]),
            Err(_) => history.in_hand.as_ref()?.decided().filter(|row| row.experiment == told),
        };
        row.filter(|row| !CANNOT_READ.contains(&row.proposer.as_str()))
    }
}

impl History {
    /// What the next question carries, oldest first.
    pub fn to_follow(&self) -> &[Directive] {
        &self.directives[self.carried()]
    }

    fn carried(&self) -> Range<usize> {
        let open = self.directives.partition_point(|told| told.taken_up(self).is_some());
        open..self.directives.len().min(open + DIRECTIVES_AT_ONCE)
    }

    /// A question of this experiment was put.
    pub(super) fn tell(&mut self, experiment: u32) {
        let carried = self.carried();
        for directive in &mut self.directives[carried] {
            directive.told = Some(experiment);
        }
    }

    /// The words that are known from one place.
    pub fn heard(&self, from: Place) -> impl Iterator<Item = &str> {
        let there = self.directives.iter().filter(move |told| told.from == from);
        there.map(|told| told.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Entry, Phase, Stage, Usage, Verdict};
    use crate::sample::{entries, history, tried};

    /// Takes entries in, each under the number that it gets.
    fn fold(session: &mut History, entries: &[Entry]) {
        for entry in entries {
            session.apply(session.current(), entry, 0).unwrap();
        }
    }

    /// An experiment whose proposer was asked, until it trains, and the rest of it.
    fn asked(n: u32, description: &str) -> (Vec<Entry>, Vec<Entry>) {
        let mut begun = entries(n, &tried(Verdict::Discard, 0.5, description));
        begun.insert(1, Entry::Began { phase: Phase::Propose, sealed: None, stake: None });
        let rest = begun.split_off(5);
        (begun, rest)
    }

    fn directed(text: &str) -> Entry {
        Entry::Directed { from: Place::Inbox, text: text.to_owned() }
    }

    #[test]
    fn words_are_followed_by_the_next_proposal_that_comes_to_a_verdict() {
        let keep = tried(Verdict::Keep, 0.6, "baseline");
        let mut session = history(&[keep.clone(), tried(Verdict::Crash, 0.0, "before")]);
        let text = "try focal loss";
        fold(&mut session, &[directed(text)]);
        assert_eq!(session.heard(Place::Inbox).collect::<Vec<_>>(), [text]);
        assert_eq!(session.heard(Place::State).next(), None);
        // One that is given up answers nobody.
        let (begun, _) = asked(2, "given up");
        fold(&mut session, &begun[..2]);
        fold(&mut session, &[Entry::Abandoned { reason: "endpoint".to_owned() }]);
        assert_eq!(session.to_follow().len(), 1);
        let (begun, rest) = asked(3, "focal loss");
        fold(&mut session, &[begun, rest].concat());
        assert!(session.to_follow().is_empty());
        assert_eq!(session.directives[0].taken_up(&session).map(|row| row.experiment), Some(3));
    }

    #[test]
    fn words_that_came_after_the_question_are_for_the_next_one() {
        let mut session = history(&[tried(Verdict::Keep, 0.6, "baseline")]);
        let (begun, rest) = asked(1, "before");
        fold(&mut session, &begun);
        fold(&mut session, &[directed("try focal loss")]);
        fold(&mut session, &rest);
        assert_eq!(session.to_follow().len(), 1, "nobody was told");
        let (begun, rest) = asked(2, "focal loss");
        fold(&mut session, &begun);
        assert_eq!(session.to_follow()[0].told, Some(2));
        fold(&mut session, &[directed("and less dropout")]);
        fold(&mut session, &rest);
        assert_eq!(session.to_follow(), &session.directives[1..]);
    }

    #[test]
    fn what_a_question_has_no_room_for_is_for_the_next_one() {
        let mut session = history(&[tried(Verdict::Keep, 0.6, "baseline")]);
        let words: Vec<_> = (0..DIRECTIVES_AT_ONCE + 2).map(|n| n.to_string()).collect();
        fold(&mut session, &words.iter().map(|text| directed(text)).collect::<Vec<_>>());
        for (n, left) in [(1, &words[DIRECTIVES_AT_ONCE..]), (2, &[])] {
            let (begun, rest) = asked(n, "as told");
            fold(&mut session, &[begun, rest].concat());
            let open: Vec<_> = session.to_follow().iter().map(|told| told.text.clone()).collect();
            assert_eq!(open, left);
        }
    }

    #[test]
    fn what_a_stand_in_answers_that_cannot_read_is_no_answer() {
        let mut session = history(&[tried(Verdict::Keep, 0.6, "baseline")]);
        fold(&mut session, &[directed("try focal loss")]);
        for (n, proposer, open) in [(1, "playbook", 1), (2, "llm:m", 0)] {
            let (mut begun, rest) = asked(n, "as told");
            for entry in &mut begun {
                if let Entry::Opened { proposer: by, .. } = entry {
                    *by = proposer.to_owned();
                }
            }
            fold(&mut session, &[begun, rest].concat());
            assert_eq!(session.to_follow().len(), open, "{proposer}");
        }
    }

    #[test]
    fn a_repair_turn_carries_what_came_since_the_first_question() {
        let mut session = history(&[tried(Verdict::Keep, 0.6, "baseline")]);
        let (begun, rest) = asked(1, "broken at first");
        fold(&mut session, &begun[..4]);
        fold(&mut session, &[directed("try focal loss")]);
        let (stage, problem, usage) = (Stage::Build, "error".to_owned(), Usage::default());
        fold(&mut session, &[Entry::Refused { stage, problem, tampered: None, usage }]);
        fold(&mut session, &[&begun[1..], &rest].concat());
        assert_eq!(session.directives[0].taken_up(&session).map(|row| row.experiment), Some(1));
    }
}
