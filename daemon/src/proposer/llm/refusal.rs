//! Which error an HTTP status, the codes in its body and the server's words together are.
//!
//! Statuses alone do not tell: a spent credit is 402, 403 or 429, a question too long 400 or 413.

use std::time::Duration;

use serde_json::Value;

use super::failure::one_line;
use crate::experiment::Usage;
use crate::proposer::ProposerError;

/// A response whose status is not a success.
#[derive(Debug)]
pub struct HttpFailure {
    /// HTTP status.
    pub status: u16,
    /// Header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The beginning of the body.
    pub body: String,
}

/// Nothing will come until somebody pays or raises a limit.
///
/// # Source
/// OpenAI's and OpenRouter's error codes; Anthropic's and DeepSeek's messages.
const SPENT: [&str; 9] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "enforced_spend_limit_reached",
    "exceeded your current quota",
    "credit balance is too low",
    "insufficient balance",
    "insufficient credits",
    "insufficient_credits",
];
/// The question is too long for the model.
///
/// # Source
/// OpenAI's code; the messages of OpenAI, vLLM, Anthropic, llama.cpp and Gemini.
const TOO_LONG: [&str; 7] = [
    "context_length_exceeded",
    "maximum context length",
    "prompt is too long",
    "input is too long",
    "exceeds the available context size",
    "exceed context limit",
    "input token count exceeds",
];
/// A filter before the model refuses the question.
///
/// # Source
/// OpenAI's and Azure's error codes.
const FILTERED: [&str; 3] =
    ["content_filter", "content_policy_violation", "responsibleaipolicyviolation"];

/// The model is not known, or not to this key.
///
/// # Source
/// OpenAI's code, which others took over; the messages of OpenRouter and DeepSeek.
const UNKNOWN_MODEL: [&str; 3] = ["model_not_found", "is not a valid model id", "model not exist"];

/// The tools are at fault: servers tell it in many words, and with any status.
///
/// # Source
/// The messages of Ollama, vLLM, OpenRouter ("No endpoints found that support tool use") and
/// llama.cpp ("tools param requires --jinja flag"); OpenAI's older name for them.
const OF_TOOLS: [&str; 3] = ["tool", "function call", "functions"];

/// Whether a server between the client and the model gave up waiting, or lost it: the model may have
/// gone on, and be paid.
///
/// # Source
/// RFC 9110; Cloudflare's own statuses, which are those of the server behind it.
fn is_of_a_gateway(status: u16) -> bool {
    matches!(status, 408 | 502 | 504 | 520..=524)
}

/// Whether a question that offers tools is refused for them. Some servers do not say why: until one
/// such question was answered, a refusal with no other reason counts as well.
pub fn is_of_tools(failure: &HttpFailure, is_first: bool) -> bool {
    let words = words(&serde_json::from_str(&failure.body).unwrap_or_default(), &failure.body);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let has_other_reason = [&SPENT[..], &TOO_LONG, &FILTERED].into_iter().any(says);
    match failure.status {
        401 | 402 | 403 | 413 | 429 => false,
        _ if has_other_reason => false,
        400 | 404 | 422 | 500 if is_first => true,
        _ => says(&OF_TOOLS),
    }
}

/// The error that a refusal is, of a request that costs `at_stake` if its answer is lost.
pub fn error(endpoint: String, failure: HttpFailure, at_stake: Usage) -> ProposerError {
    let HttpFailure { status, retry_after, body } = failure;
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    let reason = format!("status {status}: {}", message(&json, &body));
    let words = words(&json, &body);
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    match status {
        402 => ProposerError::SpendLimit { endpoint, reason, retry_after },
        400..500 if says(&SPENT) => ProposerError::SpendLimit { endpoint, reason, retry_after },
        404 => ProposerError::UnknownModel { endpoint, reason, retry_after },
        400 | 403 | 422 if says(&UNKNOWN_MODEL) => {
            ProposerError::UnknownModel { endpoint, reason, retry_after }
        }
        401 | 403 => ProposerError::Unauthorized { endpoint, reason, retry_after },
        413 => ProposerError::Overflow { endpoint, reason },
        400 | 422 if says(&TOO_LONG) => ProposerError::Overflow { endpoint, reason },
        400 | 422 if says(&FILTERED) => ProposerError::ContentRefused { endpoint, reason },
        429 => ProposerError::RateLimited { endpoint, reason, retry_after },
        408 | 409 | 425 | 500.. => {
            let usage = if is_of_a_gateway(status) { at_stake } else { Usage::default() };
            ProposerError::Overloaded { endpoint, reason, retry_after, usage }
        }
        _ => ProposerError::Refused { endpoint, reason, retry_after },
    }
}

/// The server's own words, in whichever of the usual places they stand.
fn message(json: &Value, body: &str) -> String {
    let places = ["/error/message", "/error", "/message", "/detail"];
    let text = places.iter().find_map(|place| json.pointer(place)?.as_str());
    one_line(text.unwrap_or(body))
}

