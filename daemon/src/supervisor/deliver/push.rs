//! The archive of a keep goes to the competition.

use std::path::Path;
use std::time::Duration;

use super::super::by_hand;
use super::keep::{Keep, text};
use super::{hand_over, said, stop_at_once};
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

/// The program that pushes has a limit of its own.
const LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Hands the archive of a keep, the best one where none is named, or of its full training, to the program that
/// submits it; `more` goes to that program as it is. What it notes comes into the session's ledger. Says that
/// program's exit code.
///
/// # Errors
/// There is no such keep, or nothing says how.
pub async fn submit(
    settings: &Settings,
    ((experiment, in_full), more): ((Option<u32>, bool), &[String]),
) -> Result<u8, Failure> {
    let keep = Keep::find(settings, experiment).await?;
    let noted = keep.notebook.submissions();
    let mut places = keep.own_places();
    places.insert("submissions", text(&noted));
    if in_full {
        places.insert("name", keep.name_in_full());
    }
    let command = said(&keep.task, "push", keep.task.deliver.push.as_ref()).map_err(|failure| {
        let (name, noted) = (&places["name"], noted.display());
        failure.hint(format!(
            "or dfr push with --name {name} --record {noted}: it is taken in from there"
        ))
    })?;
    let before = bytes(&noted);
    let ended = hand_over(command, (&places, more), (LIMIT, stop_at_once()?)).await;
    if bytes(&noted) > before {
        take_in(settings, &keep.session.begun.tag).await;
    }
    ended
}

fn bytes(file: &Path) -> u64 {
    file.metadata().map_or(0, |file| file.len())
}

/// What was noted stays, whatever stands in the way now.
async fn take_in(settings: &Settings, tag: &str) {
    match by_hand::take_in(&settings.locations, tag).await {
        Ok(told) => told.iter().for_each(|line| eprintln!("{line}")),
        Err(failure) if failure.kind == Kind::Configuration => {
            eprintln!("the daemon of {tag} is at work, and takes this into its ledger");
        }
        Err(failure) => eprintln!("the next start of {tag} takes this into its ledger: {failure}"),
    }
}
