//! What must hold whenever the daemon is dead, however it died.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dfr_daemon::experiment::{Entry, Row, Stage, Verdict};
use dfr_daemon::notebook::results_tsv;
use dfr_daemon::session::Recorded;
use serde_json::Value;

use crate::ledger::Snapshot;
use crate::report::{Goal, row};
use crate::repository::Git;

/// Columns of the tests' task.
const COLUMNS: [&str; 2] = ["sn34_score", "accuracy"];

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Lost,
    Doubled,
    Table,
    Branch,
    Unreachable,
    Chain,
    Lock,
    Proposal,
    Run,
    Survivor,
    Fsck,
    Integrity,
    GoesOn,
    Verdict,
}

impl Rule {
    const ALL: [(Self, &'static str); 14] = [
        (Self::Lost, "entries lost, changed or out of order"),
        (Self::Doubled, "verdicts or experiments doubled or missing"),
        (Self::Table, "results.tsv unlike the ledger"),
        (Self::Branch, "branch neither on incumbent nor candidate"),
        (Self::Unreachable, "candidates out of reach"),
        (Self::Chain, "kept rows that are not the branch"),
        (Self::Lock, "locks of git left by an earlier life"),
        (Self::Proposal, "proposals repeated beyond one a kill"),
        (Self::Run, "runs repeated beyond one a kill"),
        (Self::Survivor, "processes that outlived a kill"),
        (Self::Fsck, "complaints of git fsck --strict"),
        (Self::Integrity, "complaints of the ledger's integrity check"),
        (Self::GoesOn, "lives that ended by themselves"),
        (Self::Verdict, "verdicts that a fault changed"),
    ];
}

/// One broken rule, with everything needed to see how.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    pub told: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.told)
    }
}

/// Rows of a report: how often each rule was broken.
pub fn counted(violations: &[Violation]) -> Vec<Value> {
    let times = |rule| violations.iter().filter(|v| v.rule == rule).count() as f64;
    Rule::ALL.map(|(rule, name)| row(name, times(rule), "times", Some(Goal::AtMost(0.0)))).into()
}

/// Fails with the first of them, told one a line.
#[track_caller]
pub fn none(violations: &[Violation]) {
    let told: Vec<_> = violations.iter().take(20).map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations\n{}", violations.len(), told.join("\n"));
}

/// Collects what is broken.
#[derive(Default)]
pub struct Findings(pub Vec<Violation>);

impl Findings {
    pub fn demand(&mut self, holds: bool, rule: Rule, told: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Violation { rule, told: told() });
        }
    }

    /// Everything that was seen before is still there, and nothing stands between.
    pub fn nothing_lost(&mut self, before: &[Recorded], now: &[Recorded]) {
        let same = before.iter().zip(now).take_while(|(a, b)| a == b).count();
        let told = || format!("{:?} became {:?}", before.get(same), now.get(same));
        self.demand(same == before.len(), Rule::Lost, told);
    }

    /// Experiments are numbered without a gap, and each is begun and decided once.
    pub fn nothing_doubled(&mut self, entries: &[Recorded]) {
        let of = |wanted: fn(&Entry) -> bool| {
            entries.iter().filter(move |r| wanted(&r.entry)).map(|r| r.experiment)
        };
        let opened: Vec<_> = of(|entry| matches!(entry, Entry::Opened { .. })).collect();
        let gapless = opened.iter().copied().eq((0..).take(opened.len()));
        self.demand(gapless, Rule::Doubled, || format!("begun were {opened:?}"));
        let mut decided = BTreeSet::new();
        for n in of(|entry| matches!(entry, Entry::Decided { .. })) {
            self.demand(decided.insert(n), Rule::Doubled, || format!("{n} was decided twice"));
        }
    }

    /// The table holds what the ledger says; only between a verdict and what follows from it may
    /// the last row be missing.
    pub fn table(&mut self, snapshot: &Snapshot, table: &str) {
        let rows: Vec<_> = snapshot.history.decided().cloned().collect();
        let text = |rows: &[Row]| results_tsv(&COLUMNS.map(str::to_owned), rows);
        let last = snapshot.entries.last().map(|recorded| &recorded.entry);
        let late = matches!(last, Some(Entry::Decided { .. } | Entry::Settled { .. }));
        let fewer = rows.len().saturating_sub(usize::from(late));
        let not_yet = rows.len() == fewer && rows.is_empty() && table.is_empty();
        let holds = not_yet || table == text(&rows) || table == text(&rows[..fewer]);
        self.demand(holds, Rule::Table, || format!("{table}\nand not\n{}", text(&rows)));
    }

    /// The branch is where the ledger can explain it, and holds what was kept.
    pub fn branch(&mut self, snapshot: &Snapshot, git: &Git) {
        let incumbent = snapshot.incumbent();
        let tip = git.refs.get("refs/heads/autoresearch/t");
        let in_hand = snapshot.history.in_hand.as_ref();
        let is_candidate =
            |tip: &String| in_hand.is_some_and(|c| git.kept(c.experiment).any(|kept| kept == tip));
        let holds = tip.is_some_and(|tip| *tip == incumbent || is_candidate(tip));
        self.demand(holds, Rule::Branch, || {
            let candidates: Vec<_> = in_hand.iter().flat_map(|c| git.kept(c.experiment)).collect();
            format!("on {tip:?}, not on {incumbent} nor one of {candidates:?}")
        });
    }

    pub fn candidates_are_reachable(&mut self, entries: &[Recorded], git: &Git) {
        for recorded in entries {
            if let Entry::Committed { commit } = &recorded.entry {
                let n = recorded.experiment;
                let holds = git.kept(n).any(|kept| kept == commit);
                self.demand(holds, Rule::Unreachable, || format!("{commit} of {n}"));
            }
        }
    }

    /// What was kept is the branch, from the base to the incumbent.
    pub fn chain(&mut self, snapshot: &Snapshot, git: &Git) {
        let kept = snapshot.history.decided().filter(|row| row.verdict == Verdict::Keep);
        let kept: Vec<_> = kept.map(|row| row.commit.clone()).collect();
        let kept: Vec<_> = kept.into_iter().rev().filter(|c| *c != snapshot.base).collect();
        let chain = git.first_parents(&snapshot.base, kept.first().unwrap_or(&snapshot.base));
        self.demand(kept == chain, Rule::Chain, || format!("{kept:?}\nbut git says\n{chain:?}"));
    }
}

/// What was spent and left no entry behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded {
    pub proposals: i64,
    pub runs: i64,
}

impl Unrecorded {
    pub fn new(entries: &[Recorded], asked: usize, ran: usize) -> Self {
        let mut answered = 0;
        let mut recorded_runs = 0;
        let mut proposers = BTreeMap::new();
        for Recorded { experiment, entry, .. } in entries {
            match entry {
                Entry::Opened { proposer, .. } => drop(proposers.insert(experiment, proposer)),
                Entry::Proposed { .. } if proposers[experiment] != "baseline" => answered += 1,
                Entry::Refused { stage: Stage::Patch, .. } => answered += 1,
                Entry::Ran { .. } => recorded_runs += 1,
                _ => {}
            }
        }
        let beyond = |spent: usize, recorded: i64| i64::try_from(spent).unwrap() - recorded;
        Self { proposals: beyond(asked, answered), runs: beyond(ran, recorded_runs) }
    }
}
