//! A real HTTP server on this machine that speaks the chat completions protocol from a script.
//!
//! Each completion request takes the next answer of the script. Every request of any kind is
//! checked against what the protocol demands, and recorded; [`Server::finish`] panics with all
//! that was wrong. It runs on a thread of its own, so that tests of a whole program, which have no
//! runtime, use it as well.

#![expect(clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, oneshot};

/// Longest wait of a test for a request; reached only when the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tokens that every completion claims to have cost.
pub const PROMPT_TOKENS: u64 = 1200;
/// Tokens that every completion claims to have brought.
pub const COMPLETION_TOKENS: u64 = 34;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A whole completion with this text.
    Text(String),
    /// A completion that the server cut off by its length.
    CutByLength(String),
    /// Any status, headers and body.
    Raw {
        /// HTTP status.
        status: u16,
        /// Names and values.
        headers: Vec<(&'static str, String)>,
        /// The body as it is.
        body: String,
    },
    /// The connection is lost in the middle of the body.
    Cut,
    /// Another answer, but only after [`Server::release`] was called once for it.
    Held(Box<Answer>),
}

impl Answer {
    /// A whole completion.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A bare status with a JSON error message.
    pub fn error(status: u16, message: &str) -> Self {
        let body = json!({ "error": { "message": message, "type": "scripted" } }).to_string();
        Self::Raw { status, headers: Vec::new(), body }
    }

    /// The list of models that a healthy endpoint has.
    pub fn models() -> Self {
        let body = json!({ "object": "list", "data": [{ "id": "m", "object": "model" }] });
        Self::Raw { status: 200, headers: Vec::new(), body: body.to_string() }
    }

    /// This answer, held back.
    pub fn held(self) -> Self {
        Self::Held(Box::new(self))
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path, from `/v1`.
    pub path: String,
    /// The bearer token.
    pub key: String,
    /// The body; null for a list of models.
    pub body: Value,
}

#[derive(Default)]
struct Records {
    requests: Vec<Request>,
    violations: Vec<String>,
}

struct Shared {
    models: Answer,
    trial: Answer,
    completions: Mutex<VecDeque<Answer>>,
    records: Mutex<Records>,
    arrived: Condvar,
    released: Semaphore,
}

/// The running server.
pub struct Server {
    base_url: String,
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Starts a healthy endpoint that gives these completions, in this order.
    pub fn start(completions: impl IntoIterator<Item = Answer>) -> Self {
        Self::start_with_models(Answer::models(), completions)
    }

    /// Starts an endpoint with this answer to every question for its models.
    pub fn start_with_models(
        models: Answer,
        completions: impl IntoIterator<Item = Answer>,
    ) -> Self {
        Self::start_with(models, Answer::CutByLength("Yes".to_owned()), completions)
    }

    /// The same with this answer to whoever asks for one token, to see whether there will be more.
    /// Such questions are checked, but neither recorded nor part of the script.
    pub fn start_with(
        models: Answer,
        trial: Answer,
        completions: impl IntoIterator<Item = Answer>,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            models,
            trial,
            completions: Mutex::new(completions.into_iter().collect()),
            records: Mutex::default(),
            arrived: Condvar::new(),
            released: Semaphore::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve(listener, state, stopped));
        Self { base_url, shared, stop, thread }
    }

    /// What `OPENAI_BASE_URL` should be.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Lets one held answer go, now or when it is reached.
    pub fn release(&self) {
        self.shared.released.add_permits(1);
    }

    /// Blocks until at least `count` requests of any kind have come.
    pub fn wait_for(&self, count: usize) {
        let waited =
            self.shared.arrived.wait_timeout_while(self.shared.records(), PATIENCE, |records| {
                records.requests.len() < count
            });
        assert!(!waited.unwrap().1.timed_out(), "no {count} requests came");
    }

    /// Completions that were asked for so far.
    pub fn asked(&self) -> usize {
        let records = self.shared.records();
        records.requests.iter().filter(|request| request.path.ends_with("completions")).count()
    }

