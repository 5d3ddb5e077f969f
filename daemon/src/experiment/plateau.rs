//! A search that stands still, and what is asked of the proposer then.

use super::machine::first_measured;
use super::noise::rounded;
use super::{History, Purpose, Row, Verdict};

/// Candidates without a keep after which more is asked, and again after as many.
const PATIENCE: u32 = 5;
/// Of those steps, so many lie between two returns to an earlier keep: it is what helps least often.
const RETURNS: u32 = 2;
/// Near misses that are named.
const MISSES: usize = 4;

/// What is asked of a proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rethink {
    /// Join what nearly paid.
    Combine,
    /// Leave the neighbourhood.
    Radical,
    /// Begin at the keep before the incumbent, which was measured again first.
    Return,
}

/// Rows of a purpose since the last keep, or since a human returned to one, newest first.
fn since_keep(history: &History, purpose: Purpose) -> impl Iterator<Item = &Row> {
    let rows = history.since_return().iter().rev();
    // The incumbent measured on another machine is nothing new.
    let rows = rows.take_while(|row| row.verdict != Verdict::Keep || row.purpose == Purpose::Moved);
    rows.filter(move |row| row.purpose == purpose)
}

/// Candidates decided since the last keep.
fn tried(history: &History) -> u32 {
    u32::try_from(since_keep(history, Purpose::Candidate).count()).unwrap_or(u32::MAX)
}

/// Candidates since the last keep, once they are so many that the search stands still.
pub fn stands_still(history: &History) -> Option<u32> {
    Some(tried(history)).filter(|since| *since >= PATIENCE)
}

/// What is asked of the next proposal; nothing while keeps come. `can_return` tells whether there is an
/// earlier keep to begin at.
fn rethink(history: &History, can_return: bool) -> Option<Rethink> {
    let since = tried(history);
    match since / PATIENCE {
        0 => None,
        1 => Some(Rethink::Combine),
        2 => Some(Rethink::Radical),
        step if since.is_multiple_of(PATIENCE)
            && (step - 3).is_multiple_of(RETURNS)
            && can_return =>
        {
            Some(Rethink::Return)
        }
        _ => Some(Rethink::Radical),
    }
}

/// Whether the next candidate is made from an earlier keep instead of the incumbent.
pub(super) fn returns(history: &History, can_return: bool) -> bool {
    rethink(history, can_return) == Some(Rethink::Return)
}

/// Whether the incumbent is to be measured again first: its score may have been luck, which all of the
/// plateau was held against.
pub(super) fn doubts(history: &History, can_return: bool) -> bool {
    let was_measured = since_keep(history, Purpose::Control).next().is_some();
    returns(history, can_return) && !was_measured
}

/// The keeps before the incumbent, newest first. A human's commit is never left behind: it may have
/// mended more than the recipe.
pub fn earlier_keeps(history: &History) -> impl Iterator<Item = &Row> {
    let first = |row| first_measured(history, row);
    let before = move |row: &&Row| {
        let is_ours = row.purpose == Purpose::Candidate;
        is_ours.then(|| history.compared_with(row)).flatten().and_then(first)
    };
    std::iter::successors(history.incumbent().and_then(first), before).skip(1)
}

/// Candidates since the last keep that came nearest to it, best first; of those that are told alike the
/// newest.
fn near_misses<'a>(history: &'a History, objective: &str) -> Vec<&'a Row> {
    let mut scored: Vec<_> = since_keep(history, Purpose::Candidate)
        .filter(|row| row.is_scored())
        .filter_map(|row| Some((*row.metrics.get(objective)?, row)))
        .collect();
    // By what is told of them: their order tells no more.
    let told = |score: f64, row| rounded(objective, score, row).parse().unwrap_or(score);
    scored.sort_by(|(one, a), (other, b)| told(*other, b).total_cmp(&told(*one, a)));
    scored.into_iter().take(MISSES).map(|(_, row)| row).collect()
}

/// What is asked of the next proposal, for it and for people; `from` is the earlier keep that it is
/// made from.
pub fn asked(history: &History, objective: &str, from: Option<u32>) -> Option<String> {
    let since = tried(history);
    let what = match rethink(history, from.is_some())? {
        Rethink::Combine => {
            let misses: Vec<_> = near_misses(history, objective)
                .into_iter()
                .map(|row| {
                    let score = row.metrics.get(objective).copied().unwrap_or_default();
                    format!(
                        "#{} ({}, {})",
                        row.experiment,
                        row.description,
                        rounded(objective, score, row)
                    )
                })
                .collect();
            match misses.as_slice() {
                [_, _, ..] => format!("join what nearly paid: {}", misses.join("; ")),
                _ => "change another part of the work than the last experiments did".to_owned(),
            }
        }
        Rethink::Radical => {
            "leave this neighbourhood: another architecture, loss, representation or schedule, not \
             another value of the same knobs"
                .to_owned()
        }
        Rethink::Return => {
            let from = from.unwrap_or_default();
            format!("begin at experiment {from}, an earlier keep, and go another way from there")
        }
    };
    Some(format!("{since} experiments without a keep: {what}"))
}

#[cfg(test)]
#[path = "plateau_tests.rs"]
mod tests;
