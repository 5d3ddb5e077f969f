//! What is known of sessions, for commands that name one.

use std::path::Path;

use anyhow::anyhow;

use crate::experiment::{History, Row, Verdict};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::{Ledger, LedgerError};
use crate::session::Session;

/// The ledger, to be read alone.
///
/// # Errors
/// There is none, or it cannot be read.
pub async fn ledger(path: &Path) -> Result<Ledger, Failure> {
    Ledger::open_read_only(path).await.map_err(|error| match error {
        LedgerError::NotThere { .. } => Failure::new(Kind::Configuration, error)
            .hint("no session was started here yet; --repo or --state-dir names another place"),
        _ => Failure::new(Kind::Outside, error),
    })
}

/// The session of this name.
///
/// # Errors
/// The ledger knows none, or cannot be read.
pub async fn session(ledger: &Ledger, tag: &str) -> Result<Session, Failure> {
    ledger.session(tag).await.or_outside()?.ok_or_else(|| {
        Failure::new(Kind::Configuration, anyhow!("no session {tag}"))
            .hint("dfr-daemon list shows those that are")
    })
}

/// The keep of this number.
///
/// # Errors
/// It is none; those that are, by number.
pub(super) fn keep<'a>(
    history: &'a History,
    (tag, experiment): (&str, u32),
) -> Result<&'a Row, Failure> {
    let keeps = || history.decided().filter(|row| row.verdict == Verdict::Keep);
    keeps().find(|row| row.experiment == experiment).ok_or_else(|| {
        let all: Vec<_> = keeps().map(|row| row.experiment.to_string()).collect();
        let error = anyhow!("experiment {experiment} of {tag} was not kept");
        Failure::new(Kind::Configuration, error).hint(format!("kept were: {}", all.join(", ")))
    })
}
