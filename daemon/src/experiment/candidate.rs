//! The experiment in hand: which entries may follow which, and what they add up to.

use std::collections::BTreeMap;

use dfr_contract::footer::Claims;

use super::history::Row;
use super::{Entry, Phase, Purpose, RunOutcome, Stage, Stake, StopLevel, Verdict};
use crate::tier::Tier;

/// How often something that the machine cuts short is begun.
pub(super) const ATTEMPTS: u32 = 3;

/// The experiment in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Number of the experiment.
    pub experiment: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// Full object id it is made from.
    pub parent: String,
    /// Full object id of the newest commit, once there is one.
    pub commit: Option<String>,
    /// How far it is.
    pub step: Step,
    /// The last answer as it came.
    pub answer: Option<Answered>,
    /// Answers that asked to look at something, oldest first.
    pub looked: Vec<String>,
    /// What was wrong with the answers so far, the last one last.
    pub refused: Vec<(Stage, String)>,
    /// Wall time of the proposal, milliseconds since 1970: that of its commit, so that doing it again
    /// makes the same one.
    pub proposed_at_ms: i64,
    /// Why it cannot be scored, once that is known.
    pub problem: Option<String>,
    /// What it did to look better than it is, once that was seen.
    pub tampered: Option<String>,
    /// The footer that the trainer printed.
    pub claims: Option<String>,
    /// Its training ended as a mistake in its code ends a program.
    pub(super) is_mistake: bool,
    /// The last answer that was refused.
    rejected: Option<Answered>,
    pub(super) row: Row,
    began: BTreeMap<Phase, u32>,
    under_way: Option<Phase>,
    at_stake: Option<Stake>,
    held_out: bool,
    /// Scores of its earlier runs, when it was measured again.
    earlier: Vec<BTreeMap<String, f64>>,
}

/// An answer that was not looked into yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// As it came.
    pub text: String,
    /// Why it cannot be used, when that is plain without reading it.
    pub problem: Option<String>,
}

/// How far an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Begun, or an answer was refused: an answer is needed.
    Opened,
    /// An answer is there, not looked into.
    Answered,
    /// The answer was understood.
    Proposed,
    /// It has a commit.
    Committed,
    /// It builds and takes a step.
    Built,
    /// Training ended.
    Ran,
    /// Prediction ended.
    Predicted,
    /// Scored, or found not to be scorable.
    Scored,
    /// The verdict is in.
    Decided,
}

/// What an entry does to the experiment in hand.
pub(super) enum Next {
    /// It is there now.
    Step(Step),
    /// It is over.
    Closed,
}

impl Candidate {
    pub(super) fn open(
        experiment: u32,
        parent: &str,
        (proposer, purpose): (&str, Purpose),
    ) -> Self {
        let row = Row {
            experiment,
            purpose,
            commit: parent.to_owned(),
            parent: parent.to_owned(),
            metrics: BTreeMap::new(),
            peak_vram_mb: 0.0,
            verdict: Verdict::Crash,
            reason: String::new(),
            hypothesis: String::new(),
            description: String::new(),
            proposer: proposer.to_owned(),
            notes: super::Notes::default(),
            idea: super::Idea::default(),
            curve: Vec::new(),
            usage: super::Usage::default(),
            trained_s: 0.0,
            startup_s: 0.0,
            predicted_s: 0.0,
            smoked_s: 0.0,
            phase_seconds: BTreeMap::new(),
            decided_at_ms: 0,
            sealed: Some(Tier::Full),
            records: 0,
            runs: 1,
            evidence: None,
            sources: BTreeMap::new(),
            holdout: BTreeMap::new(),
            holdout_problem: None,
            program: None,
            machine: None,
            steps_per_s: 0.0,
        };
        Self {
            experiment,
            purpose,
            parent: parent.to_owned(),
            commit: None,
            step: Step::Opened,
            answer: None,
            looked: Vec::new(),
            rejected: None,
            refused: Vec::new(),
            proposed_at_ms: 0,
            problem: None,
            tampered: None,
            claims: None,
            is_mistake: false,
            row,
            began: BTreeMap::new(),
            under_way: None,
            at_stake: None,
            held_out: false,
            earlier: Vec::new(),
        }
    }

    /// The row as decided, when the verdict is in.
    pub fn decided(&self) -> Option<&Row> {
        (self.step == Step::Decided).then_some(&self.row)
    }

    /// The row as far as it is known.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Whether a keep is still to be measured on the holdout, as far as the machine allows.
    pub(super) fn owes_holdout(&self) -> bool {
        self.lacks_holdout() && self.cut_short().is_none()
    }

    /// Whether it is a keep, or certifies one, and nobody knows how it does on the holdout.
    pub fn lacks_holdout(&self) -> bool {
        let is_meant = |row: &Row| match self.purpose {
            Purpose::Certify => row.is_scored(),
            _ => row.verdict == Verdict::Keep,
        };
        self.decided().is_some_and(is_meant) && !self.held_out
    }

    /// Its runs that were scored before the one in hand.
    pub fn rounds(&self) -> u32 {
        u32::try_from(self.earlier.len()).unwrap_or(u32::MAX)
    }

