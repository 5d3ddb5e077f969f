//! `dfr seal`: a pack of data sets that are there already, by one command.

use std::path::Path;

use dfr_contract::input::Source;
use dfr_media::folders;

use crate::cli::Seal;
use crate::failure::Failure;
use crate::pack::{self, Places};
use crate::settings::Settings;
use crate::task::Task;

/// Runs the command; the exit code says whether files were left out.
pub fn run(request: &Seal, settings: &Settings) -> Result<u8, Failure> {
    let task = Task::find(request.task.as_deref(), request.modality, Source::Downloaded)?;
    let task = task.require_source(Source::Downloaded)?;
    let root = settings.data_root(Source::Downloaded);
    let data = request.data.clone().unwrap_or_else(|| root.clone());
    let local = Path::new("datasets").join(format!("{}.yaml", task.modality));
    let found = folders::find(&data, task.modality, &local, &request.media_type)?;
    if !found.ignored.is_empty() {
        println!("not sealed, as no configuration names them: {}", found.ignored.join(", "));
    }
    let ffmpeg = dfr_media::ffmpeg::Ffmpeg::find(&settings.ffmpeg)?;
    let places = Places { data: &data, root: &root, ffmpeg: &ffmpeg };
    let code =
        pack::pool(request.workers)?.install(|| pack::make(&places, &task, &found.entries))?;
    let cache = settings.cache.display();
    println!("start: DFRESEARCH_CACHE={cache} dfr-daemon --task {} --tag TAG", task.name);
    Ok(code)
}
