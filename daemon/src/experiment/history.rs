//! What the entries of a session imply: rows, incumbent, the experiment in hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dfr_contract::submission::Submission;

use super::candidate::{Candidate, Next, Step};
use super::certificate;
use super::verdict::TAMPERED;
use super::{
    Caps, DeviceState, Directive, Entry, Evidence, Idea, Legacy, Machine, Notes, Pause, Phase,
    Purpose, SourceScore, Stage, Usage, Verdict,
};
use crate::tier::Tier;

/// Experiments whose notes are still read; older ones have become facts or stale.
pub const NOTED: usize = 200;

/// One decided experiment: a row of results.tsv and everything people ask about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Number of the experiment.
    pub experiment: u32,
    /// What it was for.
    pub purpose: Purpose,
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
    /// What the proposer wants remembered; of the last [`NOTED`] rows alone.
    pub notes: Notes,
    /// What it was about.
    pub idea: Idea,
    /// Lines of its training's log; of the last [`NOTED`] rows alone.
    pub curve: Vec<String>,
    /// Tokens spent, repairs included.
    pub usage: Usage,
    /// From the start of its training to the end, in seconds; 0 where no entry tells it.
    pub trained_s: f64,
    /// Of it, until its first step; 0 where no entry tells it.
    pub startup_s: f64,
    /// The same of its prediction.
    pub predicted_s: f64,
    /// The same of its last first step.
    pub smoked_s: f64,
    /// Seconds by phase; empty until settled.
    pub phase_seconds: BTreeMap<Phase, f64>,
    /// Wall time of the verdict, milliseconds since 1970.
    pub decided_at_ms: i64,
    /// The weakest sandbox that any of it ran in; none when some of it ran in none.
    pub sealed: Option<Tier>,
    /// Records of the validation part; 0 where an earlier version did not write it down.
    pub records: u64,
    /// Runs that its scores are means of.
    pub runs: u32,
    /// What a keep rests on.
    pub evidence: Option<Evidence>,
    /// How it did on each data set of the validation part; of a settled row only if it is a keep.
    pub sources: BTreeMap<String, SourceScore>,
    /// Official scores on the holdout by name, of a keep. For people alone: never for a proposer.
    pub holdout: BTreeMap<String, f64>,
    /// Why a keep does not stand on the holdout; none for one that does, or was never asked to.
    pub holdout_problem: Option<String>,
    /// SHA-256 of its program, where the task names one.
    pub program: Option<String>,
    /// The machine that it was trained on, where that is known.
    pub machine: Option<Arc<Machine>>,
    /// Steps of its training per second, by what it claims of them; 0 where it claims nothing.
    pub steps_per_s: f64,
}

impl Row {
    /// Whether its scores are what they look like.
    pub fn is_scored(&self) -> bool {
        self.verdict != Verdict::Crash && !self.is_tampered() && !self.metrics.is_empty()
    }

    /// Whether it was seen to cheat.
    pub fn is_tampered(&self) -> bool {
        self.reason.starts_with(TAMPERED)
    }
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
    /// What they cost in US dollars, as far as prices are known.
    pub cost_usd: f64,
    /// Time ever spent on the device.
    pub device_s: f64,
    /// Of it, measuring again what had scored well.
    pub again_s: f64,
    /// How long the daemons of earlier lives lived.
    pub lived_s: f64,
    /// The last heartbeat of them that is counted in it: its wall time, milliseconds since 1970.
    pub sign_ms: Option<i64>,
    /// What the session may spend, as the last start that named it did.
    pub caps: Caps,
    /// Where somebody else moved the branch (full object id), until that commit is the incumbent.
    pub diverged: Option<String>,
    /// Whether the machine itself is in doubt.
    pub environment: Environment,
    /// What is known of the GPUs.
    pub device: DeviceState,
    /// Waits of the session, oldest first: for what and for how many seconds.
    pub pauses: Vec<(Pause, f64)>,
    /// What a human wrote while the loop ran, oldest first.
    pub directives: Vec<Directive>,
    /// Keeps that were submitted to the competition, as it was noted before and after, oldest first.
    pub submissions: Vec<Submission>,
    /// Where the branch stood before a human returned to an earlier keep (full object id), until the
    /// next experiment.
    pub left_behind: Option<String>,
    /// What it took over from another session.
    pub legacy: Option<Legacy>,
    /// The machine that the session runs on, once that was written down.
    pub machine: Option<Arc<Machine>>,
    /// How often it was written down, once for each time that it was another one.
    pub(super) moves: u32,
    incumbent: Option<usize>,
    /// The incumbent that each row was compared with.
    compared: Vec<Option<usize>>,
    /// Rows that were there when a human last returned to an earlier keep.
    returned: usize,
    /// The newest experiment is about a human's commit.
    is_theirs: bool,
    /// Candidates in a row that crashed or that the machine never let end.
    crashes: u32,
    /// Experiments in a row without an answer that could be used.
    unusable: u32,
    /// The loop has waited since the last of them.
    has_rested: bool,
}