    /// The seed of its training, when that of the session is this: the same for all ideas, so that they
    /// meet the same draws, and another for what shows how much depends on it.
    pub(super) fn seed(&self, session: u64) -> u64 {
        match (self.purpose, self.rounds()) {
            (Purpose::Noise, _) | (_, 1..) => session.wrapping_add(u64::from(self.experiment) + 1),
            _ => session,
        }
    }

    /// How often a phase was begun since the last one that ended.
    pub fn attempts(&self, phase: Phase) -> u32 {
        self.began.get(&phase).copied().unwrap_or_default()
    }

    /// What was begun and did not end, as far as anybody wrote down.
    pub fn under_way(&self) -> Option<Phase> {
        self.under_way
    }

    /// What may be charged for what is under way, if it never comes to its end.
    pub fn at_stake(&self) -> Option<Stake> {
        self.at_stake
    }

    /// How urgently a human must want to stop before this is given up: an answer costs little, and
    /// what builds or was trained is finished, unless they insist.
    pub fn patience(&self) -> StopLevel {
        match self.step {
            Step::Opened | Step::Answered | Step::Proposed if !self.was_handed_back() => {
                StopLevel::AfterExperiment
            }
            _ => StopLevel::AbandonRun,
        }
    }

    /// What the machine never let end, however often it was begun.
    pub(super) fn cut_short(&self) -> Option<Phase> {
        let phases = [Phase::Build, Phase::Train, Phase::Predict, Phase::Holdout];
        phases.into_iter().find(|phase| self.attempts(*phase) >= ATTEMPTS)
    }

    /// The official objective, or why there is none.
    ///
    /// # Errors
    /// The reason for a crash.
    pub fn outcome(&self, objective: &str) -> Result<f64, String> {
        if let Some(reason) = self.failure() {
            return Err(reason);
        }
        let score = self.row.metrics.get(objective).copied();
        score.ok_or_else(|| format!("no score is called {objective:?}"))
    }

    /// What went wrong for good: the run, or else the last answer.
    pub fn failure(&self) -> Option<String> {
        let refused = || self.refused.last().filter(|_| self.step == Step::Opened);
        let answer = || refused().map(|(stage, problem)| summary(*stage, problem));
        self.problem.clone().or_else(answer)
    }

    pub(super) fn next(&self, entry: &Entry) -> Option<Next> {
        use Step::{Answered, Built, Committed, Decided, Opened, Predicted, Proposed, Ran, Scored};
        let step = match (entry, self.step) {
            (Entry::Began { .. } | Entry::Interrupted { .. }, step) => step,
            (Entry::Lost { .. }, Opened) => Opened,
            (Entry::Answered { .. }, Opened) => Answered,
            (Entry::Looked, Answered) => Opened,
            (Entry::Proposed { .. }, Opened | Answered) => Proposed,
            (Entry::Refused { .. }, Opened | Answered | Proposed | Committed) => Opened,
            (Entry::Refused { stage: Stage::Train, .. }, Ran) => Opened,
            (Entry::Committed { .. }, Proposed) => Committed,
            // The products of a build that was done may have gone with the life that made them.
            (Entry::Built { .. }, Committed | Built) => Built,
            (Entry::Built { .. }, step @ (Ran | Decided)) => step,
            (Entry::Ran { .. }, Built) => Ran,
            (Entry::Predicted { .. }, Ran) => Predicted,
            (Entry::Scored { .. } | Entry::Unscored { .. }, Predicted) => Scored,
            (Entry::Again, Scored) if self.problem.is_none() => Built,
            (Entry::Decided { .. }, Opened | Ran | Predicted | Scored) if self.commit.is_some() => {
                Decided
            }
            (Entry::HeldOut { .. }, Decided) if !self.held_out => Decided,
            (Entry::Settled { .. }, Decided) => return Some(Next::Closed),
            (Entry::Abandoned { .. }, step) if step != Decided => return Some(Next::Closed),
            _ => return None,
        };
        Some(Next::Step(step))
    }

