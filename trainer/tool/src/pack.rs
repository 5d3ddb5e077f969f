//! From data sets to a pack, and what is said about it. Shared by `dfr prepare` and `dfr seal`.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use dfr_contract::exit;
use dfr_contract::pack::{LeftOut, PackHeader, Part, SourceCount};
use dfr_media::catalogue::Entry;
use dfr_media::decode::{Decoder, LIMIT};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::pack::plan::Plan;
use dfr_media::pack::write::{self, Pack};
use dfr_media::vault::Vault;

use crate::failure::Failure;
use crate::progress::Counter;
use crate::task::Task;
use crate::worker;

/// Where things are.
pub struct Places<'a> {
    /// Root that the media lie below; nothing is written there unless it is the other root too.
    pub data: &'a Path,
    /// Root that packs and the vault lie below.
    pub root: &'a Path,
    /// The program that decodes.
    pub ffmpeg: &'a Ffmpeg,
}

/// A worker pool; one worker per core where nothing is said.
pub fn pool(workers: Option<NonZeroUsize>) -> Result<rayon::ThreadPool, Failure> {
    // 0 lets rayon take one per core.
    let workers = workers.map_or(0, NonZeroUsize::get);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
    pool.map_err(|error| Failure::Workers(workers, error))
}

/// Makes the task's pack of the data sets and tells what is in it; the exit code says whether there
/// were files that could not be used.
pub fn make(places: &Places, task: &Task, entries: &[Entry]) -> Result<u8, Failure> {
    let gathered = dfr_media::pack::gather(places.data, task.modality, entries)?;
    let vault = Vault::open(places.root)?;
    let plan = Plan::new(task.modality, &task.input, gathered, &vault.secret()?)?;
    let megabytes = plan.record_bytes() >> 20;
    println!("pack for task {}: {} files, {megabytes} MB", task.name, plan.items.len());
    let workers = worker::pool()?;
    let ask = |request: &[u8]| workers.ask(request);
    let decoder = Decoder { ffmpeg: places.ffmpeg, ask: &ask, input: &task.input, limit: LIMIT };
    let counter = Counter::new("decoding", plan.items.len() as u64);
    let pack = write::write(&vault, &plan, &decoder, &|| counter.advance())?;
    write::tell_data(&pack.dir, places.data, places.root)?;
    drop(counter);
    print!("{}", report(&pack, plan.cut));
    let unusable = pack.header.left_out.iter().any(|l| l.duplicate_of.is_none());
    Ok(if unusable { exit::PARTIAL } else { exit::OK })
}

/// What there is to say about a pack; `cut` files of train are beyond the task's `max_per_class`.
fn report(pack: &Pack, cut: usize) -> String {
    let state = if pack.reused { "is complete" } else { "written" };
    let mut text = format!("pack {state}: {} in {}\n", counts(&pack.header), pack.dir.display());
    text += &table(&pack.header.sources);
    text += &pack.audit.to_string();
    for LeftOut { file, reason, .. } in &pack.header.left_out {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "left out {file}: {reason}");
    }
    let repeated = pack.header.left_out.iter().filter(|l| l.duplicate_of.is_some()).count();
    let unusable = pack.header.left_out.len() - repeated;
    let sums = [
        (unusable, "files were left out: they could not be used"),
        (repeated, "files were left out: near-duplicates of an earlier one"),
        (cut, "files of train were not used: max_per_class of the task"),
    ];
    for (count, what) in sums.into_iter().filter(|(count, _)| *count > 0) {
        let _ = writeln!(text, "{count} {what}");
    }
    text
}

fn counts(header: &PackHeader) -> String {
    let of = |part: Part| header.sources.iter().map(|s| s.records[part as usize]).sum::<u64>();
    Part::ALL.map(|part| format!("{} {}", of(part), part.as_str())).join(", ")
}

/// Records by source, then by class.
fn table(sources: &[SourceCount]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, media_type: &str, columns: [String; 3]| {
        let [train, validation, holdout] = columns;
        let _ = writeln!(
            text,
            "  {name:<35} {media_type:<13} {train:>8} {validation:>10} {holdout:>8}"
        );
    };
    line("source", "class", Part::ALL.map(|part| part.as_str().to_owned()));
    for SourceCount { dataset, media_type, records } in sources {
        line(dataset, media_type, records.map(|n| n.to_string()));
    }
    for (class, is_real) in [("real", true), ("synthetic", false)] {
        let of_class = || sources.iter().filter(|s| (s.media_type == "real") == is_real);
        let sum =
            |part: Part| of_class().map(|s| s.records[part as usize]).sum::<u64>().to_string();
        line("total", class, Part::ALL.map(sum));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_classes_are_counted_by_part() {
        let source = |dataset: &str, media_type: &str, records| SourceCount {
            dataset: dataset.to_owned(),
            media_type: media_type.to_owned(),
            records,
        };
        let sources = [
            source("camera", "real", [80, 10, 11]),
            source("faces", "semisynthetic", [7, 1, 0]),
            source("model", "synthetic", [70, 8, 9]),
        ];
        let text = table(&sources);
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["source", "class", "train", "validation", "holdout"]);
        assert_eq!(rows[2], ["faces", "semisynthetic", "7", "1", "0"]);
        assert_eq!(rows[4], ["total", "real", "80", "10", "11"]);
        assert_eq!(rows[5], ["total", "synthetic", "77", "9", "9"]);
    }
}
