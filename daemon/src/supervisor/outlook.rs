//! What the next start will do, in words.

use std::time::Duration;

use super::branch::earlier_keep;
use crate::experiment::{Candidate, Effect, History, Rules, Situation, Spent, StopLevel, next};
use crate::report::short;
use crate::repository::Repository;

/// One line about the experiment in hand, or about the next one.
pub(super) fn told(history: &History, rules: &Rules, repository: &Repository) -> String {
    match &history.in_hand {
        Some(candidate) => in_hand(history, candidate, rules),
        None => match then(history, rules, (None, earlier_keep(history, repository))) {
            Effect::Wait { why, .. } => format!("the next start waits: {why}"),
            Effect::Open { commit: Some(commit), .. } => {
                let (n, commit) = (history.opened, short(&commit));
                format!("no experiment is in hand: next is experiment {n}, which measures {commit}")
            }
            _ => format!("no experiment is in hand: next is experiment {}", history.opened),
        },
    }
}

fn in_hand(history: &History, candidate: &Candidate, rules: &Rules) -> String {
    let n = candidate.experiment;
    // A new life has no build at hand.
    let first = then(history, rules, (None, None));
    let effect = then(history, rules, (candidate.commit.as_deref(), None));
    match (&effect, first == effect) {
        (Effect::Abandon { reason }, _) => {
            format!("experiment {n} ends without a verdict: {reason}")
        }
        (effect, true) => format!("experiment {n} goes on: next is {}", word(effect)),
        (effect, false) => {
            format!("experiment {n} goes on: next is {}, built anew", word(effect))
        }
    }
}

fn then(
    history: &History,
    rules: &Rules,
    (built, earlier): (Option<&str>, Option<&str>),
) -> Effect {
    let spent = Spent::new(history, Duration::ZERO, 0);
    let now = Situation {
        stop: StopLevel::Continue,
        built,
        spent,
        waits: false,
        goes_on: false,
        is_promising: false,
        certifies: false,
        earlier,
    };
    next(history, rules, &now)
}

fn word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Introduce | Effect::Ask => "propose",
        Effect::Understand => "understand",
        Effect::Commit => "commit",
        Effect::Build => "build",
        Effect::Train => "train",
        Effect::Predict => "predict",
        Effect::Score => "score",
        Effect::HandBack => "its repair",
        Effect::Again => "a second run",
        Effect::Decide => "decide",
        Effect::Settle => "record",
        Effect::Open { .. } => "the next experiment",
        Effect::Abandon { .. } => "its end",
        Effect::Wait { .. } => "to wait",
        Effect::HoldOut => "the holdout",
        Effect::Stop => "to stop",
    }
}
