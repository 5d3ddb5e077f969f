//! What a score is worth: what is believed of the incumbent, and whether an idea is measured again.

use tracing::{info, warn};

use super::Session;
use super::settle::tolerate;
use crate::clock;
use crate::experiment::{
    Candidate, Court, Entry, Evidence, History, Judgement, Pair, Rule, bootstrap, due, is_late,
    run_to_run,
};
use crate::failure::{Failure, OrFailure as _};
use crate::scorer::{self, ScorerError};
use crate::settings;

/// When the champion is certified first, wall time, milliseconds since 1970: without delay where an
/// earlier life began to, or was down at this day's hour.
pub(super) fn certify_at(evidence: &settings::Evidence, history: &History) -> Option<i64> {
    let (at, runs) = (evidence.certify_at?, evidence.certify?);
    let now = clock::wall_ms();
    Some(match is_late(history, runs, clock::today_ms(at, now)) {
        true => i64::MIN,
        false => clock::next_ms(at, now),
    })
}

impl Session {
    /// What a verdict goes by, on a candidate whose code has grown by so many lines.
    fn court(&self, growth: i64) -> Court<'_> {
        let objective = &self.task.score.objective;
        let incumbent =
            self.history.incumbent().and_then(|row| row.metrics.get(objective)).copied();
        let belief = self.believing.now();
        Court { objective, rule: self.rule, belief, incumbent, growth }
    }

    /// What becomes of a candidate whose measuring has come to its end.
    pub(super) fn judge(&self, candidate: &Candidate) -> Result<Judgement, Failure> {
        Ok(self.court(self.growth(candidate)?).judge(candidate))
    }

    /// By how many lines a candidate's files are longer than its parent's. Strictly, lines do not count.
    fn growth(&self, candidate: &Candidate) -> Result<i64, Failure> {
        let commit = candidate.commit.as_ref().filter(|_| self.rule != Rule::Strict);
        let Some(commit) = commit else { return Ok(0) };
        let lines = |commit: &str| {
            let files = self.repository.files(commit, &self.scope).or_outside()?;
            let lines: usize = files.values().map(|text| text.lines().count()).sum();
            Ok::<_, Failure>(i64::try_from(lines).unwrap_or(i64::MAX))
        };
        Ok(lines(commit)? - lines(&candidate.parent)?)
    }

    /// Whether the score in hand is to be measured again before it is believed.
    pub(super) fn is_promising(&mut self) -> bool {
        self.believing.follow(&self.history, &self.task.score.objective);
        // Lines do not bear on that, and every turn asks it.
        let in_hand = self.history.in_hand.as_ref();
        in_hand.is_some_and(|candidate| self.court(0).doubts(candidate))
    }

    /// What the keep in hand rests on; nothing where there was nothing to beat here, or its predictions
    /// are gone.
    pub(super) async fn evidence(&self) -> Option<Evidence> {
        let (candidate, incumbent) = (self.history.in_hand.as_ref()?, self.history.incumbent()?);
        // Of two machines the scores do not compare.
        if candidate.row().machine != incumbent.machine {
            return None;
        }
        let objective = self.task.score.objective.clone();
        let gain = candidate.outcome(&objective).ok()? - incumbent.metrics.get(&objective)?;
        let noises = run_to_run(&self.history, &objective).map(|noise| gain / noise);
        let runs = candidate.rounds() + 1;
        let seed = self.seed.wrapping_add(candidate.experiment.into());
        let labels = self.path(&self.task.score.labels);
        let [own, other] =
            [candidate.experiment, incumbent.experiment].map(|n| self.notebook.experiment(n));
        let drawn = move || {
            let labels = scorer::vault(&labels)?;
            let [own, other] = [own, other].map(|at| scorer::predicted(&at, labels.len()));
            let (own, other) = (own?, other?);
            let pair = Pair { labels: &labels, own: &own, other: &other };
            Ok::<_, ScorerError>(bootstrap(pair, &objective, seed))
        };
        match self.aside(drawn).await {
            Ok(drawn) => {
                drawn.map(|(better, low, high)| Evidence { better, low, high, noises, runs })
            }
            Err(error) => {
                warn!(%error, "a keep without evidence");
                None
            }
        }
    }

    /// Whether the hour for certifying has come. What is certified by then waits for the next day's.
    pub(super) fn certifies(&mut self) -> bool {
        let now = clock::wall_ms();
        let (Some(at), Some(runs)) = (self.certify_at, self.rules.certify) else { return false };
        let is_done = now >= at && due(&self.history, runs).is_none();
        if let Some(time) = self.settings.evidence.certify_at.filter(|_| is_done) {
            self.certify_at = Some(clock::next_ms(time, now));
        }
        now >= at && !is_done
    }

    /// Goes back to a candidate that is built, for a second run with another seed.
    pub(super) async fn again(&mut self) -> Result<(), Failure> {
        let candidate = self.candidate()?;
        let (n, score) = (candidate.experiment, candidate.outcome(&self.task.score.objective).ok());
        info!(score, "promising: it is measured again, with another seed, before it is believed");
        tolerate(self.notebook.set_run_aside(n));
        self.record(Entry::Again).await
    }
}
