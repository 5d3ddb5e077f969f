//! Why there is no answer: one variant for each thing that can be done about it.

use std::time::Duration;

use crate::experiment::Usage;
use crate::prompt::PromptError;

/// Why there is no answer. `endpoint` is the base address without a password, `reason` what the
/// server or the connection said, `usage` what it cost: as the server counts it where an answer
/// came and it counts at all, else an estimate, since a server may bill what it could not deliver.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields of all variants are described above")]
pub enum ProposerError {
    /// Too many requests; a server may name the least time to wait.
    #[error("{endpoint} asks for patience: {reason}")]
    RateLimited { endpoint: String, reason: String, retry_after: Option<Duration> },
    /// Overloaded or out of order; a server may name the least time to wait.
    #[error("{endpoint} is out of order: {reason}")]
    Overloaded { endpoint: String, reason: String, retry_after: Option<Duration>, usage: Usage },
    /// No connection: nothing was sent.
    #[error("{endpoint} cannot be reached: {reason}")]
    Unreachable { endpoint: String, reason: String },
    /// No whole answer within the limit.
    #[error("{endpoint} gave no answer within {} s", limit.as_secs_f64())]
    Timeout { endpoint: String, limit: Duration, usage: Usage },
    /// The connection ended before the answer did.
    #[error("{endpoint} cut the connection: {reason}")]
    Cut { endpoint: String, reason: String, usage: Usage },
    /// A successful answer that is no chat completion.
    #[error(
        "{endpoint} does not speak the chat completions protocol (is the address right, with its \
         version?): {reason}"
    )]
    Unreadable { endpoint: String, reason: String, usage: Usage },
    /// The key is missing, wrong or without rights.
    #[error("{endpoint} refuses the key: {reason}")]
    Unauthorized { endpoint: String, reason: String, retry_after: Option<Duration> },
    /// No credit left, or a spending limit reached.
    #[error("{endpoint} gives nothing more until somebody pays or raises a limit: {reason}")]
    SpendLimit { endpoint: String, reason: String, retry_after: Option<Duration> },
    /// The model's name is not known there.
    #[error("{endpoint} does not know the model: {reason}")]
    UnknownModel { endpoint: String, reason: String, retry_after: Option<Duration> },
    /// The question is longer than the model can read.
    #[error("{endpoint} finds the question too long: {reason}")]
    Overflow { endpoint: String, reason: String },
    /// The endpoint's filter refuses the question.
    #[error("{endpoint} refuses the content: {reason}")]
    ContentRefused { endpoint: String, reason: String },
    /// The request itself is refused.
    #[error("{endpoint} refuses the request: {reason}")]
    Refused { endpoint: String, reason: String, retry_after: Option<Duration> },
    /// A question that offered tools is refused for them; the next one offers none.
    #[error("{0}; it is asked without tools from now on")]
    ToolsRefused(Box<Self>),
    /// An answer in which the model declines to answer.
    #[error("the model declines to answer: {reason}")]
    Declined { reason: String, usage: Usage },
    /// The answer was cut off by its own length; a shorter one may be asked for.
    #[error("the answer was cut off after {} tokens: a shorter one is needed", usage.completion_tokens)]
    Truncated { usage: Usage },
    /// An answer without text.
    #[error("the answer holds no text")]
    Empty { usage: Usage },
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

impl ProposerError {
    /// What it cost; an estimate where no answer came.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Timeout { usage, .. }
            | Self::Overloaded { usage, .. }
            | Self::Cut { usage, .. }
            | Self::Unreadable { usage, .. }
            | Self::Declined { usage, .. }
            | Self::Truncated { usage }
            | Self::Empty { usage } => *usage,
            Self::ToolsRefused(refusal) => refusal.usage(),
            _ => Usage::default(),
        }
    }

    /// The least time to wait, where the server named one.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. }
            | Self::Overloaded { retry_after, .. }
            | Self::Unauthorized { retry_after, .. }
            | Self::SpendLimit { retry_after, .. }
            | Self::UnknownModel { retry_after, .. }
            | Self::Refused { retry_after, .. } => *retry_after,
            Self::ToolsRefused(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    /// Whether somebody has to pay, raise a limit, renew a key or name another model.
    pub fn is_for_a_human(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized { .. } | Self::SpendLimit { .. } | Self::UnknownModel { .. }
        )
    }

    /// Whether the world outside is at fault and may mend by itself; else somebody has to set
    /// something right.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Overloaded { .. }
                | Self::Unreachable { .. }
                | Self::Timeout { .. }
                | Self::Cut { .. }
        )
    }
}
