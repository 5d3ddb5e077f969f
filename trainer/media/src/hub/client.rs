//! Requests: each with timeouts, a bounded number of tries, and a budget of bytes.

use std::fmt;
use std::io::Read as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use ureq::config::RedirectAuthHeaders;
use ureq::http::HeaderMap;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::HubError;
use super::budget::Purse;
use super::patience::{Patience, retry_after};

const CONNECT: Duration = Duration::from_secs(10);
/// From the request to the first byte, and between two pieces of a body.
const SILENCE: Duration = Duration::from_secs(30);
/// One body. What arrived until then is kept, and the rest asked for again.
const BODY: Duration = Duration::from_secs(120);
/// A page of a listing or a configuration is smaller.
const TEXT_BYTES: u64 = 16 << 20;
/// So many bytes show that a connection is of use.
const PROGRESS_BYTES: usize = 64 << 10;
/// What stands for itself in a path.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A bearer token; never printed.
#[derive(Clone)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Where the hub is, and who asks.
#[derive(Clone, Debug)]
pub struct Access {
    /// `https://huggingface.co` or a mirror of it, without a slash at the end.
    pub endpoint: String,
    /// Sent to the endpoint and to nobody else.
    pub token: Option<Token>,
}

/// A repository at the hub.
#[derive(Clone, Copy, Debug)]
pub enum Repository<'a> {
    /// A data set.
    Dataset(&'a str),
    /// A model.
    Model(&'a str),
}

impl Repository<'_> {
    /// Below the endpoint: models lie at its root.
    fn place(self) -> String {
        match self {
            Self::Dataset(name) => format!("datasets/{}", utf8_percent_encode(name, PATH)),
            Self::Model(name) => utf8_percent_encode(name, PATH).to_string(),
        }
    }

    /// Below `api/`.
    fn api_place(self) -> String {
        match self {
            Self::Dataset(_) => self.place(),
            Self::Model(_) => format!("models/{}", self.place()),
        }
    }
}

/// Speaks to the hub. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    access: Access,
    patience: Patience,
    purse: Arc<Purse>,
}

/// A text, and the address of the page after it.
#[derive(Debug)]
pub struct Page {
    /// The body.
    pub text: String,
    /// `Link: <…>; rel="next"`.
    pub next: Option<String>,
}

/// One try that failed.
struct Trouble {
    error: HubError,
    /// What the server asks to wait.
    asked: Option<Duration>,
}

