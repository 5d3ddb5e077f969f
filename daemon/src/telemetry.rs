//! Structured logs: JSON lines for machines in `daemon.jsonl`, readable lines on standard error.
//! [tracing-subscriber] `RUST_LOG` filters both.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Filter as Filters, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::terminal::Terminal;

mod rotation;

use rotation::Rotating;

/// File name below the session's directory. Three older ones lie beside it, from `.1` to `.3`.
pub const FILE: &str = "daemon.jsonl";
/// Bytes after which a new file is begun.
const MOST_BYTES: u64 = 64 << 20;

/// What is logged when nobody says otherwise.
const DEFAULT: &str = "info,sqlx=warn";

/// Target of what the endpoint's client logs.
const CLIENT: &str = "async_openai";

/// What is logged; known to be well-formed.
#[derive(Clone, Debug)]
pub struct Filter(String);

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A text that filters nothing.
    #[error("RUST_LOG={text:?} is no log filter ({reason}); try debug, or dfr_daemon=debug")]
    Filter {
        /// As given.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// The file cannot be opened.
    #[error("cannot open the log {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Filter {
    /// The default, or the filter that a human asked for.
    ///
    /// # Errors
    /// It cannot be understood.
    pub fn parse(text: Option<&str>) -> Result<Self, TelemetryError> {
        let text = text.unwrap_or(DEFAULT);
        EnvFilter::try_new(text).map(|_| Self(text.to_owned())).map_err(|error| {
            TelemetryError::Filter { text: text.to_owned(), reason: error.to_string() }
        })
    }

    /// Never what the client of the endpoint logs by itself: whole answers, in which a proxy may
    /// quote the key.
    fn make<S>(&self) -> impl Filters<S> + use<S> {
        EnvFilter::new(&self.0).and(filter_fn(|event| !event.target().starts_with(CLIENT)))
    }
}

/// Starts logging for a session. A program logs once: a second start changes nothing.
///
/// # Errors
/// The log file cannot be opened.
pub fn start(directory: &Path, filter: &Filter) -> Result<(), TelemetryError> {
    let path = directory.join(FILE);
    let file = Rotating::open(&path, MOST_BYTES)
        .map_err(|source| TelemetryError::Open { path, source })?;
    let machines = fmt::layer().json().with_writer(Mutex::new(file)).with_filter(filter.make());
    let people = fmt::layer()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| Terminal)
        .with_filter(filter.make());
    let _ = tracing_subscriber::registry().with(machines).with(people).try_init();
    Ok(())
}
