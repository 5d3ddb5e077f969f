//! What an answer is about, and whether it was tried before.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::noise::told_reason;
use super::{History, NOTED, Purpose, Row, Verdict};

/// Changed lines that are remembered of one change: all of a small one, a fair sample of a large one.
const SKETCH: usize = 32;
/// Share of changed lines in common from which two changes are nearly one.
const NEAR: f64 = 0.8;
/// Themes that are told.
const THEMES: usize = 12;

/// A theme, and a change by its lines: enough to know it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Idea {
    /// What part of the work it is about, in the proposer's words, lower case; empty where it named none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub theme: String,
    /// The smallest hashes of its changed lines, ascending; empty where nothing is known of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sketch: Vec<u64>,
}

impl Idea {
    /// From changed lines, each told with its file and whether it came or went, in any order.
    pub fn new(theme: &str, lines: &BTreeSet<String>) -> Self {
        let hashes: BTreeSet<u64> = lines.iter().map(|line| hash(line)).collect();
        Self { theme: theme.to_lowercase(), sketch: hashes.into_iter().take(SKETCH).collect() }
    }

    /// The share of changed lines that two changes have in common, estimated for large ones: of the
    /// smallest hashes of both together, those that both have (a bottom-k sketch).
    fn likeness(&self, other: &Self) -> f64 {
        let [one, two] = [self, other].map(|idea| idea.sketch.iter().collect::<BTreeSet<_>>());
        let smallest: Vec<_> = one.union(&two).take(SKETCH).collect();
        let common = smallest.iter().filter(|hash| one.contains(**hash) && two.contains(**hash));
        common.count() as f64 / smallest.len().max(1) as f64
    }
}

/// The same in every version, because ledgers hold it.
fn hash(line: &str) -> u64 {
    let digest = Sha256::digest(line.as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// What is to be said against an idea that was tried before, or that changes nothing. One that is
/// nearly another passes when its hypothesis names that experiment, and so says what is different.
pub fn repetition(
    history: &History,
    parent: &str,
    (idea, hypothesis): (&Idea, &str),
) -> Option<String> {
    if idea.sketch.is_empty() {
        return Some("error: the edits change nothing but white space and comments".to_owned());
    }
    let tried = history.rows.iter().rev().filter(|row| row.purpose == Purpose::Candidate);
    let mut alike = tried.filter(|row| row.idea.likeness(idea) >= NEAR);
    let row = alike.next()?;
    let same = std::iter::once(row).chain(alike).find(|row| is_same(row, (idea, parent)));
    match same {
        Some(row) => Some(format!(
            "error: this was tried: it is the change of experiment {}. Propose another experiment",
            earlier(row)
        )),
        None if names(hypothesis, row.experiment) => None,
        None => Some(format!(
            "error: this is nearly experiment {}. Propose another experiment; or, if this one is \
             worth a run of its own, say in HYPOTHESIS what is different from experiment {}, by that \
             name",
            earlier(row),
            row.experiment
        )),
    }
}

fn is_same(row: &Row, (idea, parent): (&Idea, &str)) -> bool {
    row.parent == parent && row.idea.sketch == idea.sketch
}

fn earlier(row: &Row) -> String {
    let Row { experiment, description, verdict, .. } = row;
    format!("{experiment} ({description}), which came to: {verdict}, {}", told_reason(row))
}

/// What came of the experiments of one theme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme<'a> {
    /// As proposers call it.
    pub name: &'a str,
    /// Candidates that came to a verdict.
    pub tried: u32,
    /// Of them, kept.
    pub kept: u32,
    /// The newest of them.
    pub last: u32,
}

/// The themes of the last experiments, most tried first.
pub fn themes(history: &History) -> Vec<Theme<'_>> {
    let mut themes: BTreeMap<&str, Theme<'_>> = BTreeMap::new();
    let rows = history.rows.iter().rev().take(NOTED);
    for row in rows.filter(|row| row.purpose == Purpose::Candidate && !row.idea.theme.is_empty()) {
        let name = row.idea.theme.as_str();
        let fresh = Theme { name, tried: 0, kept: 0, last: row.experiment };
        let theme = themes.entry(name).or_insert(fresh);
        theme.tried += 1;
        theme.kept += u32::from(row.verdict == Verdict::Keep);
    }
    let mut themes: Vec<_> = themes.into_values().collect();
    themes.sort_by_key(|theme| Reverse((theme.tried, theme.last)));
    themes.truncate(THEMES);
    themes
}

/// Whether a text speaks of an experiment: `experiment 12`, `#12`.
fn names(text: &str, experiment: u32) -> bool {
    let text = text.to_lowercase();
    ["experiment ", "#"].iter().any(|sign| {
        text.split(sign).skip(1).any(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse() == Ok(experiment)
        })
    })
}

#[cfg(test)]
#[path = "idea_tests.rs"]
mod tests;
