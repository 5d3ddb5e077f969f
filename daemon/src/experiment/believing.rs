//! The belief about the incumbent, kept in step with the rows of a session.

use std::collections::BTreeMap;

use super::belief::{Belief, Estimate};
use super::{History, Purpose, Row, Verdict, mean_and_variance};

/// Noise below this is taken for this: scores on few records can agree by chance.
const LEAST_NOISE: f64 = 1e-4;

/// The standard deviation of scores of one recipe over runs that differ in their seed alone: of the
/// first incumbent on this machine and those runs that measured it again for this. Nothing with fewer than
/// two.
pub fn run_to_run(history: &History, objective: &str) -> Option<f64> {
    let here = || history.decided().filter(|row| history.is_of_here(row));
    let again: Vec<&Row> =
        here().filter(|row| row.purpose == Purpose::Noise && row.is_scored()).collect();
    let first = &again.first()?.commit;
    let own = here().find(|row| row.commit == *first && row.purpose != Purpose::Noise)?;
    let same = again.iter().filter(|row| row.commit == *first).copied();
    let scores: Vec<f64> =
        same.chain([own]).filter_map(|row| row.metrics.get(objective).copied()).collect();
    let (_, variance) = mean_and_variance(&scores);
    (scores.len() > 1).then(|| variance.sqrt().max(LEAST_NOISE))
}

/// What is believed after the rows seen so far.
#[derive(Clone, Debug, Default)]
pub struct Believing {
    seen: usize,
    noise: f64,
    belief: Option<Belief>,
    /// The incumbent that it is about, and what was believed of each when it became one.
    incumbent: u32,
    keeps: BTreeMap<u32, Estimate>,
}

impl Believing {
    /// What is believed after the rows that were followed; nothing while nobody knows by how much
    /// scores differ by chance.
    pub fn now(&self) -> Option<&Belief> {
        self.belief.as_ref()
    }

    /// Takes in the settled rows that it has not seen yet. However often it is done, what comes of it
    /// is the same.
    pub fn follow(&mut self, history: &History, objective: &str) {
        let Some(noise) = run_to_run(history, objective) else { return };
        if noise.to_bits() != self.noise.to_bits() {
            *self = Self { noise, ..Self::default() };
        }
        for row in &history.rows[self.seen..] {
            self.see(row, history, objective);
        }
        self.seen = history.rows.len();
        if let Some(incumbent) = history.incumbent() {
            self.turn_to(incumbent.experiment);
        }
    }

    fn see(&mut self, row: &Row, history: &History, objective: &str) {
        if let Some(incumbent) = history.compared_with(row) {
            self.turn_to(incumbent.experiment);
        }
        let Some(score) = row.metrics.get(objective).copied().filter(|_| row.is_scored()) else {
            return;
        };
        let is_kept = row.verdict == Verdict::Keep;
        let own = Estimate { mean: score, variance: self.noise * self.noise };
        match (&mut self.belief, row.purpose) {
            (None, _) if is_kept => self.belief = Some(Belief::new(score, self.noise)),
            (None, _) => return,
            (Some(belief), Purpose::Candidate) => belief.take_in(score, row.runs, is_kept),
            (Some(belief), Purpose::Control | Purpose::Noise) => belief.measured_again(score),
            (Some(belief), Purpose::Certify) => {
                // Of two that are measured, one is the incumbent.
                if history.compared_with(row).is_some_and(|best| best.commit == row.commit) {
                    belief.measured_again(score);
                }
            }
            (Some(belief), Purpose::Baseline | Purpose::Adoption | Purpose::Moved) => {
                belief.replaced(own);
            }
        }
        if is_kept {
            self.incumbent = row.experiment;
        }
        self.remember();
    }

    fn remember(&mut self) {
        if let Some(belief) = &self.belief {
            self.keeps.insert(self.incumbent, belief.incumbent());
        }
    }

    /// A human may have returned to an earlier one.
    fn turn_to(&mut self, incumbent: u32) {
        if self.incumbent == incumbent {
            return;
        }
        if let (Some(belief), Some(known)) = (&mut self.belief, self.keeps.get(&incumbent)) {
            belief.replaced(*known);
        }
        self.incumbent = incumbent;
    }
}

#[cfg(test)]
#[path = "believing_tests.rs"]
mod tests;
