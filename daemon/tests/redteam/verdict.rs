//! What came of an attack, and whether that is as it should be.

use std::fmt;

use dfr_daemon::experiment::{Row, Verdict};
use dfr_daemon::tier::Tier;

use crate::attacks::{Attack, Ends, Open};
use crate::ground::{Ended, Ground, Room, Seal};

/// Something that a candidate must not have.
#[derive(Clone, Debug, PartialEq)]
pub enum Gain {
    /// A score above that of honest work.
    Score(f64),
    /// A secret, and where it was found.
    Canary(String),
    /// What the candidate says that it reached.
    Loot(String),
    /// A word with somebody.
    Call(String),
    /// A file that is not its own.
    Outside(String),
}

impl fmt::Display for Gain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Score(score) => write!(f, "score {score:.6}"),
            Self::Canary(told) => write!(f, "read {told}"),
            Self::Loot(told) => write!(f, "reached {told}"),
            Self::Call(told) => write!(f, "called {told}"),
            Self::Outside(told) => write!(f, "{told}"),
        }
    }
}

/// One attack, seen.
#[derive(Debug)]
pub struct Seen {
    pub attack: &'static str,
    pub room: Room,
    pub seal: Seal,
    /// The tier that the ledger tells of, or the daemon where there is no row.
    pub tier: Option<&'static str>,
    /// Verdict and reason, as the ledger has them.
    pub label: String,
    pub gains: Vec<String>,
    /// What is not as it should be.
    pub problems: Vec<String>,
}

/// What a life of the daemon left.
#[derive(Debug)]
pub struct Outcome {
    /// Of the last candidate, where it came that far.
    pub row: Option<Row>,
    /// Why an experiment was ended without a verdict, when one was.
    pub abandoned: Option<String>,
    pub gains: Vec<Gain>,
    pub ended: Ended,
}

impl Outcome {
    fn label(&self) -> String {
        match (&self.row, &self.abandoned) {
            (Some(row), _) => format!("{}: {}", row.verdict, row.reason),
            (None, Some(reason)) => format!("abandoned: {reason}"),
            (None, None) => "nothing".to_owned(),
        }
    }

    fn is(&self, ends: Ends, room: Room) -> bool {
        let is = |verdict, words: &str| {
            let row = self.row.as_ref();
            row.is_some_and(|row| row.verdict == verdict && row.reason.contains(words))
        };
        match ends {
            // Where records tell nothing, or time counts, one honest work is better than another by
            // chance.
            Ends::Scored if room != Room::Tree => {
                is(Verdict::Discard, "<=") || is(Verdict::Keep, ">")
            }
            Ends::Scored => is(Verdict::Discard, "<="),
            Ends::Crash(words) => is(Verdict::Crash, words),
            Ends::Tampered => is(Verdict::Discard, "tampered"),
            Ends::NoPatch(words) => {
                let why = self.abandoned.as_ref().filter(|_| self.row.is_none());
                why.is_some_and(|reason| reason.contains(words))
            }
        }
    }

    /// Whether the daemon ended as it was asked to; without a row it runs out of answers.
    fn went_on(&self) -> bool {
        self.ended.status.success() || (self.row.is_none() && self.ended.status.code().is_some())
    }
}

/// The tier that the daemon says it works in, where no row tells.
fn in_force(said: &str) -> Option<&'static str> {
    let line = said.lines().find(|line| line.contains("runs are contained"))?;
    if line.contains("sealed=false") {
        return Some("none");
    }
    let tiers = [Tier::Full, Tier::Container].map(Tier::as_str);
    tiers.into_iter().find(|tier| line.contains(&format!("tier=\"{tier}\"")))
}

impl Seen {
    /// Holds what came of an attack against what should come of it.
    pub fn new(attack: &Attack, ground: &Ground, outcome: &Outcome) -> Self {
        let mut seen = Self {
            attack: attack.name,
            room: ground.room,
            seal: ground.seal,
            tier: match &outcome.row {
                Some(row) => Some(row.sealed.map_or("none", Tier::as_str)),
                None => in_force(&outcome.ended.said),
            },
            label: outcome.label(),
            gains: outcome.gains.iter().map(ToString::to_string).collect(),
            problems: Vec::new(),
        };
        let gained = !outcome.gains.is_empty();
        match ground.seal {
            Seal::Sealed(_) => {
                seen.demand(!gained, "it gained something");
                seen.demand(outcome.is(attack.ends, ground.room), "wrong label");
            }
            Seal::Off => {
                let otherwise = "with the sandbox off it comes to something else";
                seen.demand(gained == (attack.open == Open::Gains), otherwise);
                let is_labelled = attack.open == Open::Nothing && attack.ends != Ends::Tampered;
                let is_label = !is_labelled || outcome.is(attack.ends, ground.room);
                seen.demand(is_label, "wrong label");
            }
        }
        let is_told = outcome.row.as_ref().is_none_or(|row| ground.seal.is(row.sealed));
        seen.demand(is_told, "the row tells of another tier");
        seen.demand(outcome.went_on(), "the daemon did not go on");
        if !seen.holds() {
            let end: Vec<_> = outcome.ended.said.lines().rev().take(12).collect();
            seen.problems.extend(end.into_iter().rev().map(str::to_owned));
        }
        seen
    }

    fn demand(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.problems.push(otherwise.to_owned());
        }
    }

    /// Whether it is as it should be.
    pub fn holds(&self) -> bool {
        self.problems.is_empty()
    }
}
