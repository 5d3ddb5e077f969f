//! Which of the decoded files show the same as one that was seen before.

use dfr_contract::pack::LeftOut;

use crate::fingerprint::record::{Line, Record};
use crate::fingerprint::search::{self, Seen};
use crate::pack::records::Stored;
use crate::split;

/// Adds what is new to the record and names what repeats something that was there before it.
///
/// New files come in the order of their public rank, which prefers no class and no data set.
pub fn find(record: &mut Record, stored: &[Stored]) -> Vec<LeftOut> {
    let mut files: Vec<&Stored> = stored.iter().collect();
    files.sort_by_cached_key(|stored| {
        let id = stored.item.file.id();
        (split::rank(&id), id)
    });
    let line =
        |s: &&Stored| Line::new(&s.item.sha256, &s.item.file.recording, s.fingerprint.clone());
    let ranks: Vec<usize> = files.iter().map(|file| record.rank(line(file))).collect();
    let mut ranked: Vec<(usize, &Stored)> = ranks.into_iter().zip(files).collect();
    // Stable: files with one line in the record keep their order.
    ranked.sort_by_key(|(rank, _)| *rank);
    let seen: Vec<Seen> = ranked.iter().map(|(_, stored)| seen(stored)).collect();
    let found = search::duplicates(&seen).into_iter().enumerate();
    found.filter_map(|(at, first)| Some(left_out(ranked[at].1, ranked[first?].1))).collect()
}

fn seen<'a>(stored: &'a Stored<'a>) -> Seen<'a> {
    let item = stored.item;
    let fingerprint = &stored.fingerprint;
    Seen { sha256: &item.sha256, recording: &item.file.recording, fingerprint }
}

fn left_out(later: &Stored, first: &Stored) -> LeftOut {
    let (file, first_file) = (later.item.file.id(), first.item.file.id());
    let class = if later.item.label == first.item.label { "" } else { ", of the other class" };
    let reason = format!("shows the same as {first_file}{class}");
    LeftOut { file, reason, duplicate_of: Some(first_file) }
}