impl Client {
    /// A client with a purse without end.
    pub fn new(access: Access, patience: Patience) -> Self {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!("dfr/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_send_request(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .timeout_recv_body(Some(BODY))
            .build()
            .new_agent();
        Self { agent, access, patience, purse: Arc::new(Purse::unlimited()) }
    }

    /// Bytes that this client and its clones received.
    pub fn spent(&self) -> u64 {
        self.purse.spent()
    }

    /// The same client, whose bytes come out of `purse`.
    pub fn with_purse(&self, purse: Arc<Purse>) -> Self {
        Self { purse, ..self.clone() }
    }

    /// Address of a file of a repository.
    pub fn file_url(&self, repository: Repository, file: &str) -> String {
        let (place, file) = (repository.place(), utf8_percent_encode(file, PATH));
        format!("{}/{place}/resolve/main/{file}", self.access.endpoint)
    }

    /// Address of the listing of a repository.
    pub fn tree_url(&self, repository: Repository) -> String {
        let place = repository.api_place();
        format!("{}/api/{place}/tree/main?recursive=true", self.access.endpoint)
    }

    /// The address of a next page, at this endpoint: a mirror may repeat the addresses of its source.
    pub fn at_endpoint(&self, link: &str) -> String {
        let path = link
            .split_once("://")
            .map_or(link, |(_, rest)| rest.find('/').map_or("", |slash| &rest[slash..]));
        format!("{}{path}", self.access.endpoint)
    }

    /// A text.
    ///
    /// # Errors
    /// [`HubError`], after the tries that its kind deserves.
    pub fn text(&self, url: &str) -> Result<Page, HubError> {
        self.patiently(|_| {
            let mut response = self.send(url, None)?;
            let next = response.headers().get("link").and_then(|link| next(link.to_str().ok()?));
            let body = response.body_mut().with_config().limit(TEXT_BYTES).read_to_string();
            let text = body.map_err(|error| unreachable(url, &error))?;
            self.purse.settle(0, text.len() as u64);
            Ok(Page { text, next })
        })
    }

    /// `len` bytes from `start` on. After a cut, what is missing is asked for and nothing else.
    ///
    /// # Errors
    /// [`HubError`], after the tries that its kind deserves.
    pub fn range(&self, url: &str, start: u64, len: u64) -> Result<Vec<u8>, HubError> {
        let mut bytes = Vec::new();
        self.patiently(|failures| {
            let before = bytes.len();
            let done = self.continue_range(url, (start, len), &mut bytes);
            if bytes.len() - before >= PROGRESS_BYTES {
                *failures = 0;
            }
            done
        })?;
        Ok(bytes)
    }

    fn continue_range(
        &self,
        url: &str,
        (start, len): (u64, u64),
        bytes: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let have = bytes.len() as u64;
        let missing = len - have;
        if missing == 0 {
            return Ok(());
        }
        if !self.purse.reserve(missing) {
            return Err(HubError::Budget.into());
        }
        let done = self.receive(url, (start + have, missing), bytes);
        self.purse.settle(missing, bytes.len() as u64 - have);
        done
    }

    fn receive(
        &self,
        url: &str,
        (start, len): (u64, u64),
        bytes: &mut Vec<u8>,
    ) -> Result<(), Trouble> {
        let range = format!("bytes={start}-{}", start + len - 1);
        let mut response = self.send(url, Some(&range))?;
        if response.status().as_u16() != 206 && start != 0 {
            return Err(HubError::NoRanges { url: url.to_owned() }.into());
        }
        let before = bytes.len() as u64;
        let body = response.body_mut().as_reader().take(len).read_to_end(bytes);
        body.map_err(|error| unreachable(url, &error))?;
        if bytes.len() as u64 - before < len {
            return Err(unreachable(url, &"the connection was cut"));
        }
        Ok(())
    }

    /// Repeats what may succeed later. `once` is given the failures in a row, and may set them back.
    fn patiently<T>(
        &self,
        mut once: impl FnMut(&mut u32) -> Result<T, Trouble>,
    ) -> Result<T, HubError> {
        let mut failures = 0;
        loop {
            let Trouble { error, asked } = match once(&mut failures) {
                Ok(done) => return Ok(done),
                Err(trouble) => trouble,
            };
            failures += 1;
            // Without a seed: what must differ between machines cannot have one.
            let wait = self.patience.wait(failures, asked, rand::random());
            match wait.filter(|_| error.passes()) {
                Some(wait) => thread::sleep(wait),
                None => return Err(error),
            }
        }
    }

    fn send(&self, url: &str, range: Option<&str>) -> Result<ureq::http::Response<Body>, Trouble> {
        let mut request = self.agent.get(url);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let ours =
            url.strip_prefix(&self.access.endpoint).is_some_and(|path| path.starts_with('/'));
        if let (Some(Token(token)), true) = (&self.access.token, ours) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| unreachable(url, &error))?;
        match response.status().as_u16() {
            200 | 206 => Ok(response),
            status => Err(refusal(url, status, response.headers())),
        }
    }
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Self {
        Self { error, asked: None }
    }
}

fn unreachable(url: &str, reason: &dyn fmt::Display) -> Trouble {
    HubError::Unreachable { url: url.to_owned(), reason: reason.to_string() }.into()
}

fn refusal(url: &str, status: u16, headers: &HeaderMap) -> Trouble {
    let asked = headers.get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
    let url = url.to_owned();
    let error = match status {
        401 | 403 => HubError::Gated { url, status },
        404 | 410 => HubError::Missing { url, status },
        429 => HubError::RateLimited { url, wait: asked },
        500..=599 => HubError::Server { url, status },
        _ => HubError::Refused { url, status },
    };
    Trouble { error, asked }
}

/// The target of `<…>; rel="next"` in a Link header.
fn next(link: &str) -> Option<String> {
    let one = link.split(',').find(|one| one.contains("rel=\"next\""))?;
    let (_, rest) = one.split_once('<')?;
    rest.split_once('>').map(|(target, _)| target.to_owned())
}
