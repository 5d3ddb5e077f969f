//! Ideas without a language model: turn the recipe's knobs, one at a time, best first.
//!
//! The next change is a function of the seed, the history and the recipe: single changes first,
//! the nearest values before the farther ones, knobs with the better record before the others;
//! when all of them are used up, seeded pairs, then triples, and so on. No setting is measured
//! twice as long as there is another. What a language model adds to the loop is what it finds
//! beyond this.

use std::collections::HashSet;

use futures::future::{BoxFuture, FutureExt, ready};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::knobs::{self, Knob};
use super::{Proposer, ProposerError, Reply};
use crate::context::Context;
use crate::experiment::{History, Row, Usage, rounded, run_to_run};
use crate::patch::DESCRIPTION_CHARS;
use crate::prompt::Size;

mod choice;
mod model;
mod record;
mod surrogate;

use choice::{Choice, Found};
use record::{Change, Record, describe};

/// How the next change is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// One knob after the other, as the recipe ranks them.
    Walk,
    /// By a model of all that was measured, once there is enough for one.
    Model,
    /// At random, for comparison.
    Random,
}

/// A proposer that turns the knobs of the recipe.
#[derive(Clone, Debug)]
pub struct Playbook {
    seed: u64,
    method: Method,
    parent: String,
    /// Changes already offered for this parent. The history tells what was decided; this also
    /// holds what did not build, which leaves no row when another answer replaced it.
    offered: HashSet<String>,
}

impl Playbook {
    /// A playbook whose draws follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, method: Method::Walk, parent: String::new(), offered: HashSet::new() }
    }

    /// One that asks a model of the scores which settings are worth trying.
    pub fn optimiser(seed: u64) -> Self {
        Self { method: Method::Model, ..Self::new(seed) }
    }

    /// One that turns some knobs at random: what any other must be better than.
    pub fn random(seed: u64) -> Self {
        Self { method: Method::Random, ..Self::new(seed) }
    }

    fn answer(&mut self, context: &Context<'_>) -> Result<Reply, ProposerError> {
        let path = &context.task.edit.recipe;
        let recipe = context.files.get(path).map_or("", String::as_str);
        let knobs = knobs::parse(recipe);
        if knobs.is_empty() {
            return Err(ProposerError::NoKnobs { path: path.clone() });
        }
        self.turn_to(parent(context.history));
        let objective = &context.task.score.objective;
        let record = Record::read(context.history, &self.parent, &knobs, objective);
        let parent = context.history.rows.iter().find(|row| row.commit == self.parent);
        let noise = run_to_run(context.history, objective);
        let choice = self.choose(&knobs, &record, (context.history, noise));
        let description = describe(&choice.changes);
        let mut text = format!(
            "HYPOTHESIS: {}\nDESCRIPTION: {description}\nTHEME: {}\n",
            hypothesis(&choice, &record, (parent, objective)),
            theme(&choice.changes)
        );
        text.push_str(&notes(&choice));
        text.push_str(&edits(path, recipe, &knobs, &choice.changes));
        self.offered.insert(description);
        Ok(Reply { text, usage: Usage::default() })
    }

    fn turn_to(&mut self, parent: &str) {
        if self.parent != parent {
            parent.clone_into(&mut self.parent);
            self.offered.clear();
        }
    }

    fn choose(
        &self,
        knobs: &[Knob],
        record: &Record,
        (history, noise): (&History, Option<f64>),
    ) -> Choice {
        let draw = self.seed.wrapping_add(history.rows.len() as u64);
        let mut rng = ChaCha8Rng::seed_from_u64(draw);
        let is_new = |changes: &[Change]| {
            let description = describe(changes);
            // A longer one would be cut in its row, and forgotten.
            description.chars().count() <= DESCRIPTION_CHARS
                && !self.offered.contains(&description)
                && !record.is_measured(changes)
        };
        let modelled = match self.method {
            Method::Model => model::choose(knobs, record, (is_new, noise), &mut rng),
            Method::Random => model::draw(knobs, record, is_new, &mut rng),
            Method::Walk => None,
        };
        modelled.unwrap_or_else(|| choice::choose(knobs, record, is_new, &mut rng))
    }
}

/// The commit that the next candidate is made from; empty before the first one.
fn parent(history: &History) -> &str {
    let incumbent = || history.incumbent().map_or("", |row| &row.commit);
    history.in_hand.as_ref().map_or_else(incumbent, |candidate| &candidate.parent)
}

/// A model may read it in a later prompt: it tells scores as a prompt does.
fn hypothesis(
    choice: &Choice,
    record: &Record,
    (parent, objective): (Option<&Row>, &str),
) -> String {
    let changes: Vec<_> =
        choice.changes.iter().map(|c| format!("{} at {}", c.knob, c.new)).collect();
    let best = parent.and_then(|row| Some(rounded(objective, *row.metrics.get(objective)?, row)));
    let above = best.map_or_else(String::new, |best| format!(" above {best}"));
    let why = match choice.changes.as_slice() {
        _ if choice.by == Found::Repeat => {
            "every setting of the knobs was measured, so one is drawn again".to_owned()
        }
        _ if choice.by == Found::Model => {
            "a model of all settings that were measured expects most of it".to_owned()
        }
        [Change { knob, .. }] => match record.best_gain(knob) {
            Some(gain) if gain.is_finite() && gain > 0.0 => {
                format!("a change of {knob} was better than what it was made from")
            }
            Some(gain) if gain.is_finite() => format!("no change of {knob} was better so far"),
            Some(_) => format!("no change of {knob} was scored so far"),
            None => format!("{knob} was not changed so far"),
        },
        _ => "smaller changes of this incumbent are used up, so several are joined".to_owned(),
    };
    format!("{} raises {objective}{above}; {why}", changes.join(" with "))
}

/// One knob, or that there are several.
fn theme(changes: &[Change]) -> &str {
    match changes {
        [Change { knob, .. }] => knob,
        _ => "several knobs",
    }
}

/// What would come next. Results are not noted: STATE.md has them from the ledger.
fn notes(choice: &Choice) -> String {
    choice.next.iter().map(|changes| format!("NEXT: {}\n", describe(changes))).collect()
}

fn edits(path: &str, recipe: &str, knobs: &[Knob], changes: &[Change]) -> String {
    let turned: Vec<(&Knob, &str)> = changes
        .iter()
        .filter_map(|change| {
            let knob = knobs.iter().find(|knob| knob.name == change.knob)?;
            Some((knob, change.new.as_str()))
        })
        .collect();
    let blocks =
        knobs::turn(recipe, &turned).into_iter().map(|knobs::Replacement { search, replace }| {
            format!("\n{path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n")
        });
    blocks.collect()
}

impl Proposer for Playbook {
    fn name(&self) -> String {
        match self.method {
            Method::Walk => "playbook".to_owned(),
            Method::Model => "optimiser".to_owned(),
            Method::Random => "random".to_owned(),
        }
    }

    /// Nothing outside is needed.
    fn check(&mut self) -> BoxFuture<'_, Result<(), ProposerError>> {
        ready(Ok(())).boxed()
    }

    fn propose<'a>(
        &'a mut self,
        context: &'a Context<'a>,
        _size: Size,
    ) -> BoxFuture<'a, Result<Reply, ProposerError>> {
        ready(self.answer(context)).boxed()
    }
}

#[cfg(test)]
#[path = "playbook_tests.rs"]
mod tests;
