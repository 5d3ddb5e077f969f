//! What the entries of a session imply: rows, incumbent, the experiment in hand.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Entry, Notes, Phase, Usage, Verdict};

/// One decided experiment: a row of results.tsv and everything people ask about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of the experiment.
    pub experiment: u32,
    /// Full object id of the candidate.
    pub commit: String,
    /// Full object id it was made from.
    pub parent: String,
    /// Official scores by name; empty for a crash.
    pub metrics: BTreeMap<String, f64>,
    /// Peak device memory in MiB, as claimed; 0 for a crash.
    pub peak_vram_mb: f64,
    /// Keep, discard or crash.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What was expected.
    pub hypothesis: String,
    /// What was tried, short.
    pub description: String,
    /// Who proposed it.
    pub proposer: String,
    /// What the proposer wants remembered.
    pub notes: Notes,
    /// Tokens spent, repairs included.
    pub usage: Usage,
    /// Seconds by phase; empty until settled.
    pub phase_seconds: BTreeMap<Phase, f64>,
    /// Wall time of the verdict, milliseconds since 1970.
    pub decided_at_ms: i64,
}

/// The experiment in hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Number of the experiment.
    pub experiment: u32,
    /// Full object id it is made from.
    pub parent: String,
    /// Full object id of the newest commit, once there is one.
    pub commit: Option<String>,
    step: Step,
    row: Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opened,
    Proposed,
    Committed,
    Built,
    Ran,
    Predicted,
    Scored,
    Decided,
}

/// The state of a session, folded from its entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Decided experiments, oldest first.
    pub rows: Vec<Row>,
    /// The experiment that is not settled yet.
    pub in_hand: Option<Candidate>,
    /// Experiments ever opened; the next number is one more.
    pub opened: u32,
    /// Tokens ever spent, those of abandoned experiments included.
    pub usage: Usage,
    incumbent: Option<usize>,
}

/// An entry that cannot follow what came before it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("experiment {experiment}: entry `{entry}` cannot follow {after}")]
pub struct IllegalEntry {
    /// Experiment of the entry.
    pub experiment: u32,
    /// Kind of the entry.
    pub entry: String,
    /// What stands before it.
    pub after: String,
}

impl History {
    /// The best kept experiment, which is also the last kept one.
    pub fn incumbent(&self) -> Option<&Row> {
        self.incumbent.map(|at| &self.rows[at])
    }

    /// Every decided row, oldest first; the last one may not be settled yet.
    pub fn decided(&self) -> impl DoubleEndedIterator<Item = &Row> + Clone {
        self.rows.iter().chain(self.in_hand.as_ref().and_then(Candidate::decided))
    }

    /// How long the baseline took from its start to its first step, once it is settled.
    pub fn baseline_start(&self) -> Option<Duration> {
        let baseline = self.rows.iter().find(|row| row.verdict == Verdict::Keep)?;
        let start_s = *baseline.phase_seconds.get(&Phase::Start)?;
        Duration::try_from_secs_f64(start_s).ok()
    }

    /// The number of the next experiment; the baseline is 0.
    pub fn next_experiment(&self) -> u32 {
        self.opened
    }

    /// Takes one entry in, in the order in which they were recorded.
    ///
    /// # Errors
    /// An entry that cannot follow; the history is unchanged then.
    pub fn apply(
        &mut self,
        experiment: u32,
        entry: &Entry,
        at_ms: i64,
    ) -> Result<(), IllegalEntry> {
        if let Entry::Opened { parent, proposer } = entry {
            if self.in_hand.is_some() || experiment != self.opened {
                return Err(self.illegal(experiment, entry));
            }
            self.in_hand = Some(Candidate::open(experiment, parent, proposer));
            self.opened += 1;
            return Ok(());
        }
        let candidate = self.in_hand.as_mut().filter(|c| c.experiment == experiment);
        let Some((candidate, next)) = candidate.and_then(|c| c.next_step(entry).map(|n| (c, n)))
        else {
            return Err(self.illegal(experiment, entry));
        };
        self.usage += entry.usage();
        candidate.absorb(entry, at_ms);
        match next {
            Next::Step(step) => candidate.step = step,
            Next::Closed => self.close(),
        }
        Ok(())
    }

