//! `dfr prepare`: the data, the pack, the table of what is there.

use std::num::NonZeroUsize;
use std::path::Path;

use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_contract::modality::Modality;
use dfr_media::catalogue::{self, Entry};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::sample::SampleSet;
use dfr_media::sample::write::Made;
use dfr_media::{sample, verify};

use crate::cli::Prepare;
use crate::download;
use crate::failure::Failure;
use crate::pack::{self, Places};
use crate::progress::Counter;
use crate::settings::Settings;
use crate::task::Task;

/// Runs the command; the exit code says whether something was left out.
pub fn run(request: &Prepare, settings: &Settings) -> Result<u8, Failure> {
    let modalities = &request.modality.0;
    if let [modality] = modalities[..] {
        return one(request, settings, modality);
    }
    // One kind of media that cannot be had does not stop the others.
    let mut codes = Vec::new();
    for modality in modalities {
        println!("{modality}:");
        codes.push(one(request, settings, *modality).unwrap_or_else(|failure| {
            eprintln!("dfr: {failure}");
            failure.exit_code()
        }));
    }
    Ok(together(&codes))
}

/// One code for several: what all say, else that something was left out.
fn together(codes: &[u8]) -> u8 {
    match codes {
        [first, others @ ..] if others.iter().all(|code| code == first) => *first,
        _ => exit::PARTIAL,
    }
}

fn one(request: &Prepare, settings: &Settings, modality: Modality) -> Result<u8, Failure> {
    let source = if request.sample { Source::Sample } else { Source::Downloaded };
    let root = settings.data_root(source);
    if request.refresh_configs {
        download::refresh(settings, modality)?;
    }
    if request.verify {
        show(&root, modality, &entries(&root, modality, source)?)?;
    }
    if request.verify || request.refresh_configs {
        return Ok(exit::OK);
    }
    let task = Task::find(request.task.as_deref(), modality, source)?;
    let task = task.require_source(source)?;
    let Prepare { max_samples: samples, max_gb: gigabytes, workers, .. } = *request;
    let fetched = fetch(&task, settings, &Wish { samples, gigabytes, workers })?;
    if fetched == exit::OUTSIDE {
        return Ok(fetched);
    }
    let packed = make_pack(&task, settings, workers)?;
    Ok(if packed == exit::OK { fetched } else { packed })
}

/// How much is to be fetched.
pub struct Wish {
    /// Samples that each data set shall have.
    pub samples: NonZeroUsize,
    /// Gigabytes to fetch at most.
    pub gigabytes: Option<f64>,
    /// Data sets fetched, or files made, at a time.
    pub workers: Option<NonZeroUsize>,
}

/// Fetches what is missing of a task's data, or makes it; the exit code says whether something was left out.
pub fn fetch(task: &Task, settings: &Settings, wish: &Wish) -> Result<u8, Failure> {
    let (modality, root) = (task.modality, settings.data_root(task.input.source));
    // Before hours of fetching: without it there is no pack.
    let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
    match task.input.source {
        Source::Sample => {
            pack::pool(wish.workers)?.install(|| make_sample(&root, modality, &ffmpeg))?;
            Ok(exit::OK)
        }
        Source::Downloaded => {
            download::need_configs(settings, modality, local(modality).as_deref())?;
            let entries = entries(&root, modality, Source::Downloaded)?;
            download::run(wish, settings, (modality, &entries))
        }
    }
}

/// Makes a task's pack of all its data that is there; the exit code says whether some of it was left out.
pub fn make_pack(
    task: &Task,
    settings: &Settings,
    workers: Option<NonZeroUsize>,
) -> Result<u8, Failure> {
    let root = settings.data_root(task.input.source);
    let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
    let entries = entries(&root, task.modality, task.input.source)?;
    let places = Places { data: &root, root: &root, ffmpeg: &ffmpeg };
    pack::pool(workers)?.install(|| pack::make(&places, task, &entries))
}

fn show(root: &Path, modality: Modality, entries: &[Entry]) -> Result<(), Failure> {
    let rows = verify::rows(root, modality, entries)?;
    print!("{}", verify::table(modality, &rows));
    let problems = verify::problems(root, modality, entries)?;
    for problem in &problems {
        println!("  problem: {problem}");
    }
    Ok(())
}

/// The working directory's configuration, where there is one.
fn local(modality: Modality) -> Option<std::path::PathBuf> {
    Some(Path::new("datasets").join(format!("{modality}.yaml"))).filter(|path| path.is_file())
}

/// The working directory's `datasets/<modality>.yaml` adds to downloaded data only.
fn entries(root: &Path, modality: Modality, source: Source) -> Result<Vec<Entry>, Failure> {
    let local = local(modality).filter(|_| source == Source::Downloaded);
    Ok(catalogue::read_entries(root, modality, local.as_deref())?)
}

fn make_sample(root: &Path, modality: Modality, ffmpeg: &Ffmpeg) -> Result<(), Failure> {
    let set = SampleSet::standard(modality);
    let counter = Counter::new("making files", set.files());
    let made = sample::write::make(root, set, ffmpeg, &|| counter.advance())?;
    drop(counter);
    let state = match made {
        Made::Already => "is complete",
        Made::Now => "made",
    };
    println!("sample set {state}: {} {modality} files in {}", set.files(), root.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_kinds_of_media_have_one_code() {
        assert_eq!(together(&[exit::OK, exit::OK]), exit::OK);
        assert_eq!(together(&[exit::OUTSIDE, exit::OUTSIDE]), exit::OUTSIDE);
        assert_eq!(together(&[exit::OK, exit::OUTSIDE]), exit::PARTIAL);
    }
}
