//! Structured logs: JSON lines for machines in `daemon.jsonl`, readable lines on standard error.
//! [tracing-subscriber] `RUST_LOG` filters both.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// File name below the session's directory.
pub const FILE: &str = "daemon.jsonl";

/// What is logged when nobody says otherwise.
const DEFAULT: &str = "info,sqlx=warn";

/// Starts logging for a session.
///
/// # Errors
/// The log file cannot be opened, or the filter cannot be understood.
pub fn start(directory: &Path, filter: Option<&str>) -> io::Result<()> {
    let filter = || {
        EnvFilter::try_new(filter.unwrap_or(DEFAULT))
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    };
    let file: File = OpenOptions::new().create(true).append(true).open(directory.join(FILE))?;
    let machines = fmt::layer().json().with_writer(Mutex::new(file)).with_filter(filter()?);
    let people = fmt::layer()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_filter(filter()?);
    tracing_subscriber::registry().with(machines).with(people).try_init().map_err(io::Error::other)
}
