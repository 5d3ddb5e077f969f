//! `dfr prepare`: the sample set, the pack, the table of what is there.

use std::path::Path;

use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_contract::modality::Modality;
use dfr_media::catalogue::{self, Entry};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::sample::write::Made;
use dfr_media::{sample, verify};

use crate::cli::Prepare;
use crate::failure::Failure;
use crate::pack::{self, Places};
use crate::progress::Counter;
use crate::settings::Settings;
use crate::task::Task;

/// Runs the command; the exit code says whether files were left out.
pub fn run(request: &Prepare, settings: &Settings) -> Result<u8, Failure> {
    let source = if request.sample { Source::Sample } else { Source::Downloaded };
    let root = settings.data_root(source);
    if request.verify {
        let entries = entries(&root, request.modality, source)?;
        let rows = verify::rows(&root, request.modality, &entries)?;
        print!("{}", verify::table(request.modality, &rows));
        return Ok(exit::OK);
    }
    let task = Task::find(request.task.as_deref(), request.modality, source)?;
    let task = task.require_source(source)?;
    let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
    pack::pool(request.workers)?.install(|| {
        if request.sample {
            make_sample(&root, &ffmpeg)?;
        }
        let entries = entries(&root, task.modality, source)?;
        pack::make(&Places { data: &root, root: &root, ffmpeg: &ffmpeg }, &task, &entries)
    })
}

/// The working directory's `datasets/<modality>.yaml` adds to downloaded data only.
fn entries(root: &Path, modality: Modality, source: Source) -> Result<Vec<Entry>, Failure> {
    let local = Path::new("datasets").join(format!("{modality}.yaml"));
    let local = (source == Source::Downloaded).then_some(local.as_path());
    Ok(catalogue::read_entries(root, modality, local)?)
}

fn make_sample(root: &Path, ffmpeg: &Ffmpeg) -> Result<(), Failure> {
    let set = sample::STANDARD;
    let counter = Counter::new("making clips", set.clips());
    let made = sample::write::make(root, set, ffmpeg, &|| counter.advance())?;
    drop(counter);
    let state = match made {
        Made::Already => "is complete",
        Made::Now => "made",
    };
    println!("sample set {state}: {} clips in {}", set.clips(), root.display());
    Ok(())
}
