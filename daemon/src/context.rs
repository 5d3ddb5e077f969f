//! What a proposer is shown. Plain data: prompts are made from it, and proposers are handed it.

use std::collections::BTreeMap;

use crate::experiment::{History, Stage};
use crate::task::Task;

/// What a proposer may look at.
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
    /// What was wrong with the last answer of this experiment.
    pub repair: Option<Repair<'a>>,
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
