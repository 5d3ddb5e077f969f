//! Who has the ideas. Every proposer answers with the same text format, read by `patch`.

use futures::future::BoxFuture;

use crate::context::Context;
use crate::experiment::Usage;
use crate::prompt::PromptError;

mod knobs;
mod llm;
mod playbook;
mod scripted;

pub use llm::{Llm, LlmSettings};
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

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProposerError {
    /// The endpoint cannot be reached or failed; it may work later.
    #[error("{endpoint} does not answer: {reason}")]
    Unavailable {
        /// Base address.
        endpoint: String,
        /// What the connection or the server said.
        reason: String,
        /// The least time to wait, when the server named one.
        retry_after_s: Option<u64>,
    },
    /// The key is missing, wrong or without rights.
    #[error("{endpoint} refuses the key: {reason}")]
    Unauthorized {
        /// Base address.
        endpoint: String,
        /// What the server said.
        reason: String,
    },
    /// The request itself is refused, e.g. an unknown model.
    #[error("{endpoint} refuses the request: {reason}")]
    Refused {
        /// Base address.
        endpoint: String,
        /// What the server said.
        reason: String,
    },
    /// The answer was cut off by its own length; a shorter one may be asked for.
    #[error("the answer was cut off after {} tokens: a shorter one is needed", usage.completion_tokens)]
    Truncated {
        /// What it cost.
        usage: Usage,
    },
    /// An answer without text.
    #[error("the answer holds no text")]
    Empty {
        /// What it cost.
        usage: Usage,
    },
    /// The question could not be put.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The playbook has nothing to turn.
    #[error(
        "{path} holds no knob: end the line of a constant with two or more values worth trying, \
         as in `learning_rate: 3e-3, // knob: 1e-3 | 3e-3 | 1e-2`"
    )]
    NoKnobs {
        /// The recipe.
        path: String,
    },
    /// A scripted proposer has said everything.
    #[error("the script has no more replies")]
    Exhausted,
}

/// A source of ideas.
pub trait Proposer: Send {
    /// How rows name it: `playbook`, `scripted`, `llm:<model>`.
    fn name(&self) -> String;

    /// Checks once, before anything is created, that proposals can be had at all.
    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>>;

    /// One answer.
    fn propose<'a>(
        &'a mut self,
        context: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>>;
}
