//! Many data sets at a time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use dfr_contract::modality::Modality;

use super::fetch::{self, Order, Outcome};
use crate::catalogue::Entry;
use crate::files::{self, FileError};
use crate::hub::budget::Budget;
use crate::hub::client::Client;

/// Who is told how it goes, from any thread.
pub trait Watch: Sync {
    /// A data set is looked at.
    fn begin(&self, name: &str);
    /// A sample of it was stored.
    fn advance(&self, name: &str);
    /// It is done with.
    fn end(&self, outcome: &Outcome);
}

/// What is to be fetched, by how many, for how much.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Cache root.
    pub root: &'a Path,
    /// Kind of media.
    pub modality: Modality,
    /// Samples that each data set shall have.
    pub wanted: usize,
    /// Data sets at a time.
    pub workers: usize,
    /// Bytes that may be fetched in all.
    pub bytes: u64,
}

/// Fetches what is missing of all data sets; what became of each, in their order. Two of these below
/// one root wait for each other.
///
/// # Errors
/// The disk, before anything was fetched.
pub fn fetch(
    plan: &Plan<'_>,
    entries: &[Entry],
    client: &Client,
    watch: &dyn Watch,
) -> Result<Vec<Outcome>, FileError> {
    let _lock = files::lock(&plan.root.join("datasets"))?;
    let turns = turns(entries);
    let budget = Budget::new(plan.bytes, entries.len());
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some(index) = turns.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = one(plan, &entries[*index], (client, &budget), watch);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((*index, outcome));
        }
    };
    thread::scope(|scope| {
        for _ in 0..plan.workers.min(entries.len()) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, outcome)| outcome).collect())
}

fn one(
    plan: &Plan<'_>,
    entry: &Entry,
    (client, budget): (&Client, &Budget),
    watch: &dyn Watch,
) -> Outcome {
    watch.begin(&entry.name);
    let order = Order { root: plan.root, modality: plan.modality, wanted: plan.wanted };
    let purse = Arc::new(budget.share());
    let client = client.with_purse(Arc::clone(&purse));
    let outcome = fetch::fetch(order, entry, &client, &|| watch.advance(&entry.name));
    budget.give_back(&purse);
    watch.end(&outcome);
    outcome
}

/// The classes by turns: whatever ends a run early, both are there.
fn turns(entries: &[Entry]) -> Vec<usize> {
    let of = |label: u8| (0..entries.len()).filter(move |i| entries[*i].label() == label);
    let mut order: Vec<(usize, u8, usize)> = [0, 1]
        .into_iter()
        .flat_map(|label| of(label).enumerate().map(move |(turn, index)| (turn, label, index)))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns_and_nothing_is_lost() {
        let entry = |word: &&str| Entry { media_type: Some((*word).into()), ..Entry::default() };
        let entries: Vec<Entry> =
            ["real", "real", "real", "synthetic", "semisynthetic"].iter().map(entry).collect();
        assert_eq!(turns(&entries), [0, 3, 1, 4, 2]);
    }
}
