//! The endpoint: draws a fault for each request, answers it, and remembers what it did.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use dfr_daemon::experiment::Usage;
use futures::future::{BoxFuture, FutureExt};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::night::{Event, LIMIT, Log};

/// Everything that can become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    Fine,
    SlowAndFine,
    Truncated,
    Empty,
    Declined,
    RateLimit,
    ServerError,
    Gateway,
    Silence,
    Refused,
    Reset,
    CutBody,
    Garbage,
    WrongKey,
    Spent,
    UnknownModel,
    BadRequest,
    TooLong,
    Filtered,
    ToolsRefused,
}

pub const FAULTS: [Fault; 20] = [
    Fault::Fine,
    Fault::SlowAndFine,
    Fault::Truncated,
    Fault::Empty,
    Fault::Declined,
    Fault::RateLimit,
    Fault::ServerError,
    Fault::Gateway,
    Fault::Silence,
    Fault::Refused,
    Fault::Reset,
    Fault::CutBody,
    Fault::Garbage,
    Fault::WrongKey,
    Fault::Spent,
    Fault::UnknownModel,
    Fault::BadRequest,
    Fault::TooLong,
    Fault::Filtered,
    Fault::ToolsRefused,
];

impl Fault {
    /// The endpoint spoke as it should.
    pub fn is_answer(self) -> bool {
        use Fault::*;
        matches!(self, Fine | SlowAndFine | Truncated | Empty | Declined)
    }

    /// The same question would be refused again.
    pub fn is_final(self, is_small: bool) -> bool {
        self == Fault::Filtered || (self == Fault::TooLong && is_small)
    }

    /// It says that something else than the tools is at fault.
    pub fn has_other_reason(self) -> bool {
        use Fault::*;
        matches!(self, TooLong | Filtered | Spent)
    }

    /// Nobody may ask again soon.
    pub fn is_for_people(self) -> bool {
        use Fault::*;
        matches!(self, WrongKey | Spent | UnknownModel | BadRequest)
    }

    /// Nobody is there who could be asked more.
    pub fn ends_a_probe(self) -> bool {
        use Fault::*;
        matches!(
            self,
            RateLimit
                | ServerError
                | Gateway
                | Silence
                | Refused
                | Reset
                | CutBody
                | WrongKey
                | Spent
                | UnknownModel
        )
    }

    /// The request was taken in, and what was made of it never came.
    pub fn is_loss(self) -> bool {
        use Fault::*;
        matches!(self, Gateway | Silence | Reset | CutBody | Garbage)
    }
}

/// One request as the endpoint saw it.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub fault: Fault,
    /// The status of the response; none where there is no response.
    pub status: Option<u16>,
    /// The question offers tools.
    pub has_tools: bool,
    /// What it told the client to wait at least.
    pub retry_after: Option<Duration>,
    /// Bytes of the question.
    pub bytes: usize,
    /// It asks for one token, to see whether anybody is there.
    pub is_probe: bool,
    /// Tokens that were generated and never arrived.
    pub generated: u64,
}

impl Call {
    /// How long the client waits for its end.
    fn limit(self) -> Duration {
        if self.is_probe { PROBE_LIMIT } else { LIMIT }
    }
}

/// Longest wait of the client for one token.
const PROBE_LIMIT: Duration = Duration::from_secs(15);

pub struct Endpoint {
    rng: ChaCha8Rng,
    /// What goes wrong at the moment, and for how many more requests.
    spell: (Fault, u32),
}

/// The way to the endpoint.
#[derive(Clone)]
pub struct Transport {
    endpoint: Arc<Mutex<Endpoint>>,
    log: Log,
}

impl Transport {
    pub fn new(seed: u64, log: Log) -> Self {
        let endpoint = Endpoint { rng: ChaCha8Rng::seed_from_u64(seed), spell: (Fault::Fine, 0) };
        Self { endpoint: Arc::new(Mutex::new(endpoint)), log }
    }
}

/// Notes how a request ends, also when nobody waits for it any longer.
struct Ending {
    log: Log,
    call: Call,
    began: Instant,
    is_served: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let Call { fault, bytes, generated, .. } = self.call;
        let is_dropped = !self.is_served && self.began.elapsed() < self.call.limit();
        // Billed, whoever stopped waiting for it.
        let lost = Usage { prompt_tokens: bytes.div_ceil(4) as u64, completion_tokens: generated };
        let usage = match self.is_served {
            true if fault.is_answer() => USAGE,
            true if !fault.is_loss() => Usage::default(),
            _ => lost,
        };
        self.log.note(Event::Ended { call: self.call, usage, is_dropped });
    }
}

