//! `dfr audit`: what tells the classes of a pack apart besides its content.

use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_media::audit;

use crate::cli::Audit;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::task::Task;
use crate::train::find_pack;

/// Runs the command; the exit code says whether the pack passes.
pub fn run(request: &Audit, settings: &Settings) -> Result<u8, Failure> {
    let task = Task::find(request.task.as_deref(), request.modality, Source::Downloaded)?;
    let pack = find_pack(&task, settings)?;
    let report = audit::pack(&pack)?;
    print!("{report}");
    Ok(if report.passes() { exit::OK } else { exit::TELLS })
}
