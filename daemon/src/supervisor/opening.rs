//! What the ledger knows of a session before it begins or goes on.

use std::path::Path;

use anyhow::anyhow;

use super::checks::Found;
use crate::clock;
use crate::experiment::History;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::session::{NewSession, Session};
use crate::settings::Settings;

/// Where the budget stands among a session's settings, in seconds.
const BUDGET: &str = "budget_s";

/// The training budget that a session began with, in seconds.
///
/// # Errors
/// Another one is asked for: scores would not compare.
pub(super) fn budget_s(session: &Session, asked: Option<u64>) -> Result<Option<u64>, Failure> {
    let Some(begun) = session.begun.settings[BUDGET].as_u64() else { return Ok(asked) };
    check_same(&format!("{begun} s"), &format!("{} s", asked.unwrap_or(begun)), "budget")?;
    Ok(Some(begun))
}

/// The session that goes on; none when a new one may begin. Makes nothing.
pub(super) async fn known(
    ledger: &Path,
    found: &Found,
    resume: bool,
) -> Result<Option<Session>, Failure> {
    let session = match ledger.exists() {
        true => Ledger::open(ledger).await.or_outside()?.session(&found.tag).await.or_outside()?,
        false => None,
    };
    match (session, resume) {
        (Some(session), true) => {
            check_same(&session.begun.task, &found.task.name, "task")?;
            check_same(&session.begun.pack_hash, &pack_hash(found), "data")?;
            Ok(Some(session))
        }
        (None, false) => Ok(None),
        (Some(_), false) => {
            let error = anyhow!("the ledger knows session {} already", found.tag);
            Err(Failure::new(Kind::Configuration, error)
                .hint("go on with it (--resume) or choose another --tag"))
        }
        (None, true) => {
            let error = anyhow!("the ledger knows no session {}", found.tag);
            Err(Failure::new(Kind::Configuration, error).hint("start it without --resume"))
        }
    }
}

/// A new session: in the ledger, then as a branch.
pub(super) async fn begin(
    settings: &Settings,
    found: &Found,
    ledger: &Ledger,
) -> Result<(i64, String, History), Failure> {
    let budget_s = settings.budget_s.unwrap_or(found.task.budget.train_s);
    let mut told = settings.told();
    told[BUDGET] = budget_s.into();
    let new = NewSession {
        tag: found.tag.clone(),
        task: found.task.name.clone(),
        modality: found.task.modality,
        base_commit: found.base.clone(),
        pack_hash: pack_hash(found),
        repository: settings.locations.repo.clone(),
        settings: told,
        created_at_ms: clock::wall_ms(),
    };
    let session = ledger.create_session(&new).await.or_outside()?;
    let branch = format!("autoresearch/{}", found.tag);
    found.repository.create_branch(&branch, &found.base, "session start").or_outside()?;
    Ok((session.id, session.begun.base_commit, History::default()))
}

/// The content hash of the data: the name of the pack's directory.
fn pack_hash(found: &Found) -> String {
    let name = found.pack.file_name();
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Scores of one session are comparable only when nothing under them changes.
fn check_same(before: &str, now: &str, what: &str) -> Result<(), Failure> {
    if before == now {
        return Ok(());
    }
    let error = anyhow!("this session's {what} is {before}, not {now}");
    Err(Failure::new(Kind::Configuration, error)
        .hint("scores would not compare; start a new --tag"))
}
