//! Whether a keep could be trained in full now: told before anybody fetches data for it, which takes hours.

use anyhow::anyhow;
use dfr_contract::checked::Checked;

use super::desk::Desk;
use super::full::{Full, Programs};
use super::keep::Keep;
use super::progress::tell;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::settings::Settings;
use crate::supervisor::preflight::{contain, crowded};
use crate::supervisor::slot::Slot;

/// Tries what a full training needs beside its data, and makes nothing. Says, as [`Checked`], which keep it is and
/// for which task it is trained.
///
/// # Errors
/// Those that a full training would end with before its first step.
pub async fn check_in_full(settings: &Settings, full: Full) -> Result<String, Failure> {
    let keep = Keep::find(settings, full.experiment).await?;
    Programs::of(&keep.task)?;
    if full.exports && keep.task.commands.trace.is_none() {
        let error = anyhow!("task {} has no trace under [commands]", keep.task.name);
        return Err(Failure::new(Kind::Configuration, error)
            .hint("--skip-export trains and evaluates it all the same"));
    }
    let (_, project) = keep.examine()?;
    contain(settings)?;
    Desk::require_free(&keep.notebook)?;
    Slot::require_free(&settings.locations.cache, &project).map_err(crowded)?;
    tell(&keep)?;
    let checked = Checked {
        tag: keep.session.begun.tag.clone(),
        experiment: keep.row.experiment,
        modality: keep.task.modality,
        task: keep.task.text.clone(),
    };
    Ok(serde_json::to_string(&checked).or_bug()? + "\n")
}
