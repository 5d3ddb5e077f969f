//! Who has the ideas. Every proposer answers with the same text format, read by `patch`.

use futures::future::BoxFuture;

use crate::context::Context;
use crate::experiment::Usage;
use crate::prompt::Size;

mod error;
pub(crate) mod knobs;
mod llm;
mod patience;
mod patient;
mod playbook;
mod scripted;

pub use error::ProposerError;
pub use llm::{Llm, LlmSettings};
pub use patience::{Next, Patience, Policy, Response, Turn};
pub use patient::{Answer, Gate, Halt, Notice, Patient, Said};
pub use playbook::Playbook;
pub use scripted::{ScriptError, Scripted};

/// An answer, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// What it cost.
    pub usage: Usage,
}

/// A source of ideas.
pub trait Proposer: Send {
    /// How rows name it: `playbook`, `scripted`, `llm:<model>`.
    fn name(&self) -> String;

    /// Checks once, before anything is created, that proposals can be had at all.
    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>>;

    /// Asks for next to nothing, where that is what shows that questions will be answered. Gives what
    /// it cost. Only what a human has to mend is an error: for the rest the loop has patience.
    fn try_out(&mut self) -> BoxFuture<'_, Result<Usage, ProposerError>> {
        Box::pin(async { Ok(Usage::default()) })
    }

    /// Whether it answers again, found out quickly, after it had failed. Gives what it cost.
    fn probe(&mut self) -> BoxFuture<'_, Result<Usage, ProposerError>> {
        Box::pin(async { Ok(Usage::default()) })
    }

    /// One answer to a question of this size. One call is one request.
    fn propose<'a>(
        &'a mut self,
        context: &'a Context<'a>,
        size: Size,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>>;

    /// What a question of this size may cost whose answer never comes, estimated; nothing where
    /// nothing is charged.
    fn stake(&self, _context: &Context<'_>, _size: Size) -> Usage {
        Usage::default()
    }

    /// What a question may have cost whose answer was not waited for, estimated; told once.
    fn abandoned(&mut self) -> Usage {
        Usage::default()
    }
}
