//! `dfr prepare`: the sample set, the pack, the table of what is there.

use std::path::Path;

use dfr_contract::exit;
use dfr_contract::input::Source;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{PackHeader, Part};
use dfr_media::catalogue::{self, Entry};
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::pack::plan::Plan;
use dfr_media::pack::write::Pack;
use dfr_media::sample::write::Made;
use dfr_media::{pack, sample, verify};

use crate::cli::Prepare;
use crate::failure::Failure;
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
    pool(request)?.install(|| {
        if request.sample {
            make_sample(&root, &ffmpeg)?;
        }
        make_pack(&root, &task, &ffmpeg)
    })
}

fn pool(request: &Prepare) -> Result<rayon::ThreadPool, Failure> {
    // 0 lets rayon take one per core.
    let workers = request.workers.map_or(0, std::num::NonZero::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    pool.map_err(|error| Failure::Workers(workers, error))
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

fn make_pack(root: &Path, task: &Task, ffmpeg: &Ffmpeg) -> Result<u8, Failure> {
    let entries = entries(root, task.modality, task.input.source)?;
    let gathered = pack::gather(root, task.modality, &entries)?;
    let plan = Plan::new(task.modality, &task.input, gathered);
    let megabytes = plan.record_bytes() >> 20;
    println!("pack for task {}: {} files, {megabytes} MB", task.name, plan.items.len());
    let decoder = Decoder { ffmpeg, input: &task.input, limit: LIMIT };
    let counter = Counter::new("decoding", plan.items.len() as u64);
    let pack = pack::write::write(root, &plan, &decoder, &|| counter.advance())?;
    drop(counter);
    report(&pack);
    Ok(if pack.header.left_out.is_empty() { exit::OK } else { exit::PARTIAL })
}

fn report(pack: &Pack) {
    let state = if pack.reused { "is complete" } else { "written" };
    println!("pack {state}: {} in {}", counts(&pack.header), pack.dir.display());
    for left_out in &pack.header.left_out {
        println!("left out {}: {}", left_out.file, left_out.reason);
    }
    if !pack.header.left_out.is_empty() {
        println!("{} files were left out", pack.header.left_out.len());
    }
}

fn counts(header: &PackHeader) -> String {
    let of = |part: Part| header.sources.iter().map(|s| s.records[part as usize]).sum::<u64>();
    Part::ALL.map(|part| format!("{} {}", of(part), part.as_str())).join(", ")
}
