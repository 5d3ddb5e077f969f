//! What went wrong with a request, and which error that is.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_openai::error::OpenAIError;

use super::refusal::{self, HttpFailure};
use crate::experiment::Usage;
use crate::proposer::ProposerError;

/// Characters of a server's message that are repeated.
const REASON_LIMIT: usize = 400;

/// A request that brought no answer.
#[derive(Debug, thiserror::Error)]
#[error("{self:?}")]
pub enum Failure {
    /// Nothing came within the time limit.
    Silent(Duration),
    /// The connection could not be made.
    Unreachable(String),
    /// The connection did not last.
    Cut(String),
    /// The server answered with an error.
    Http(HttpFailure),
    /// The server answered with something else than was asked for.
    Unreadable(String),
    /// The request could not be made at all.
    Unsendable(String),
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<Self>() {
                Ok(failure) => *failure,
                Err(error) => from_transport(error.as_ref()),
            },
            OpenAIError::Reqwest(error) => from_reqwest(error),
            OpenAIError::JSONDeserialize(_, content) => Self::Unreadable(content),
            other => Self::Unsendable(other.to_string()),
        }
    }
}

impl From<Failure> for OpenAIError {
    fn from(failure: Failure) -> Self {
        Self::Boxed(Box::new(failure))
    }
}

pub fn from_reqwest(error: reqwest::Error) -> Failure {
    let (is_builder, is_connect) = (error.is_builder(), error.is_connect());
    let text = chain(&error.without_url());
    match (is_builder, is_connect) {
        (true, _) => Failure::Unsendable(text),
        (_, true) => Failure::Unreachable(text),
        _ => Failure::Cut(text),
    }
}

/// Transports other than reqwest speak of connections as the system does.
fn from_transport(error: &(dyn Error + 'static)) -> Failure {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => Failure::Unreachable(chain(error)),
        Some(_) => Failure::Cut(chain(error)),
        None => Failure::Unsendable(chain(error)),
    }
}

/// Whom an error is about: an address, and a key that stands in no message.
pub struct Told<'a> {
    /// Base address; may hold a password.
    pub base_url: &'a str,
    /// The key.
    pub api_key: &'a str,
    /// What the request cost if the server took it in whole.
    pub at_stake: Usage,
}

impl Failure {
    /// The error for the loop, in which neither the key nor a password of the address stands, even
    /// when the server repeats it.
    pub fn into_error(self, told: &Told<'_>) -> ProposerError {
        let endpoint = without_password(told.base_url);
        let usage = told.at_stake;
        let hide = |text: &str| match told.api_key {
            "" => text.to_owned(),
            key => text.replace(key, "[key]"),
        };
        match self {
            Self::Silent(limit) => ProposerError::Timeout { endpoint, limit, usage },
            Self::Unreachable(text) => ProposerError::Unreachable { endpoint, reason: hide(&text) },
            Self::Cut(text) => ProposerError::Cut { endpoint, reason: hide(&text), usage },
            Self::Http(failure) => {
                let failure = HttpFailure { body: hide(&failure.body), ..failure };
                refusal::error(endpoint, failure, usage)
            }
            Self::Unreadable(content) => {
                // A page is no answer of a model: nothing was written for it.
                let is_page = content.trim_start().starts_with('<');
                let completion_tokens = if is_page { 0 } else { usage.completion_tokens };
                let usage = Usage { completion_tokens, ..usage };
                ProposerError::Unreadable { endpoint, reason: one_line(&hide(&content)), usage }
            }
            Self::Unsendable(text) => {
                ProposerError::Refused { endpoint, reason: hide(&text), retry_after: None }
            }
        }
    }
}

/// An address as it may be shown: what stands before an `@` in it is left out.
pub fn without_password(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}/{path}"),
        None => url.to_owned(),
    }
}

/// An error with everything that caused it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> String {
    let source = |error: &&'a (dyn Error + 'static)| (*error).source();
    let causes = std::iter::successors(Some(error), source);
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A text as one bounded line.
pub fn one_line(text: &str) -> String {
    // A line of this many words is long enough; a body may be megabytes.
    let words: Vec<_> = text.split_whitespace().take(REASON_LIMIT).collect();
    words.join(" ").chars().take(REASON_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_leave_addresses() {
        for (url, shown) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("http://me:secret@host:8080/v1", "http://host:8080/v1"),
            ("http://me:se@cret@host/v1/x", "http://host/v1/x"),
            ("http://host/a@b", "http://host/a@b"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
