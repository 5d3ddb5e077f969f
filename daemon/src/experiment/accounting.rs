//! What each proposer cost, and what came of its answers.

use std::collections::BTreeMap;

use super::{Entry, Phase, Usage, Verdict};

/// What came of the answers of one proposer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Answers that were paid for.
    pub answers: u32,
    /// Of them, those that did not parse, apply, build or take a first step.
    pub refused: u32,
    /// Experiments that ended in each verdict.
    pub kept: u32,
    /// See `kept`.
    pub discarded: u32,
    /// See `kept`.
    pub crashed: u32,
    /// Requests without an answer, and questions that only asked whether there would be one.
    pub lost: u32,
    /// Tokens of all of them.
    pub usage: Usage,
    /// What they cost, in US dollars.
    pub cost_usd: f64,
    /// Time from a question to its answer, in seconds, for each answer.
    pub seconds: Vec<f64>,
}

impl Account {
    /// The time that half of the answers came within, in seconds.
    pub fn median_s(&self) -> Option<f64> {
        let mut seconds = self.seconds.clone();
        seconds.sort_unstable_by(f64::total_cmp);
        seconds.get(seconds.len() / 2).copied()
    }
}

/// Accounts by proposer, from the entries of a session with their times in milliseconds. What nobody
/// answered stands under the name of whoever answered last.
pub fn accounts<'a>(
    entries: impl IntoIterator<Item = (i64, &'a Entry)>,
) -> BTreeMap<String, Account> {
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    let mut last = String::new();
    let mut asked_ms = None;
    for (at_ms, entry) in entries {
        match entry {
            Entry::Opened { proposer, .. } => last.clone_from(proposer),
            Entry::Began { phase: Phase::Propose, .. } => asked_ms = Some(at_ms),
            Entry::Answered { proposer, .. } => last.clone_from(proposer),
            _ => {}
        }
        let is_of_a_proposer = matches!(
            entry,
            Entry::Answered { .. }
                | Entry::Lost { .. }
                | Entry::Tried { .. }
                | Entry::Refused { .. }
                | Entry::Decided { .. }
        );
        if !is_of_a_proposer {
            continue;
        }
        let account = accounts.entry(last.clone()).or_default();
        account.usage += entry.usage();
        account.cost_usd += entry.cost_usd();
        match entry {
            Entry::Answered { .. } => {
                account.answers += 1;
                account.seconds.extend(asked_ms.take().map(|asked| (at_ms - asked) as f64 / 1e3));
            }
            Entry::Lost { .. } | Entry::Tried { .. } => account.lost += 1,
            Entry::Refused { .. } => account.refused += 1,
            Entry::Decided { verdict: Verdict::Keep, .. } => account.kept += 1,
            Entry::Decided { verdict: Verdict::Discard, .. } => account.discarded += 1,
            Entry::Decided { verdict: Verdict::Crash, .. } => account.crashed += 1,
            _ => {}
        }
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Purpose, Stage};

    fn opened() -> Entry {
        let (parent, proposer) = ("p".to_owned(), "llm:m".to_owned());
        Entry::Opened { parent, proposer, purpose: Purpose::Candidate }
    }

    fn answered(proposer: &str, cost_usd: f64) -> Entry {
        let usage = Usage { prompt_tokens: 100, completion_tokens: 10 };
        let (text, problem) = (String::new(), None);
        Entry::Answered { text, problem, proposer: proposer.to_owned(), usage, cost_usd }
    }

    fn began() -> Entry {
        Entry::Began { phase: Phase::Propose, sealed: None, stake: None }
    }

    fn decided(verdict: Verdict) -> Entry {
        Entry::Decided { verdict, reason: String::new(), evidence: None }
    }

    #[test]
    fn every_answer_is_somebodys_and_so_is_what_came_of_it() {
        let refused = Entry::Refused {
            stage: Stage::Patch,
            problem: String::new(),
            usage: Usage::default(),
            tampered: None,
        };
        let lost =
            Entry::Lost { usage: Usage { prompt_tokens: 7, completion_tokens: 0 }, cost_usd: 0.5 };
        let entries = [
            (0, opened()),
            (1_000, began()),
            (3_000, answered("llm:m", 1.0)),
            (3_000, refused),
            (4_000, began()),
            (5_000, lost),
            (9_000, answered("llm:m", 2.0)),
            (20_000, decided(Verdict::Keep)),
            (21_000, opened()),
            (22_000, began()),
            (22_500, answered("playbook", 0.0)),
            (40_000, decided(Verdict::Crash)),
        ];
        let accounts = accounts(entries.iter().map(|(at, entry)| (*at, entry)));
        let model = &accounts["llm:m"];
        let seen = (model.answers, model.refused, model.lost, model.kept, model.crashed);
        assert_eq!(seen, (2, 1, 1, 1, 0));
        assert_eq!((model.cost_usd, model.usage.prompt_tokens), (3.5, 207));
        assert_eq!((&model.seconds, model.median_s()), (&vec![2.0, 5.0], Some(5.0)));
        let other = &accounts["playbook"];
        assert_eq!((other.answers, other.kept, other.crashed), (1, 0, 1));
    }
}