    fn close(&mut self) {
        let Some(candidate) = self.in_hand.take() else { return };
        if candidate.step != Step::Decided {
            return;
        }
        if candidate.row.verdict == Verdict::Keep {
            self.incumbent = Some(self.rows.len());
        }
        self.rows.push(candidate.row);
    }

    fn illegal(&self, experiment: u32, entry: &Entry) -> IllegalEntry {
        let after = match &self.in_hand {
            Some(c) => format!("{:?} of experiment {}", c.step, c.experiment),
            None => format!("{} closed experiments", self.opened),
        };
        let entry = format!("{entry:?}");
        let entry = entry.split([' ', '{']).next().unwrap_or_default().to_owned();
        IllegalEntry { experiment, entry, after }
    }
}

enum Next {
    Step(Step),
    Closed,
}

impl Candidate {
    fn open(experiment: u32, parent: &str, proposer: &str) -> Self {
        let row = Row {
            experiment,
            commit: parent.to_owned(),
            parent: parent.to_owned(),
            metrics: BTreeMap::new(),
            peak_vram_mb: 0.0,
            verdict: Verdict::Crash,
            reason: String::new(),
            hypothesis: String::new(),
            description: String::new(),
            proposer: proposer.to_owned(),
            notes: Notes::default(),
            usage: Usage::default(),
            phase_seconds: BTreeMap::new(),
            decided_at_ms: 0,
        };
        Self { experiment, parent: parent.to_owned(), commit: None, step: Step::Opened, row }
    }

    /// The row as decided, when the verdict is in.
    pub fn decided(&self) -> Option<&Row> {
        (self.step == Step::Decided).then_some(&self.row)
    }

    fn next_step(&self, entry: &Entry) -> Option<Next> {
        use Step::{Built, Committed, Decided, Opened, Predicted, Proposed, Ran, Scored};
        let step = match (entry, self.step) {
            (Entry::Opened { .. }, _) => return None,
            (Entry::Proposed { .. } | Entry::Refused { .. }, Opened) => match entry {
                Entry::Proposed { .. } => Proposed,
                _ => Opened,
            },
            (Entry::Refused { .. }, Proposed | Committed) => Opened,
            (Entry::Committed { .. }, Proposed) => Committed,
            (Entry::Built, Committed) => Built,
            (Entry::Ran { .. }, Built) => Ran,
            (Entry::Predicted { .. }, Ran) => Predicted,
            (Entry::Scored { .. }, Predicted) => Scored,
            (Entry::Decided { .. }, Opened | Ran | Predicted | Scored) if self.commit.is_some() => {
                Decided
            }
            (Entry::Settled { .. }, Decided) => return Some(Next::Closed),
            (Entry::Abandoned { .. }, step) if step != Decided => return Some(Next::Closed),
            _ => return None,
        };
        Some(Next::Step(step))
    }

    fn absorb(&mut self, entry: &Entry, at_ms: i64) {
        let row = &mut self.row;
        match entry {
            Entry::Proposed { hypothesis, description, notes, usage } => {
                row.hypothesis.clone_from(hypothesis);
                row.description.clone_from(description);
                row.notes.clone_from(notes);
                row.usage += *usage;
            }
            Entry::Refused { usage, .. } => row.usage += *usage,
            Entry::Committed { commit } => {
                row.commit.clone_from(commit);
                self.commit = Some(commit.clone());
            }
            Entry::Scored { metrics, peak_vram_mb } => {
                row.metrics.clone_from(metrics);
                row.peak_vram_mb = *peak_vram_mb;
            }
            Entry::Decided { verdict, reason } => {
                row.verdict = *verdict;
                row.reason.clone_from(reason);
                row.decided_at_ms = at_ms;
            }
            Entry::Settled { phase_seconds } => row.phase_seconds.clone_from(phase_seconds),
            Entry::Opened { .. }
            | Entry::Built
            | Entry::Ran { .. }
            | Entry::Predicted { .. }
            | Entry::Abandoned { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
