//! What a proposer is shown. Plain data: prompts are made from it, and proposers are handed it.

use std::collections::BTreeMap;

use crate::experiment::{History, Rule, Stage};
use crate::task::Task;

/// What a proposer is shown.
pub struct Context<'a> {
    /// The task at hand.
    pub task: &'a Task,
    /// The human's instructions.
    pub program: &'a str,
    /// STATE.md as it stands.
    pub state: &'a str,
    /// Everything decided so far.
    pub history: &'a History,
    /// The incumbent's editable files: path relative to the repository, content.
    pub files: &'a BTreeMap<String, String>,
    /// Training budget of one experiment in seconds.
    pub budget_s: u64,
    /// What is so at this moment.
    pub now: &'a Now,
    /// What was asked to look at and what was found there, oldest first.
    pub looks: &'a [(String, String)],
    /// What was wrong with the last answer of this experiment.
    pub repair: Option<Repair<'a>>,
}

/// What is so when a proposer is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What a candidate must show to be kept.
    pub rule: Rule,
    /// What a human wrote for this proposal, oldest first.
    pub directives: Vec<String>,
    /// What is asked of a search that stands still.
    pub rethink: Option<String>,
    /// What is left of the session, where anything bounds it.
    pub left: Option<String>,
    /// The experiment whose files are shown, where it is not the incumbent.
    pub from: Option<u32>,
    /// The last candidates' changes, oldest first.
    pub recent: Vec<Change>,
}

/// What a candidate changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Number of the experiment.
    pub experiment: u32,
    /// Unified diff against what it was made from.
    pub diff: String,
}

/// A repair turn: the last answer failed, and this is the message.
#[derive(Clone, Copy, Debug)]
pub struct Repair<'a> {
    /// Where it failed.
    pub stage: Stage,
    /// The answer that failed, as it was given.
    pub reply: &'a str,
    /// Precisely what is wrong, with the line and what would have been valid.
    pub problem: &'a str,
    /// Repair turns left after this one.
    pub turns_left: u32,
}
