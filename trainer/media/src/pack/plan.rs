//! What goes where in a pack, before anything is decoded. Pure.

use std::collections::{BTreeSet, HashSet};

use dfr_contract::input::InputSpec;
use dfr_contract::modality::Modality;
use dfr_contract::pack::{LeftOut, Part, REAL, SYNTHETIC, SourceCount, VERSION};

use crate::catalogue::{Entry, MediaFile};
use crate::decode::DECODER;
use crate::secret::Secret;
use crate::split;

/// Why nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A data set that is not there cannot be left out: a misspelt one would stay in train.
    #[error("the task leaves out {name:?}, but there is no such data set; there are {}", .known.join(", "))]
    NoSuchDataSet {
        /// What the task says.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

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
    /// Shuffled within each part by the secret.
    pub items: Vec<Item>,
    /// What will not even be tried.
    pub left_out: Vec<LeftOut>,
    /// Files of train beyond `max_per_class`.
    pub cut: usize,
    secret: Secret,
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
    ///
    /// # Errors
    /// A data set that is to be left out is not there.
    pub fn new(
        modality: Modality,
        input: &InputSpec,
        gathered: Gathered,
        secret: &Secret,
    ) -> Result<Self, PlanError> {
        require_known(&input.leave_out, &gathered)?;
        let mut items = assign(input, gathered.files);
        let found = items.len();
        if let Some(most) = input.max_per_class {
            cut_train(&mut items, most.get() as usize);
        }
        items.sort_by_cached_key(|item| (item.part, secret.order(&item.file.id())));
        let cut = found - items.len();
        let (left_out, secret) = (gathered.left_out, secret.clone());
        Ok(Self { modality, input: input.clone(), items, left_out, cut, secret })
    }

    /// Bytes of the records if every file can be decoded.
    pub fn record_bytes(&self) -> u64 {
        self.items.iter().map(|item| self.input.record_bytes(item.part)).sum()
    }

    /// Items of one part, in stored order.
    pub fn part(&self, part: Part) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.part == part)
    }
}

fn require_known(leave_out: &BTreeSet<String>, gathered: &Gathered) -> Result<(), PlanError> {
    let known: BTreeSet<&String> = gathered.files.iter().map(|(entry, ..)| &entry.name).collect();
    match leave_out.iter().find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(name) => Err(PlanError::NoSuchDataSet {
            name: name.clone(),
            known: known.into_iter().cloned().collect(),
        }),
    }
}

/// Every file to the part of its recording. What was made from the same recording as a file of a
/// data set that is left out goes with it: a recording never lies in two parts.
fn assign(input: &InputSpec, files: Vec<(Entry, MediaFile, String)>) -> Vec<Item> {
    let apart: HashSet<String> = files
        .iter()
        .filter(|(entry, ..)| input.leave_out.contains(&entry.name))
        .map(|(_, file, _)| file.recording.clone())
        .collect();
    let part = |recording: &str| {
        if apart.contains(recording) {
            Part::Holdout
        } else {
            split::part_of(recording, &input.splits)
        }
    };
    let item = |(entry, file, sha256): (Entry, MediaFile, String)| Item {
        part: part(&file.recording),
        label: entry.label(),
        media_type: entry.media_type().to_owned(),
        sha256,
        file,
    };
    files.into_iter().map(item).collect()
}

/// Keeps the first `most` files of each class in train, by their public rank.
fn cut_train(items: &mut Vec<Item>, most: usize) {
    items.sort_by_cached_key(|item| split::rank(&item.file.id()));
    let mut seen = [0; 2];
    items.retain(|item| {
        let count = &mut seen[usize::from(item.label)];
        *count += usize::from(item.part == Part::Train);
        item.part != Part::Train || *count <= most
    });
}

/// Hash over all that decides a pack's bytes; its name. Depends on every file's bytes, recording and
/// label, on which of them are left out, on the input, the layout, the decoder and the secret, and on
/// the order of nothing.
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
    let input = serde_json::to_string(&plan.input).expect("an input is plain data");
    let head = format!("version {VERSION}, decoder {DECODER}\n{}\n{input}\n", plan.modality);
    plan.secret.name(&(head + &lines.join("\n")))
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

/// Records of each class, real first, in one part.
pub fn count_classes<'a>(items: impl Iterator<Item = &'a Item>) -> [usize; 2] {
    let labels: Vec<u8> = items.map(|item| item.label).collect();
    [REAL, SYNTHETIC].map(|class| labels.iter().filter(|label| **label == class).count())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