impl tower::Service<HttpRequestFactory> for Transport {
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = BoxFuture<'static, Result<reqwest::Response, OpenAIError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), OpenAIError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let Self { endpoint, log } = self.clone();
        async move {
            let request = request.build().await?;
            let body: Value = serde_json::from_slice(request.body().unwrap().as_bytes().unwrap())
                .map_err(|error| OpenAIError::Boxed(error.into()))?;
            let messages = body["messages"].as_array().unwrap();
            let bytes = messages.iter().map(|m| m["content"].as_str().unwrap().len()).sum();
            let limit = |name: &str| body[name].as_u64();
            let is_probe = limit("max_tokens") == Some(1);
            let most = limit("max_tokens").or(limit("max_completion_tokens")).unwrap();
            let asked = (bytes, (is_probe, body["tools"].is_array()), most);
            let (call, response, delay) = endpoint.lock().unwrap().serve(asked);
            log.note(Event::Called(call));
            let mut ending = Ending { log, call, began: Instant::now(), is_served: false };
            tokio::time::sleep(delay).await;
            ending.is_served = true;
            response
        }
        .boxed()
    }
}

impl Endpoint {
    fn serve(
        &mut self,
        (bytes, (is_probe, has_tools), most): (usize, (bool, bool), u64),
    ) -> (Call, Result<reqwest::Response, OpenAIError>, Duration) {
        let generated = self.rng.random_range(0..=most);
        let fault = match self.next_fault() {
            Fault::ToolsRefused if !has_tools => Fault::Fine,
            fault => fault,
        };
        let (response, retry_after) = self.respond(fault);
        let delay = match fault {
            Fault::Silence => Duration::from_secs(1_000_000),
            Fault::SlowAndFine => Duration::from_secs(self.rng.random_range(1..60)),
            _ => Duration::ZERO,
        };
        let status = response.as_ref().ok().map(|response| response.status().as_u16());
        let call = Call { fault, status, has_tools, retry_after, bytes, is_probe, generated };
        (call, response, delay)
    }

    /// Faults come in spells: an outage lasts.
    fn next_fault(&mut self) -> Fault {
        let (fault, left) = self.spell;
        if left > 0 {
            self.spell.1 -= 1;
            return fault;
        }
        let is_calm = self.rng.random_bool(0.4);
        let fault = if is_calm { Fault::Fine } else { *FAULTS.choose(&mut self.rng).unwrap() };
        self.spell = (fault, *[0, 0, 0, 1, 2, 4].choose(&mut self.rng).unwrap());
        fault
    }

