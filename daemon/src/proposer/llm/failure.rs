//! What went wrong with a request, and what that means for the loop.

use std::error::Error;
use std::time::Duration;

use async_openai::error::OpenAIError;
use serde_json::Value;

use crate::proposer::ProposerError;

/// Bytes of an error's body that are read.
pub const BODY_LIMIT: usize = 16 * 1024;
/// Characters of a server's message that are repeated.
const REASON_LIMIT: usize = 400;

/// A request that brought no answer.
#[derive(Debug)]
pub enum Failure {
    /// Nothing came within the time limit.
    Silent(Duration),
    /// The connection could not be made or did not last.
    Transport(String),
    /// The server answered with an error.
    Http(HttpFailure),
    /// The server answered with something else than was asked for.
    Unreadable(String),
    /// The request could not be made at all.
    Unsendable(String),
}

/// A response whose status is not a success.
#[derive(Debug, thiserror::Error)]
#[error("status {status}")]
pub struct HttpFailure {
    /// HTTP status.
    pub status: u16,
    /// Header `Retry-After`, when it is a number of seconds.
    pub retry_after_s: Option<u64>,
    /// The beginning of the body.
    pub body: String,
}

impl From<OpenAIError> for Failure {
    fn from(error: OpenAIError) -> Self {
        match error {
            OpenAIError::Boxed(error) => match error.downcast::<HttpFailure>() {
                Ok(failure) => Self::Http(*failure),
                Err(error) => Self::Unsendable(chain(error.as_ref())),
            },
            OpenAIError::Reqwest(error) if error.is_builder() => {
                Self::Unsendable(chain(&error.without_url()))
            }
            OpenAIError::Reqwest(error) => Self::Transport(chain(&error.without_url())),
            OpenAIError::JSONDeserialize(_, content) => Self::Unreadable(content),
            other => Self::Unsendable(other.to_string()),
        }
    }
}

impl Failure {
    /// The error for the supervisor, in which neither the key nor a password of the address stands,
    /// even when the server repeats it.
    pub fn into_error(self, base_url: &str, api_key: &str) -> ProposerError {
        let endpoint = without_password(base_url);
        let hide = |text: &str| match api_key {
            "" => text.to_owned(),
            key => text.replace(key, "[key]"),
        };
        match self {
            Self::Silent(timeout) => ProposerError::Unavailable {
                endpoint,
                reason: format!("no answer within {} s", timeout.as_secs_f64()),
                retry_after_s: None,
            },
            Self::Transport(text) => {
                ProposerError::Unavailable { endpoint, reason: hide(&text), retry_after_s: None }
            }
            Self::Http(HttpFailure { status, retry_after_s, body }) => {
                let reason = format!("status {status}: {}", message(&hide(&body)));
                match status {
                    401 | 403 => ProposerError::Unauthorized { endpoint, reason },
                    408 | 409 | 425 | 429 | 500.. => {
                        ProposerError::Unavailable { endpoint, reason, retry_after_s }
                    }
                    _ => ProposerError::Refused { endpoint, reason },
                }
            }
            Self::Unreadable(content) => ProposerError::Refused {
                endpoint,
                reason: format!(
                    "it does not speak the chat completions protocol (is the address right, with \
                     its version?): {}",
                    one_line(&hide(&content))
                ),
            },
            Self::Unsendable(text) => ProposerError::Refused { endpoint, reason: hide(&text) },
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

/// The server's own words, in whichever of the usual places they stand.
fn message(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let places = ["/error/message", "/error", "/message", "/detail"];
    let text = places.iter().find_map(|place| json.pointer(place)?.as_str());
    one_line(text.unwrap_or(body))
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(REASON_LIMIT).collect()
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

    #[test]
    fn messages_are_found_where_servers_put_them() {
        for (body, text) in [
            (r#"{"error":{"message":"no such model"}}"#, "no such model"),
            (r#"{"error":"model not found"}"#, "model not found"),
            (r#"{"message":"bad"}"#, "bad"),
            (r#"{"detail":"worse"}"#, "worse"),
            ("<html>\n  502 \n</html>", "<html> 502 </html>"),
            ("", ""),
        ] {
            assert_eq!(message(body), text);
        }
        assert_eq!(message(&"x".repeat(5000)).len(), REASON_LIMIT);
    }
}