/// Message, code and type, in small letters.
fn words(json: &Value, body: &str) -> String {
    let places = ["/error/code", "/error/type", "/error/innererror/code", "/code", "/type"];
    let codes = places.iter().filter_map(|place| json.pointer(place)?.as_str());
    let message = message(json, body);
    let all: Vec<_> = codes.chain([message.as_str()]).collect();
    all.join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        message(&serde_json::from_str(body).unwrap_or_default(), body)
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
            assert_eq!(said(body), text);
        }
        assert_eq!(said(&"x".repeat(5000)).len(), 400);
    }

    #[test]
    fn what_a_gateway_gave_up_on_may_be_charged() {
        let at_stake = Usage { prompt_tokens: 7, completion_tokens: 9 };
        let cost = |status| {
            let failure = HttpFailure { status, retry_after: None, body: String::new() };
            error("e".to_owned(), failure, at_stake).usage()
        };
        for status in [408, 502, 504, 520, 524] {
            assert_eq!(cost(status), at_stake, "{status}");
        }
        for status in [409, 425, 429, 500, 503, 525, 529] {
            assert_eq!(cost(status), Usage::default(), "{status}");
        }
    }

    #[test]
    fn tools_are_at_fault_by_the_words_and_at_first_by_the_status() {
        let is_blamed = |status, body: &str, is_first| {
            let failure = HttpFailure { status, retry_after: None, body: body.to_owned() };
            is_of_tools(&failure, is_first)
        };
        for (status, words) in [
            (400, "registry.ollama.ai/library/m does not support tools"),
            (
                400,
                r#"{"error":{"message":"\"auto\" tool choice requires --enable-auto-tool-choice"}}"#,
            ),
            (404, r#"{"error":{"message":"No endpoints found that support tool use","code":404}}"#),
            (422, r#"{"detail":[{"loc":["body","tools"],"msg":"Extra inputs"}]}"#),
            (500, r#"{"error":{"message":"tools param requires --jinja flag"}}"#),
            (501, "function calling is not implemented"),
            (503, r#"{"message":"Unsupported param: tools"}"#),
        ] {
            assert!(is_blamed(status, words, false), "{status} {words}");
        }
        for status in [401, 402, 403, 413, 429] {
            assert!(!is_blamed(status, "tools", true), "{status}");
        }
        // OpenAI counts a question out by its messages and its functions.
        let too_long =
            r#"{"error":{"code":"context_length_exceeded","message":"(9 in the functions)"}}"#;
        assert!(!is_blamed(400, too_long, true));
        for status in [400, 404, 422, 500] {
            assert!(is_blamed(status, "no", true), "{status}");
            assert!(!is_blamed(status, "no", false), "{status}");
        }
        for status in [408, 409, 502, 503, 529] {
            assert!(!is_blamed(status, "no", true), "{status}");
        }
    }

    /// The variant's name.
    fn class(status: u16, body: &str) -> String {
        let failure = HttpFailure { status, retry_after: None, body: body.to_owned() };
        let error = format!("{:?}", error("e".to_owned(), failure, Usage::default()));
        error.split(' ').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn codes_and_words_tell_more_than_the_status() {
        for (status, body, expected) in [
            (429, "", "RateLimited"),
            (429, r#"{"error":{"code":"rate_limit_exceeded","message":"quota"}}"#, "RateLimited"),
            (429, r#"{"error":{"code":"insufficient_quota","message":"x"}}"#, "SpendLimit"),
            (429, r#"{"error":{"type":"enforced_spend_limit_reached"}}"#, "SpendLimit"),
            (400, r#"{"error":{"code":"billing_hard_limit_reached"}}"#, "SpendLimit"),
            (400, r#"{"error":{"message":"Your credit balance is too low"}}"#, "SpendLimit"),
            (402, "Insufficient Balance", "SpendLimit"),
            (401, "", "Unauthorized"),
            (403, r#"{"error":{"code":null}}"#, "Unauthorized"),
            (400, r#"{"error":{"code":"context_length_exceeded"}}"#, "Overflow"),
            (400, r#"{"error":{"message":"prompt is too long: 2 > 1"}}"#, "Overflow"),
            (400, r#"{"message":"This model's maximum context length is 4"}"#, "Overflow"),
            (413, "", "Overflow"),
            (400, r#"{"error":{"code":"content_filter"}}"#, "ContentRefused"),
            (
                400,
                r#"{"error":{"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
                "ContentRefused",
            ),
            (400, "", "Refused"),
            (400, r#"{"error":{"message":"max_tokens is not supported"}}"#, "Refused"),
            (404, "", "UnknownModel"),
            (403, r#"{"error":{"code":"model_not_found"}}"#, "UnknownModel"),
            (400, r#"{"error":{"message":"gpt is not a valid model ID"}}"#, "UnknownModel"),
            (500, r#"{"error":{"code":"insufficient_quota"}}"#, "Overloaded"),
            (408, "", "Overloaded"),
            (503, "", "Overloaded"),
            (529, r#"{"error":{"type":"overloaded_error"}}"#, "Overloaded"),
        ] {
            assert_eq!(class(status, body), expected, "{status} {body}");
        }
    }
}