    fn respond(
        &mut self,
        fault: Fault,
    ) -> (Result<reqwest::Response, OpenAIError>, Option<Duration>) {
        let answer = |text: Value, finish: &str| completion(&text, finish).to_string();
        let mut wait = None;
        let response = match fault {
            Fault::Fine | Fault::SlowAndFine => http(200, answer("HYPOTHESIS: h".into(), "stop")),
            Fault::Truncated => http(200, answer("HYPOTHESIS: h".into(), "length")),
            Fault::Empty => {
                http(200, answer([Value::Null, " \n".into()][self.coin()].clone(), "stop"))
            }
            Fault::Declined => http(200, answer("HYPOTHESIS: h".into(), "content_filter")),
            Fault::Silence => http(200, String::new()),
            Fault::RateLimit => {
                let response = self.busy(429, &mut wait);
                http_with(response, r#"{"error":{"code":"rate_limit_exceeded"}}"#.to_owned())
            }
            Fault::ServerError => {
                let status = *[500, 503, 529, 409].choose(&mut self.rng).unwrap();
                let response = self.busy(status, &mut wait);
                http_with(response, "<html>busy</html>".to_owned())
            }
            Fault::Gateway => {
                let status = *[408, 502, 504, 520, 522, 524].choose(&mut self.rng).unwrap();
                let response = self.busy(status, &mut wait);
                http_with(response, "<html>the server behind gave up</html>".to_owned())
            }
            Fault::Refused => return (lost(io::ErrorKind::ConnectionRefused), None),
            Fault::Reset => return (lost(io::ErrorKind::ConnectionReset), None),
            Fault::CutBody => cut(&answer("HYPOTHESIS: h".into(), "stop"), &mut self.rng),
            Fault::Garbage => {
                let whole = answer("HYPOTHESIS: h".into(), "stop");
                let end = self.rng.random_range(0..whole.len());
                http(200, whole[..end].to_owned())
            }
            Fault::WrongKey => http([401, 403][self.coin()], String::new()),
            Fault::Spent => {
                let (status, code) = *[
                    (402, ""),
                    (429, "insufficient_quota"),
                    (429, "billing_hard_limit_reached"),
                    (429, "enforced_spend_limit_reached"),
                ]
                .choose(&mut self.rng)
                .unwrap();
                let response = self.busy(status, &mut wait);
                http_with(response, json!({ "error": { "code": code } }).to_string())
            }
            Fault::UnknownModel => {
                let unknown = r#"{"error":{"code":"model_not_found"}}"#;
                let (status, body) = [(400, unknown), (404, "")][self.coin()];
                http(status, body.to_owned())
            }
            Fault::BadRequest => http(400, String::new()),
            Fault::TooLong => {
                let error = [
                    json!({ "code": "context_length_exceeded" }),
                    json!({ "message": "prompt is too long: 9 tokens > 8 maximum" }),
                ][self.coin()]
                .clone();
                http(400, json!({ "error": error }).to_string())
            }
            Fault::ToolsRefused => {
                let (status, words) = *[
                    (400, "m does not support tools"),
                    (404, "No endpoints found that support tool use"),
                    (405, "no tools here"),
                    (422, "tools: extra inputs are not permitted"),
                    (500, "tools param requires --jinja flag"),
                    (501, "function calling is not implemented"),
                ]
                .choose(&mut self.rng)
                .unwrap();
                let response = self.busy(status, &mut wait);
                http_with(response, json!({ "error": { "message": words } }).to_string())
            }
            Fault::Filtered => http(400, r#"{"error":{"code":"content_filter"}}"#.to_owned()),
        };
        (Ok(response), wait)
    }

    fn coin(&mut self) -> usize {
        self.rng.random_range(0..2)
    }

    /// A refusal that may name a wait, in seconds or as a date.
    fn busy(&mut self, status: u16, wait: &mut Option<Duration>) -> http::response::Builder {
        let response = http::Response::builder().status(status);
        let seconds = *[0, 1, 7, 42, 299, 301, 3599].choose(&mut self.rng).unwrap();
        match self.rng.random_range(0..4) {
            0 => response,
            1 => {
                *wait = Some(Duration::from_secs(seconds));
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                let then = format!(
                    "Sun, 06 Nov 1994 {:02}:{minutes:02}:{:02} GMT",
                    8 + hours,
                    seconds % 60
                );
                response.header("date", "Sun, 06 Nov 1994 08:00:00 GMT").header("retry-after", then)
            }
            _ => {
                *wait = Some(Duration::from_secs(seconds));
                response.header("retry-after", seconds.to_string())
            }
        }
    }
}

/// What every answer claims to have cost.
pub const USAGE: Usage = Usage { prompt_tokens: 1200, completion_tokens: 34 };

fn completion(text: &Value, finish_reason: &str) -> Value {
    json!({
        "choices": [{ "message": { "content": text }, "finish_reason": finish_reason }],
        "usage": {
            "prompt_tokens": USAGE.prompt_tokens,
            "completion_tokens": USAGE.completion_tokens,
        },
    })
}

fn http(status: u16, body: String) -> reqwest::Response {
    http_with(http::Response::builder().status(status), body)
}

fn http_with(response: http::response::Builder, body: String) -> reqwest::Response {
    response.body(body).unwrap().into()
}

fn lost(kind: io::ErrorKind) -> Result<reqwest::Response, OpenAIError> {
    Err(OpenAIError::Boxed(Box::new(io::Error::from(kind))))
}

/// A response whose body begins and then fails.
fn cut(whole: &str, rng: &mut ChaCha8Rng) -> reqwest::Response {
    let begun = whole[..rng.random_range(0..whole.len())].to_owned();
    let parts: [io::Result<String>; 2] = [Ok(begun), Err(io::ErrorKind::ConnectionReset.into())];
    let body = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    http::Response::builder().status(200).body(body).unwrap().into()
}
