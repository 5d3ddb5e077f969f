//! What must hold whenever the daemon is dead, however it died.

use std::collections::BTreeSet;
use std::fmt;

use dfr_daemon::experiment::{Entry, Phase, Purpose, Row, Verdict};
use dfr_daemon::notebook::results_tsv;
use dfr_daemon::session::Recorded;

use crate::ledger::Snapshot;
use crate::openai::COMPLETION_TOKENS;
use crate::report::{self, Goal};
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
        (Self::Chain, "keeps that are lost or made from something else"),
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

fn counted(violations: &[Violation]) -> Vec<report::Row> {
    let times = |rule| violations.iter().filter(|v| v.rule == rule).count() as f64;
    let row = |(rule, name)| report::Row::new(name, times(rule), "times", Goal::AtMost(0.0));
    Rule::ALL.map(row).into()
}

/// Prints and writes the figures that were counted, and how often each rule was broken.
pub fn tell(name: &str, counts: &[(&str, f64)], violations: &[Violation]) {
    let some = |(measure, count): &(&str, f64)| {
        report::Row::new(*measure, *count, "times", Goal::AtLeast(1.0))
    };
    let mut rows: Vec<_> = counts.iter().map(some).collect();
    rows.extend(counted(violations));
    report::write(name, &rows);
    println!("{}", report::table(&rows));
}

/// Fails with the first of them, told one a line.
#[track_caller]
pub fn none(violations: &[Violation]) {
    let told: Vec<_> = violations.iter().take(20).map(ToString::to_string).collect();
    assert!(violations.is_empty(), "{} violations\n{}", violations.len(), told.join("\n"));
}

/// What was known before a life: what it had not got around to is told apart from what an earlier
/// one left undone, and which it had to do before it was ready.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    pub entries: usize,
    pub was_ready: bool,
}

impl Since {
    fn is_new(self, at: usize) -> bool {
        at >= self.entries || !self.was_ready
    }
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

    /// The table holds what the ledger says; only a row that ended in this life may be missing.
    pub fn table(&mut self, snapshot: &Snapshot, table: &str, since: Since) {
        let rows: Vec<_> = snapshot.history.decided().cloned().collect();
        let text = |rows: &[Row]| results_tsv(&COLUMNS.map(str::to_owned), rows);
        let is_last = snapshot.is_decided_last();
        let late = snapshot.decided_at().is_some_and(|at| is_last && since.is_new(at));
        let fewer = rows.len().saturating_sub(usize::from(late));
        let not_yet = rows.is_empty() && table.is_empty();
        let holds = not_yet || table == text(&rows) || table == text(&rows[..fewer]);
        self.demand(holds, Rule::Table, || format!("{table}\nand not\n{}", text(&rows)));
    }

    /// The branch is on the incumbent, on a candidate of the experiment in hand or of one that ended
    /// in this life, or on a human's commit.
    pub fn branch(&mut self, snapshot: &Snapshot, git: &Git, since: Since) {
        let incumbent = snapshot.incumbent();
        let tip = git.refs.get("refs/heads/autoresearch/t");
        let in_hand = snapshot.history.in_hand.as_ref().map(|candidate| candidate.experiment);
        let ended = snapshot.last().filter(|(at, _)| since.is_new(*at)).map(|(_, r)| r.experiment);
        let candidates: Vec<_> = in_hand.or(ended).iter().flat_map(|n| git.kept(*n)).collect();
        let explained = |tip: &String| {
            *tip == incumbent || candidates.contains(&tip) || git.foreign.contains(tip)
        };
        // A session stands in the ledger before its branch is made.
        let not_yet = tip.is_none() && snapshot.history.opened == 0;
        self.demand(not_yet || tip.is_some_and(explained), Rule::Branch, || {
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

    /// Every keep is there and was made from what its row says, which is the base or an earlier keep:
    /// from the incumbent, where the branch is, the first parents lead back over keeps alone, but for
    /// what came with a human's commit.
    pub fn chain(&mut self, snapshot: &Snapshot, git: &Git) {
        let parents = git.first_parents();
        let mut earlier = BTreeSet::from([&snapshot.base]);
        for row in snapshot.history.decided().filter(|row| row.verdict == Verdict::Keep) {
            let Row { experiment, commit, parent, .. } = row;
            let found = parents.get(commit);
            // What is measured as it is was made by somebody else.
            let is_made = row.purpose == Purpose::Candidate;
            let holds = match found {
                Some(made_from) if is_made => {
                    made_from.as_ref() == Some(parent) && earlier.contains(parent)
                }
                found => found.is_some(),
            };
            self.demand(holds, Rule::Chain, || {
                format!("{experiment}, {commit} of {parent}, but git says {found:?}")
            });
            earlier.insert(commit);
        }
    }
}

/// What was spent and left no entry behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded {
    pub proposals: i64,
    pub runs: i64,
}

impl Unrecorded {
    /// An answer is recorded with the tokens that the endpoint says it brought.
    pub fn new(entries: &[Recorded], asked: usize, ran: usize) -> Self {
        let of = |wanted: fn(&Entry) -> bool| entries.iter().filter(|r| wanted(&r.entry)).count();
        let answers = of(|entry| {
            let is_trial = matches!(entry, Entry::Tried { .. });
            !is_trial && entry.usage().completion_tokens == COMPLETION_TOKENS
        });
        // One whose log found no room is written down as cut short, and repeated.
        let runs = of(|entry| {
            let was_cut = matches!(entry, Entry::Interrupted { phase: Phase::Train, .. });
            was_cut || matches!(entry, Entry::Ran { .. })
        });
        let beyond = |spent: usize, recorded: usize| {
            spent.cast_signed() as i64 - recorded.cast_signed() as i64
        };
        Self { proposals: beyond(asked, answers), runs: beyond(ran, runs) }
    }
}
