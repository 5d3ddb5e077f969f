//! A session that begins where another one had come to.

use anyhow::anyhow;

use super::known;
use crate::experiment::Legacy;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook;
use crate::report::short;
use crate::repository::Repository;
use crate::settings::Settings;
use crate::task::Task;

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
    if !repository.has(&commit) {
        let error = anyhow!("{} of session {tag} is not in this repository", short(&commit));
        return Err(Failure::new(Kind::Configuration, error)
            .hint(format!("dfr-daemon recover --tag {tag} puts back what can be had")));
    }
    let notes = notebook::legacy(&history);
    Ok(Legacy { tag: tag.to_owned(), experiment, commit, notes })
}
