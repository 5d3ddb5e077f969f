//! `dfr prepare`: the data, the pack, the table of what is there.

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
    match source {
        Source::Sample => make_sample_pack(request, settings, modality),
        Source::Downloaded => make_downloaded_pack(request, settings, modality),
    }
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

fn make_sample_pack(
    request: &Prepare,
    settings: &Settings,
    modality: Modality,
) -> Result<u8, Failure> {
    let task = Task::find(request.task.as_deref(), modality, Source::Sample)?;
    let task = task.require_source(Source::Sample)?;
    let root = settings.data_root(Source::Sample);
    let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
    pack::pool(request.workers)?.install(|| {
        make_sample(&root, modality, &ffmpeg)?;
        let entries = entries(&root, task.modality, Source::Sample)?;
        pack::make(&Places { data: &root, root: &root, ffmpeg: &ffmpeg }, &task, &entries)
    })
}

fn make_downloaded_pack(
    request: &Prepare,
    settings: &Settings,
    modality: Modality,
) -> Result<u8, Failure> {
    let task = Task::find(request.task.as_deref(), modality, Source::Downloaded)?;
    let task = task.require_source(Source::Downloaded)?;
    // Before hours of fetching: without it there is no pack.
    let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
    let root = settings.data_root(Source::Downloaded);
    download::need_configs(settings, modality, local(modality).as_deref())?;
    let entries = entries(&root, modality, Source::Downloaded)?;
    let fetched = download::run(request, settings, (modality, &entries))?;
    if fetched == exit::OUTSIDE {
        return Ok(fetched);
    }
    let places = Places { data: &root, root: &root, ffmpeg: &ffmpeg };
    let packed = pack::pool(request.workers)?.install(|| pack::make(&places, &task, &entries))?;
    Ok(if packed == exit::OK { fetched } else { packed })
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