    pub(super) fn absorb(&mut self, entry: &Entry, at_ms: i64) {
        self.row.usage += entry.usage();
        (self.under_way, self.at_stake) = match entry {
            Entry::Began { phase, stake, .. } => (Some(*phase), *stake),
            entry if entry.is_of_the_session() => (self.under_way, self.at_stake),
            _ => (None, None),
        };
        let row = &mut self.row;
        match entry {
            Entry::Began { phase, sealed, .. } => {
                *self.began.entry(*phase).or_default() += 1;
                if *phase != Phase::Propose {
                    row.sealed = weaker(row.sealed, *sealed);
                }
            }
            Entry::Answered { text, problem, proposer, .. } => {
                row.proposer.clone_from(proposer);
                self.answer = Some(Answered { text: text.clone(), problem: problem.clone() });
                self.began.remove(&Phase::Propose);
            }
            Entry::Proposed { hypothesis, description, notes, idea, .. } => {
                row.hypothesis.clone_from(hypothesis);
                row.description.clone_from(description);
                row.notes.clone_from(notes);
                row.idea.clone_from(idea);
                self.proposed_at_ms = at_ms;
            }
            Entry::Refused { stage, problem, tampered, .. } => {
                self.tampered.clone_from(tampered);
                self.refuse(*stage, problem);
            }
            Entry::Committed { commit } => {
                row.commit.clone_from(commit);
                self.tampered = None;
                self.commit = Some(commit.clone());
            }
            Entry::Built { program } => {
                row.program.clone_from(program);
                self.began.remove(&Phase::Build);
            }
            Entry::Ran { run, problem, claims, curve, tampered, seconds, startup_s } => {
                (row.trained_s, row.startup_s) = (*seconds, *startup_s);
                self.claims.clone_from(claims);
                self.is_mistake = run.is_mistake();
                row.steps_per_s = claims.as_deref().and_then(steps_per_s).unwrap_or_default();
                row.curve.clone_from(curve);
                self.tampered.clone_from(tampered);
                self.end(Phase::Train, run, problem.as_deref());
            }
            Entry::Predicted { run, problem, seconds, tampered } => {
                row.predicted_s = *seconds;
                self.tampered.clone_from(tampered);
                self.end(Phase::Predict, run, problem.as_deref());
            }
            Entry::Scored { metrics, peak_vram_mb, records, sources, tampered } => {
                row.metrics = mean(metrics, &self.earlier);
                row.runs = self.earlier.len() as u32 + 1;
                row.peak_vram_mb = row.peak_vram_mb.max(*peak_vram_mb);
                let known = sources.values().map(|source| source.records).sum();
                row.records = if *records > 0 { *records } else { known };
                row.sources.clone_from(sources);
                self.tampered.clone_from(tampered);
            }
            Entry::HeldOut { metrics, problem, .. } => {
                row.holdout.clone_from(metrics);
                row.holdout_problem.clone_from(problem);
                self.began.remove(&Phase::Holdout);
                self.held_out = true;
            }
            Entry::Looked => {
                let rejected = self.rejected.clone();
                let asked = std::mem::replace(&mut self.answer, rejected);
                self.looked.extend(asked.map(|asked| asked.text));
            }
            Entry::Again => self.earlier.push(row.metrics.clone()),
            Entry::Unscored { reason } => self.problem = Some(reason.clone()),
            Entry::Decided { verdict, reason, evidence } => {
                row.verdict = *verdict;
                row.reason.clone_from(reason);
                row.evidence = *evidence;
                row.decided_at_ms = at_ms;
            }
            Entry::Settled { phase_seconds } => row.phase_seconds.clone_from(phase_seconds),
            Entry::Opened { .. }
            | Entry::Lost { .. }
            | Entry::Interrupted { .. }
            | Entry::Abandoned { .. }
            | Entry::Resumed { .. }
            | Entry::Tested { .. }
            | Entry::Capped { .. }
            | Entry::Diverged { .. }
            | Entry::Paused { .. }
            | Entry::Tried { .. }
            | Entry::Device { .. }
            | Entry::Directed { .. }
            | Entry::Machine { .. }
            | Entry::Inherited { .. }
            | Entry::Submitted { .. }
            | Entry::RolledBack { .. } => {}
        }
    }

    fn refuse(&mut self, stage: Stage, problem: &str) {
        self.rejected.clone_from(&self.answer);
        self.refused.push((stage, problem.to_owned()));
        self.problem = None;
        // What was built is no product of the next answer.
        self.row.program = None;
        self.began.remove(&Phase::Build);
    }

    fn end(&mut self, phase: Phase, run: &RunOutcome, problem: Option<&str>) {
        self.began.remove(&phase);
        self.problem = match problem {
            None if *run != RunOutcome::Finished => Some(format!("{phase}: {run}")),
            told => told.map(str::to_owned),
        };
    }
}

/// Each score averaged with those of earlier runs.
fn mean(last: &BTreeMap<String, f64>, earlier: &[BTreeMap<String, f64>]) -> BTreeMap<String, f64> {
    let mean = |(name, score): (&String, &f64)| {
        let before: f64 = earlier.iter().filter_map(|scores| scores.get(name)).sum();
        (name.clone(), (score + before) / (earlier.len() + 1) as f64)
    };
    last.iter().map(mean).collect()
}

/// Speed of a training by the footer that it printed; nothing where that tells no time.
fn steps_per_s(claims: &str) -> Option<f64> {
    let claims = Claims::parse(claims)?;
    let speed = claims.num_steps as f64 / claims.training_seconds;
    speed.is_finite().then_some(speed)
}

/// The sandbox of which least can be said.
fn weaker(one: Option<Tier>, other: Option<Tier>) -> Option<Tier> {
    match (one?, other?) {
        (Tier::Full, tier) | (tier, Tier::Full) => Some(tier),
        _ => Some(Tier::Container),
    }
}

fn summary(stage: Stage, problem: &str) -> String {
    format!("{} failed: {}", stage.as_str(), telling(problem))
}

/// The line that says most: the first that speaks of an error, else the first.
pub fn telling(problem: &str) -> &str {
    let first = problem.lines().next().unwrap_or_default();
    problem.lines().find(|line| line.starts_with("error")).unwrap_or(first)
}
