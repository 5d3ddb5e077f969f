//! Ledger entries: events in the past tense, the truth from which everything else is derived.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Phase, RunOutcome, Verdict};

/// What happened in an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// An experiment was begun from a parent commit.
    Opened {
        /// The incumbent, or the base for the baseline (full object id).
        parent: String,
        /// Who proposes: `baseline`, `playbook`, `scripted` or `llm:<model>`.
        proposer: String,
    },
    /// The proposer answered and the answer was understood.
    Proposed {
        /// One sentence: what is expected to happen and why.
        hypothesis: String,
        /// The short text of the results row.
        description: String,
        /// Notes for STATE.md.
        notes: Notes,
        /// Tokens spent on this answer.
        usage: Usage,
    },
    /// An answer failed in a stage that allows a repair turn.
    Refused {
        /// Where it failed.
        stage: Stage,
        /// The message given to the proposer.
        problem: String,
        /// Tokens spent, when the answer itself was not understood.
        usage: Usage,
    },
    /// The candidate was committed, kept under its own ref, and the branch moved to it.
    Committed {
        /// Full object id.
        commit: String,
    },
    /// The candidate built and took its smoke step.
    Built,
    /// The trainer ended.
    Ran {
        /// How.
        run: RunOutcome,
    },
    /// Prediction ended.
    Predicted {
        /// How.
        run: RunOutcome,
    },
    /// Official scores were computed from the predictions.
    Scored {
        /// By name, as plain fractions.
        metrics: BTreeMap<String, f64>,
        /// Peak device memory as the trainer claims it, in MiB.
        peak_vram_mb: f64,
    },
    /// The verdict: the point of no return of an experiment.
    Decided {
        /// Keep, discard or crash.
        verdict: Verdict,
        /// Always present, for people.
        reason: String,
    },
    /// Branch, results.tsv and STATE.md agree with the verdict.
    Settled {
        /// Where the time went, in seconds.
        phase_seconds: BTreeMap<Phase, f64>,
    },
    /// Ended without a verdict: no patch ever applied, or the daemon was stopped or died.
    Abandoned {
        /// Why.
        reason: String,
    },
}

impl Entry {
    /// Tokens spent on the answer that this entry tells of.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Proposed { usage, .. } | Self::Refused { usage, .. } => *usage,
            _ => Usage::default(),
        }
    }
}

/// The stages of a proposal that share two repair turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Parsing, scope and application of the edits.
    Patch,
    /// Compiling the candidate.
    Build,
    /// One forward and backward step.
    Smoke,
}

impl Stage {
    /// The word in logs and prompts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Build => "build",
            Self::Smoke => "smoke",
        }
    }
}

/// What a proposer wants remembered, by section of STATE.md.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// Patterns that helped.
    pub worked: Vec<String>,
    /// Ideas that did not.
    pub failed: Vec<String>,
    /// What to try next, best first.
    pub next: Vec<String>,
    /// Anything surprising.
    pub observations: Vec<String>,
}

/// Tokens of one or more calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Tokens received.
    pub completion_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
    }
}
