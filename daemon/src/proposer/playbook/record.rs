//! What the history says about the knobs: which settings were measured, and what each knob gained.
//!
//! A row's description, `<knob> <old> -> <new>` joined by `; `, is all that is needed: walking the
//! rows backwards and undoing the kept ones gives the setting of every candidate, as far back as
//! the rows are the playbook's own.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::experiment::{History, Row};
use crate::proposer::knobs::Knob;

const ARROW: &str = " -> ";
const AND: &str = "; ";

/// One knob turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub knob: String,
    /// From.
    pub old: String,
    /// To.
    pub new: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{ARROW}{}", self.knob, self.old, self.new)
    }
}

/// The description of an experiment that makes these changes.
pub fn describe(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(AND)
}

/// The changes that a description stands for, if it is one of the playbook's.
pub fn parse(description: &str) -> Option<Vec<Change>> {
    let change = |text: &str| {
        let (knob, values) = text.split_once(' ')?;
        let (old, new) = values.split_once(ARROW)?;
        Some(Change { knob: knob.to_owned(), old: old.to_owned(), new: new.to_owned() })
    };
    description.split(AND).map(change).collect()
}

/// Values by knob.
pub type Setting = BTreeMap<String, String>;

/// Settings with scores that are remembered, the newest: what models them takes time by the cube of
/// their number.
const SCORED: usize = 100;

/// A setting as what it has other than the present one: there may be as many of them as rows.
#[derive(Clone, Debug, Default)]
struct Difference(Setting);

impl Difference {
    fn value<'a>(&'a self, knob: &str, present: &'a Setting) -> Option<&'a String> {
        self.0.get(knob).or_else(|| present.get(knob))
    }

    fn set(&mut self, knob: &str, value: &str, present: &Setting) {
        if present.get(knob).is_some_and(|present| present == value) {
            self.0.remove(knob);
        } else {
            self.0.insert(knob.to_owned(), value.to_owned());
        }
    }

    fn with(mut self, changes: &[Change], present: &Setting) -> Self {
        changes.iter().for_each(|change| self.set(&change.knob, &change.new, present));
        self
    }

    /// The setting before these changes, unless they did not lead to this one.
    fn without(mut self, changes: &[Change], present: &Setting) -> Option<Self> {
        for Change { knob, old, new } in changes {
            self.value(knob, present).filter(|value| *value == new)?;
            self.set(knob, old, present);
        }
        Some(self)
    }

    fn whole(&self, present: &Setting) -> Setting {
        let mut setting = present.clone();
        setting.extend(self.0.clone());
        setting
    }

    /// One text for each setting: the name of a knob holds no blank, and its value no line break.
    fn text(&self) -> String {
        self.0.iter().map(|(knob, value)| format!("{knob} {value}\n")).collect()
    }
}

/// What is known about the knobs of the present incumbent.
#[derive(Debug, Default)]
pub struct Record {
    present: Setting,
    measured: HashSet<String>,
    scored: Vec<(Setting, f64)>,
    gains: HashMap<String, f64>,
    crashed: HashSet<(String, String)>,
}

impl Record {
    /// Reads a history, given the commit whose files hold these knobs.
    pub fn read(history: &History, parent: &str, knobs: &[Knob], objective: &str) -> Self {
        let present: Setting =
            knobs.iter().map(|knob| (knob.name.clone(), knob.current.clone())).collect();
        let walked = walk(history, parent, &present);
        let here = walked.iter().filter(|(_, row)| row.is_scored() && history.is_of_here(row));
        let scored = here.filter_map(|(of, row)| {
            let score = *row.metrics.get(objective)?;
            Some((of.whole(&present), score))
        });
        let scored = scored.take(SCORED).collect();
        let texts = walked.iter().map(|(setting, _)| setting.text());
        let measured = texts.chain([Difference::default().text()]).collect();
        let mut record = Self { measured, scored, present, ..Self::default() };
        record.read_gains(history, objective);
        record
    }

    fn read_gains(&mut self, history: &History, objective: &str) {
        let score =
            |row: &Row| row.metrics.get(objective).copied().filter(|_| history.is_of_here(row));
        let scores: HashMap<&str, Option<f64>> =
            history.rows.iter().map(|row| (row.commit.as_str(), score(row))).collect();
        for row in &history.rows {
            let Some([change]) =
                parse(&row.description).and_then(|c| <[Change; 1]>::try_from(c).ok())
            else {
                continue;
            };
            let before = scores.get(row.parent.as_str()).copied().flatten();
            let gain = match (score(row), before) {
                (Some(after), Some(before)) => after - before,
                _ => f64::NEG_INFINITY,
            };
            if row.metrics.is_empty() {
                self.crashed.insert((change.knob.clone(), change.new));
            }
            let best = self.gains.entry(change.knob).or_insert(f64::NEG_INFINITY);
            *best = best.max(gain);
        }
    }

    /// The most that a change of this knob alone ever added to the score; minus infinity when none
    /// was scored, `None` when none was tried.
    pub fn best_gain(&self, knob: &str) -> Option<f64> {
        self.gains.get(knob).copied()
    }

    /// Whether this value alone ever left no score.
    pub fn has_crashed(&self, change: &Change) -> bool {
        self.crashed.contains(&(change.knob.clone(), change.new.clone()))
    }

    /// The setting of the commit that the next candidate is made from.
    pub fn present(&self) -> &Setting {
        &self.present
    }

    /// Settings with the scores that were measured, newest first.
    pub fn scored(&self) -> impl Iterator<Item = (&Setting, f64)> {
        self.scored.iter().map(|(setting, score)| (setting, *score))
    }

    /// Whether the setting that these changes lead to has been tried.
    pub fn is_measured(&self, changes: &[Change]) -> bool {
        self.measured.contains(&Difference::default().with(changes, &self.present).text())
    }
}

/// The rows whose settings are known, newest first.
fn walk<'a>(
    history: &'a History,
    parent: &'a str,
    present: &Setting,
) -> Vec<(Difference, &'a Row)> {
    let mut settings = HashMap::from([(parent, Difference::default())]);
    let mut walked = Vec::new();
    for row in history.rows.iter().rev() {
        let changes = parse(&row.description);
        if let Some(after) = settings.get(row.commit.as_str()).cloned() {
            let before = changes.and_then(|changes| after.clone().without(&changes, present));
            settings.extend(before.map(|before| (row.parent.as_str(), before)));
            walked.push((after, row));
        } else if let (Some(before), Some(changes)) = (settings.get(row.parent.as_str()), changes) {
            walked.push((before.clone().with(&changes, present), row));
        }
    }
    walked
}
