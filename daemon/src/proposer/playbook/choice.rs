//! Which change comes next: single ones by rank, then drawn combinations.

use rand::Rng;
use rand::seq::{IndexedRandom, IteratorRandom};

use super::record::{Change, Record};
use crate::proposer::knobs::Knob;

/// How many later ideas are named.
const NEXT: usize = 2;

/// What to change now.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// At least one change, each of another knob.
    pub changes: Vec<Change>,
    /// What stands next in rank.
    pub next: Vec<Vec<Change>>,
    /// How it was found.
    pub by: Found,
}

/// How a change was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It stands first in rank.
    Rank,
    /// Drawn among those of as few knobs as are left.
    Draw,
    /// All there is was tried, so that this comes again.
    Repeat,
    /// A model of what was measured expects most of it.
    Model,
}

/// Chooses among everything that `is_new`: the best single change, else a drawn combination of as
/// few changes as possible. When nothing is new, a single change is drawn again.
pub fn choose(
    knobs: &[Knob],
    record: &Record,
    is_new: impl Fn(&[Change]) -> bool,
    rng: &mut impl Rng,
) -> Choice {
    let mut ranked = ranked(knobs, record).into_iter().map(|change| vec![change]);
    let mut new = ranked.by_ref().filter(|changes| is_new(changes));
    if let Some(changes) = new.next() {
        return Choice { changes, next: new.take(NEXT).collect(), by: Found::Rank };
    }
    for size in 2..=knobs.len() {
        let drawn = combinations(knobs, size).into_iter().filter(|c| is_new(c)).choose(rng);
        if let Some(changes) = drawn {
            return Choice { changes, next: Vec::new(), by: Found::Draw };
        }
    }
    let again = singles(knobs).choose(rng).cloned().expect("a knob has an alternative");
    Choice { changes: vec![again], next: Vec::new(), by: Found::Repeat }
}

/// Single changes, best first: near values before far ones, values that never crashed before those
/// that did, knobs that were tried by what they gained, then the others; at last file order.
fn ranked(knobs: &[Knob], record: &Record) -> Vec<Change> {
    let mut ranked: Vec<_> = knobs
        .iter()
        .flat_map(|knob| changes(knob).map(move |change| (knob.distance(&change.new), change)))
        .map(|(distance, change)| {
            let gain = record.best_gain(&change.knob);
            let order = (distance, record.has_crashed(&change), gain.is_none());
            (order, gain.unwrap_or_default(), change)
        })
        .collect();
    ranked.sort_by(|(a, gain_a, _), (b, gain_b, _)| a.cmp(b).then(gain_b.total_cmp(gain_a)));
    ranked.into_iter().map(|(_, _, change)| change).collect()
}

fn singles(knobs: &[Knob]) -> Vec<Change> {
    knobs.iter().flat_map(changes).collect()
}

fn changes(knob: &Knob) -> impl Iterator<Item = Change> {
    knob.alternatives().map(|value| Change {
        knob: knob.name.clone(),
        old: knob.current.clone(),
        new: value.to_owned(),
    })
}

/// Every way to change exactly `size` knobs.
fn combinations(knobs: &[Knob], size: usize) -> Vec<Vec<Change>> {
    let Some((first, rest)) = knobs.split_first().filter(|_| size > 0) else {
        return if size == 0 { vec![Vec::new()] } else { Vec::new() };
    };
    let mut with_first = Vec::new();
    for tail in combinations(rest, size - 1) {
        for change in changes(first) {
            with_first.push([vec![change], tail.clone()].concat());
        }
    }
    with_first.extend(combinations(rest, size));
    with_first
}
