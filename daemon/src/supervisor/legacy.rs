//! A session that begins where another one had come to.

use anyhow::anyhow;

use super::known;
use crate::clock;
use crate::experiment::{Entry, History, Legacy};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook;
use crate::report::short;
use crate::repository::Repository;
use crate::session::Session;
use crate::settings::Settings;
use crate::task::Task;

/// What stands in a session's settings of what it takes over.
pub(super) const FROM_TAG: &str = "from_tag";

/// The champion of an earlier session, and what was noted there. Changes nothing.
///
/// # Errors
/// There is no such session, it is about something else, kept nothing, or its commit is not there.
pub(super) async fn find(
    settings: &Settings,
    repository: &Repository,
    (task, tag): (&Task, &str),
) -> Result<Legacy, Failure> {
    let ledger = known::ledger(&settings.locations.ledger()).await?;
    let session = known::session(&ledger, tag).await?;
    let history = ledger.history(session.id).await.or_outside();
    ledger.close().await;
    let history = history?;
    let modality = session.begun.modality;
    if modality != task.modality {
        let error = anyhow!("session {tag} is about {modality}, not {}", task.modality);
        return Err(Failure::new(Kind::Configuration, error)
            .hint("--from-tag names a session of the same modality"));
    }
    let Some(champion) = history.best() else {
        let error = anyhow!("session {tag} has no keep to start from");
        return Err(Failure::new(Kind::Configuration, error)
            .hint("start without --from-tag, or go on with it: --resume"));
    };
    let (experiment, commit) = (champion.experiment, champion.commit.clone());
    let base = trusted(&session.begun.base_commit, &history).to_owned();
    if let Some(missing) = [&commit, &base].into_iter().find(|commit| !repository.has(commit)) {
        let error = anyhow!("{} of session {tag} is not in this repository", short(missing));
        return Err(Failure::new(Kind::Configuration, error)
            .hint(format!("dfr-daemon recover --tag {tag} puts back what can be had")));
    }
    let notes = notebook::legacy(&history);
    Ok(Legacy { tag: tag.to_owned(), experiment, commit, base, notes })
}

/// The commit of people that a session began at, or the one that it took over from did.
pub(super) fn trusted<'a>(base: &'a str, history: &'a History) -> &'a str {
    history.legacy.as_ref().map_or(base, |legacy| &legacy.base)
}

/// Writes down what a session that has just begun takes over: an earlier life may have died before it
/// could.
pub(super) async fn inherit(
    ledger: &Ledger,
    session: &Session,
    history: &mut History,
) -> Result<(), Failure> {
    let told = session.begun.settings.get(FROM_TAG).cloned();
    let legacy = told.and_then(|told| serde_json::from_value::<Legacy>(told).ok());
    let Some(legacy) = legacy.filter(|_| history.legacy.is_none()) else { return Ok(()) };
    let (entry, at_ms) = (Entry::Inherited { legacy }, clock::wall_ms());
    ledger.append(session.id, history.current(), &entry, at_ms).await.or_outside()?;
    history.apply(history.current(), &entry, at_ms).or_bug()
}
