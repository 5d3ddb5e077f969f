//! What goes where in a pack, before anything is decoded. Pure.

use std::collections::HashSet;

use dfr_contract::input::InputSpec;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{LeftOut, Part, SourceCount, VERSION};

use crate::catalogue::{Entry, MediaFile};
use crate::split;

/// Hex digits of the content hash in a pack's name: enough that two never meet.
const NAME_DIGITS: usize = 32;

/// One file on its way into a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it is and what it was made from.
    pub file: MediaFile,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Class word of its data set.
    pub media_type: String,
    /// 0 real, 1 synthetic.
    pub label: u8,
    /// Where it goes.
    pub part: Part,
}

/// Everything that will be decoded, in the order in which it is stored.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Kind of media.
    pub modality: Modality,
    /// What a record holds.
    pub input: InputSpec,
    /// Shuffled within each part by a keyed hash of the file's name.
    pub items: Vec<Item>,
    /// What will not even be tried.
    pub left_out: Vec<LeftOut>,
}

/// What was found in the cache.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Files with their data set and hash.
    pub files: Vec<(Entry, MediaFile, String)>,
    /// What is no readable file.
    pub left_out: Vec<LeftOut>,
}

impl Plan {
    /// Plans a pack from files and their hashes (in the same order) of configured data sets.
    pub fn new(modality: Modality, input: &InputSpec, gathered: Gathered) -> Self {
        let item = |(entry, file, sha256): (Entry, MediaFile, String)| Item {
            part: split::part_of(&file.recording, &input.splits),
            label: entry.label(),
            media_type: entry.media_type().to_owned(),
            sha256,
            file,
        };
        let mut items: Vec<Item> = gathered.files.into_iter().map(item).collect();
        items.sort_by_cached_key(|item| (item.part, split::shuffle_key(&item.file.id())));
        Self { modality, input: input.clone(), items, left_out: gathered.left_out }
    }

    /// Bytes of the records if every file can be decoded.
    pub fn record_bytes(&self) -> u64 {
        self.input.record_shape().iter().product::<u64>() * self.items.len() as u64
    }

    /// Items of one part, in stored order.
    pub fn part(&self, part: Part) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.part == part)
    }
}

/// Hash over all that decides a pack's bytes; its name. Depends on every file's bytes, recording and
/// label, on which of them are left out, on the input and on the layout, and on the order of nothing.
pub fn content_hash(plan: &Plan, left_out: &[LeftOut]) -> String {
    let lost: HashSet<&str> = left_out.iter().map(|l| l.file.as_str()).collect();
    let line = |i: &Item| {
        let state = if lost.contains(i.file.id().as_str()) { "left out\t" } else { "" };
        let (id, recording) = (i.file.id(), &i.file.recording);
        format!("{state}{id}\t{recording}\t{}\t{}", i.media_type, i.sha256)
    };
    let untried = plan.left_out.iter().map(|l| format!("untried\t{}", l.file));
    let mut lines: Vec<String> = plan.items.iter().map(line).chain(untried).collect();
    lines.sort();
    let head = format!("version {VERSION}\n{}\n{:?}\n", plan.modality, plan.input);
    let mut hash = blake3::hash((head + &lines.join("\n")).as_bytes()).to_hex().to_string();
    hash.truncate(NAME_DIGITS);
    hash
}

/// Records by data set and part, data sets sorted by name.
pub fn count_sources<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<SourceCount> {
    let mut sources: Vec<SourceCount> = Vec::new();
    for item in items {
        let known = sources.iter().position(|source| source.dataset == item.file.dataset);
        let at = known.unwrap_or_else(|| {
            sources.push(SourceCount {
                dataset: item.file.dataset.clone(),
                media_type: item.media_type.clone(),
                records: [0; 3],
            });
            sources.len() - 1
        });
        sources[at].records[item.part as usize] += 1;
    }
    sources.sort_by(|a, b| a.dataset.cmp(&b.dataset));
    sources
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