    /// Stops, and gives all requests in their order.
    ///
    /// # Panics
    /// When a request broke the protocol or the script was too short.
    pub fn finish(self) -> Vec<Request> {
        drop(self.stop);
        self.thread.join().unwrap();
        let records = self.shared.records();
        assert!(records.violations.is_empty(), "{:#?}", records.violations);
        records.requests.clone()
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap()
    }
}

fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stopped: impl Future + Send + 'static,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let router = Router::new().fallback(handle).with_state(shared);
        // Not gracefully: a client may keep its connection for as long as it likes.
        tokio::select! {
            served = axum::serve(listener, router).into_future() => served.unwrap(),
            _ = stopped => {}
        }
    });
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let key = header("authorization").strip_prefix("Bearer ").unwrap_or_default().to_owned();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut violations = Vec::new();
    if key.is_empty() {
        violations.push("no bearer token".to_owned());
    }
    let is_trial = json["max_tokens"] == 1;
    let mut answer = match (&method, path.as_str()) {
        (&Method::GET, "/v1/models") => shared.models.clone(),
        (&Method::POST, "/v1/chat/completions") if is_trial => {
            violations.extend(wrong_in_completion(header("content-type"), &json));
            shared.trial.clone()
        }
        (&Method::POST, "/v1/chat/completions") => {
            violations.extend(wrong_in_completion(header("content-type"), &json));
            let next = shared.completions.lock().unwrap().pop_front();
            next.unwrap_or_else(|| {
                violations.push("the script is too short".to_owned());
                Answer::error(500, "the script is too short")
            })
        }
        _ => {
            violations.push("no such route".to_owned());
            Answer::error(404, "no such route")
        }
    };
    {
        let mut records = shared.records();
        let at = records.requests.len();
        let told = violations.into_iter().map(|v| format!("request {at}, {method} {path}: {v}"));
        records.violations.extend(told);
        if !is_trial {
            records.requests.push(Request { path, key, body: json });
        }
    }
    shared.arrived.notify_all();
    while let Answer::Held(held) = answer {
        shared.released.acquire().await.unwrap().forget();
        answer = *held;
    }
    respond(answer)
}

/// Everything in a completion request that the protocol forbids.
fn wrong_in_completion(content_type: &str, body: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("{what}: {body}"));
        }
    };
    let text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    demand(content_type == "application/json", "the content is not declared as JSON");
    demand(text(&body["model"]), "no model");
    demand(body["stream"].as_bool() != Some(true), "this server does not stream");
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    demand(!messages.is_empty(), "no messages");
    demand(messages.first().is_none_or(|m| m["role"] == "system"), "the first is not the system's");
    demand(messages.last().is_none_or(|m| m["role"] == "user"), "the last is not the user's");
    for message in messages {
        let role = message["role"].as_str().unwrap_or_default();
        demand(["system", "user", "assistant"].contains(&role), "a message of nobody");
        demand(text(&message["content"]), "a message without text");
    }
    wrong
}

fn respond(answer: Answer) -> Response {
    let json = |body: Value| {
        let builder = Response::builder().header("content-type", "application/json");
        builder.body(Body::from(body.to_string())).unwrap()
    };
    match answer {
        Answer::Text(text) => json(completion(&text, "stop")),
        Answer::CutByLength(text) => json(completion(&text, "length")),
        Answer::Raw { status, headers, body } => {
            let mut builder = Response::builder().status(status);
            for (name, value) in headers {
                builder = builder.header(name, value);
            }
            builder.body(Body::from(body)).unwrap()
        }
        Answer::Cut => {
            let begun = completion("never seen whole", "stop").to_string();
            let half = Bytes::copy_from_slice(&begun.as_bytes()[..begun.len() / 2]);
            let stream = futures::stream::iter([Ok(half), Err(std::io::Error::other("cut"))]);
            Response::new(Body::from_stream(stream))
        }
        Answer::Held(_) => unreachable!("unpacked before"),
    }
}

fn completion(text: &str, finish_reason: &str) -> Value {
    json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text },
            "finish_reason": finish_reason,
        }],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        },
    })
}