/// Whether crashes are the ideas' fault or the machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Environment {
    /// Nothing speaks against it.
    #[default]
    Sound,
    /// The incumbent was measured again and crashed.
    Down,
    /// The loop has waited; the incumbent is measured again.
    Probing,
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
    /// The best kept experiment: the last kept one, or the keep that a human returned to.
    pub fn incumbent(&self) -> Option<&Row> {
        self.incumbent.map(|at| &self.rows[at])
    }

    /// The incumbent as soon as its verdict is in, settled or not.
    pub fn best(&self) -> Option<&Row> {
        let decided = self.in_hand.as_ref().and_then(Candidate::decided);
        decided.filter(|row| row.verdict == Verdict::Keep).or_else(|| self.incumbent())
    }

    /// The keep that a decided row was compared with, if there was one.
    pub fn compared_with(&self, row: &Row) -> Option<&Row> {
        match self.rows.binary_search_by_key(&row.experiment, |row| row.experiment) {
            Ok(at) => self.compared[at].map(|at| &self.rows[at]),
            Err(_) => self.incumbent(),
        }
    }

    /// The keeps that led to the best one, oldest first, and that one. What a human left behind is
    /// not among them.
    pub fn line(&self) -> Vec<&Row> {
        let mut line: Vec<_> =
            std::iter::successors(self.best(), |row| self.compared_with(row)).collect();
        line.reverse();
        line
    }

    /// Every decided row, oldest first; the last one may not be settled yet.
    pub fn decided(&self) -> impl DoubleEndedIterator<Item = &Row> + Clone {
        self.rows.iter().chain(self.in_hand.as_ref().and_then(Candidate::decided))
    }

    /// Rows since a human last returned to an earlier keep, if one ever did.
    pub(super) fn since_return(&self) -> &[Row] {
        &self.rows[self.returned..]
    }

    /// Whether so many candidates crashed that the machine is in doubt, until the incumbent has run.
    pub fn doubts_the_machine(&self, crash_limit: u32) -> bool {
        self.environment == Environment::Probing || self.crashes >= crash_limit
    }

    /// Rows that are about finding something better.
    pub fn tried(&self) -> u32 {
        let rows = self.rows.iter().filter(|row| row.purpose != Purpose::Certify);
        u32::try_from(rows.count()).unwrap_or(u32::MAX)
    }

    /// The seed of what runs for the experiment in hand, when that of the session is this.
    pub fn seed(&self, session: u64) -> u64 {
        match &self.in_hand {
            Some(candidate) if candidate.purpose == Purpose::Certify => {
                certificate::seed(self, &candidate.parent, session)
            }
            Some(candidate) => candidate.seed(session),
            None => session,
        }
    }

    /// How often the incumbent was measured again, on this machine, to learn how scores differ by chance.
    pub(super) fn noise_runs(&self) -> u32 {
        let is_its = |row: &&Row| row.purpose == Purpose::Noise && self.is_of_here(row);
        let runs = self.rows.iter().filter(is_its);
        u32::try_from(runs.count()).unwrap_or(u32::MAX)
    }

    /// Whether the newest experiment, in hand or not, is about a human's commit.
    pub(super) fn is_theirs(&self) -> bool {
        self.is_theirs
    }

    /// How long the baseline took from its start to its first step, once it is settled.
    pub fn baseline_start(&self) -> Option<Duration> {
        let baseline = self.baseline()?;
        let settled = || baseline.phase_seconds.get(&Phase::Start).copied();
        known(baseline.startup_s)
            .or_else(|| settled().and_then(|start_s| Duration::try_from_secs_f64(start_s).ok()))
    }

    /// How long the baseline's training took as a whole, once it is settled and where it is known.
    pub fn baseline_trained(&self) -> Option<Duration> {
        known(self.baseline()?.trained_s)
    }

    /// How long the baseline's prediction took, once it is settled and where it is known.
    pub fn baseline_predicted(&self) -> Option<Duration> {
        known(self.baseline()?.predicted_s)
    }

    /// How long the baseline's first step took, once it is settled and where it is known.
    pub fn baseline_smoked(&self) -> Option<Duration> {
        known(self.baseline()?.smoked_s)
    }

    /// What the times of candidates are held against, whichever of them is the incumbent: what a human
    /// put there last, at the start or since, or what was measured on this machine first.
    fn baseline(&self) -> Option<&Row> {
        let mut keeps = self.rows[..=self.incumbent?].iter().filter(|r| r.verdict == Verdict::Keep);
        let first = keeps.next();
        keeps.rfind(|row| row.purpose.sets_the_pace()).or(first)
    }

    /// The number of the next experiment; the baseline is 0.
    pub fn next_experiment(&self) -> u32 {
        self.opened
    }

    /// Candidates in a row that crashed or that the machine never let end, since the incumbent was
    /// last known to run.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// How many experiments in a row had no answer that could be used, when they are so many that
    /// the next one should wait.
    pub fn unusable(&self, limit: u32) -> Option<u32> {
        (self.unusable >= limit && !self.has_rested).then_some(self.unusable)
    }

    /// The number that an entry gets now: that of the experiment in hand, else of the next one.
    pub fn current(&self) -> u32 {
        self.in_hand.as_ref().map_or(self.opened, |candidate| candidate.experiment)
    }

    /// Whether an entry can follow.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self, experiment: u32, entry: &Entry) -> Result<(), IllegalEntry> {
        let follows = match (entry, &self.in_hand) {
            (Entry::Opened { .. }, None) => experiment == self.opened,
            (Entry::Opened { .. }, Some(_)) => false,
            (Entry::RolledBack { to }, in_hand) => {
                in_hand.is_none() && experiment == self.current() && self.keep(*to).is_some()
            }
            (entry, _) if entry.is_of_the_session() => experiment == self.current(),
            (_, None) => false,
            (entry, Some(candidate)) => {
                candidate.experiment == experiment && candidate.next(entry).is_some()
            }
        };
        if follows { Ok(()) } else { Err(self.illegal(experiment, entry)) }
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
        self.check(experiment, entry)?;
        self.usage += entry.usage();
        self.cost_usd += entry.cost_usd();
        self.device_s += entry.device_s();
        if self.in_hand.as_ref().is_some_and(|candidate| candidate.rounds() > 0) {
            self.again_s += entry.device_s();
        }
        match entry {
            Entry::Opened { parent, proposer, purpose } => {
                self.in_hand = Some(Candidate::open(experiment, parent, (proposer, *purpose)));
                self.opened += 1;
                self.is_theirs = *purpose == Purpose::Adoption;
                self.left_behind = None;
            }
            Entry::RolledBack { to } => self.roll_back(*to),
            Entry::Resumed { lived_s, sign_ms, .. } => {
                self.lived_s += lived_s;
                self.sign_ms = *sign_ms;
            }
            Entry::Tested { what, seconds } => {
                if let Some(candidate) = self.in_hand.as_mut().filter(|_| what == SMOKE) {
                    candidate.row.smoked_s = *seconds;
                }
            }
            Entry::Capped { caps } => self.caps = *caps,
            Entry::Diverged { tip } => {
                let in_hand = self.in_hand.as_ref().and_then(|candidate| candidate.commit.as_ref());
                let is_back =
                    in_hand == Some(tip) || self.incumbent().is_some_and(|row| row.commit == *tip);
                self.diverged = (!is_back).then(|| tip.clone());
            }
            Entry::Tried { .. } => {}
            Entry::Inherited { legacy } => self.legacy = Some(legacy.clone()),
            Entry::Machine { machine } => {
                self.machine = Some(Arc::new(machine.clone()));
                self.moves += 1;
            }
            Entry::Directed { from, text } => {
                self.directives.push(Directive { from: *from, text: text.clone(), told: None });
            }
            Entry::Submitted { submission } => self.submissions.push(submission.clone()),
            Entry::Began { phase: Phase::Propose, .. } => {
                self.tell(experiment);
                self.advance(entry, at_ms);
            }
            Entry::Device { known } => self.device.clone_from(known),
            Entry::Paused { cause, seconds, .. } => self.went_on(*cause, *seconds),
            _ => self.advance(entry, at_ms),
        }
        Ok(())
    }

    /// Where the row of a kept experiment stands.
    fn keep(&self, experiment: u32) -> Option<usize> {
        let is_keep = |row: &Row| row.experiment == experiment && row.verdict == Verdict::Keep;
        self.rows.iter().position(is_keep)
    }

    fn roll_back(&mut self, to: u32) {
        self.left_behind = self.incumbent().map(|row| row.commit.clone());
        self.incumbent = self.keep(to);
        self.diverged = None;
        self.crashes = 0;
        self.returned = self.rows.len();
    }

    fn went_on(&mut self, cause: Pause, seconds: f64) {
        self.pauses.push((cause, seconds));
        self.has_rested |= cause == Pause::Endpoint;
        if cause == Pause::Environment && self.environment == Environment::Down {
            self.environment = Environment::Probing;
        }
    }

    fn advance(&mut self, entry: &Entry, at_ms: i64) {
        let Some(candidate) = &mut self.in_hand else { return };
        let next = candidate.next(entry);
        candidate.absorb(entry, at_ms);
        if matches!(entry, Entry::Began { phase: Phase::Train, .. }) {
            candidate.row.machine.clone_from(&self.machine);
        }
        match next {
            Some(Next::Step(step)) => candidate.step = step,
            Some(Next::Closed) => self.close(),
            None => {}
        }
    }

    fn close(&mut self) {
        let Some(candidate) = self.in_hand.take() else { return };
        if candidate.step != Step::Decided {
            self.give_up(&candidate);
            return;
        }
        (self.unusable, self.has_rested) = (0, false);
        let is_tampered = candidate.tampered.is_some();
        let row = candidate.row;
        self.compared.push(self.incumbent);
        if row.verdict == Verdict::Keep {
            self.incumbent = Some(self.rows.len());
            self.diverged.take_if(|tip| *tip == row.commit);
        }
        match (row.purpose, row.verdict) {
            (Purpose::Candidate, Verdict::Crash) => self.crashes += 1,
            // A machine that has become slower makes honest candidates look so: the incumbent tells.
            (Purpose::Candidate, Verdict::Discard) if is_tampered => self.crashes += 1,
            (
                Purpose::Control | Purpose::Moved | Purpose::Noise | Purpose::Certify,
                Verdict::Crash,
            ) => {
                self.environment = Environment::Down;
            }
            (_, Verdict::Keep | Verdict::Discard) => {
                self.crashes = 0;
                self.environment = Environment::Sound;
            }
            (Purpose::Baseline | Purpose::Adoption, Verdict::Crash) => {}
        }
        self.rows.push(row);
        self.forget();
    }

    /// Lets go of what nobody is told again, which would be most of what a long session holds.
    fn forget(&mut self) {
        if let Some(row) = self.rows.last_mut().filter(|row| row.verdict != Verdict::Keep) {
            row.sources = BTreeMap::new();
        }
        if let Some(stale) = self.rows.len().checked_sub(NOTED + 1) {
            self.rows[stale].notes = Notes::default();
            self.rows[stale].curve = Vec::new();
        }
    }

    /// Without a verdict: of a model that babbles, or a machine that never lets even what is known
    /// to run come to its end, there will be more.
    fn give_up(&mut self, candidate: &Candidate) {
        match candidate.purpose {
            _ if candidate.cut_short().is_none() => {}
            // Another idea would be paid for and given up as well: the incumbent tells.
            Purpose::Candidate => self.crashes += 1,
            _ => self.environment = Environment::Down,
        }
        if candidate.commit.is_none() && !candidate.refused.is_empty() {
            self.unusable += 1;
            self.has_rested = false;
        }
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

/// The word for a first step.
const SMOKE: &str = Stage::Smoke.as_str();

/// Ledgers of an early daemon do not tell how long a run took.
fn known(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
