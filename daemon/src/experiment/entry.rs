//! Ledger entries: events in the past tense, the truth from which everything else is derived.

use std::collections::BTreeMap;
use std::fmt;

use dfr_contract::submission::Submission;
use serde::{Deserialize, Serialize};

use super::{Caps, Evidence, Idea, Machine, Phase, Place, RunOutcome, Verdict};
use crate::tier::Tier;

/// What happened in an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// An experiment was begun from a parent commit.
    Opened {
        /// The incumbent, or the base for the baseline (full object id).
        parent: String,
        /// Who proposes: `baseline`, `human`, `control`, `playbook`, `scripted` or `llm:<model>`.
        proposer: String,
        /// What it is for.
        #[serde(default)]
        purpose: Purpose,
    },
    /// Something that takes long, costs or may take the machine down was begun: asking, building,
    /// training or predicting.
    Began {
        /// Which.
        phase: Phase,
        /// The sandbox that it runs in; none when it runs in none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sealed: Option<Tier>,
        /// What may be charged for it though nobody hears how it ended; none where nothing is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stake: Option<Stake>,
    },
    /// The proposer answered.
    Answered {
        /// The answer as it came; empty when there was none that could be used.
        text: String,
        /// Why it cannot be used, when that is plain without reading it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// Who answered: not always the one asked first.
        proposer: String,
        /// Tokens spent on it.
        usage: Usage,
        /// What they cost in US dollars; 0 where nothing is charged or no price is known.
        cost_usd: f64,
    },
    /// The answer asked to look at something, and was answered.
    Looked,
    /// A request went out and no answer came back: its tokens, as estimated, may be charged.
    Lost {
        /// Tokens sent.
        usage: Usage,
        /// What they may cost in US dollars.
        cost_usd: f64,
    },
    /// The answer was understood.
    Proposed {
        /// One sentence: what is expected to happen and why.
        hypothesis: String,
        /// The short text of the results row.
        description: String,
        /// Notes for STATE.md.
        notes: Notes,
        /// What it is about.
        #[serde(default)]
        idea: Idea,
        /// Tokens spent on this answer, where no entry of its own tells them.
        #[serde(default)]
        usage: Usage,
    },
    /// An answer failed in a stage that allows a repair turn.
    Refused {
        /// Where it failed.
        stage: Stage,
        /// The message given to the proposer.
        problem: String,
        /// What it did to look better than it is, when that was seen: what counts if it is the last
        /// answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tampered: Option<String>,
        /// Tokens spent, where no entry of their own tells them.
        #[serde(default)]
        usage: Usage,
    },
    /// The candidate was committed and kept under its own ref.
    Committed {
        /// Full object id.
        commit: String,
    },
    /// The candidate built and took its smoke step.
    Built {
        /// SHA-256 of the program that came of it, where the task names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// The trainer ended.
    Ran {
        /// How.
        run: RunOutcome,
        /// From its start to its end.
        #[serde(default)]
        seconds: f64,
        /// From its start to its first step; 0 where an early daemon did not write it down.
        #[serde(default)]
        startup_s: f64,
        /// The footer that it printed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claims: Option<String>,
        /// Some lines of its log, which tell how it went.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        curve: Vec<String>,
        /// Why the candidate cannot be predicted with, in words; none when it can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// What it did to look better than it is, when that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tampered: Option<String>,
    },
    /// Prediction ended.
    Predicted {
        /// How.
        run: RunOutcome,
        /// From its start to its end.
        #[serde(default)]
        seconds: f64,
        /// Why the candidate cannot be scored, in words; none when it can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
        /// What it did to look better than it is, when that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tampered: Option<String>,
    },
    /// Something that had begun was cut short by the machine or a human, not by the candidate. It is
    /// repeated, unless the experiment is given up.
    Interrupted {
        /// What.
        phase: Phase,
        /// Why, for people.
        why: String,
        /// How long it had taken.
        seconds: f64,
    },
    /// Official scores were computed from the predictions.
    Scored {
        /// By name, as plain fractions.
        metrics: BTreeMap<String, f64>,
        /// Peak device memory as the trainer claims it, in MiB.
        peak_vram_mb: f64,
        /// Records that they were computed from; 0 where an earlier version did not write it down.
        #[serde(default)]
        records: u64,
        /// How it did on each data set, by name.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        sources: BTreeMap<String, SourceScore>,
        /// What it did to look better than it is, when that was seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tampered: Option<String>,
    },
    /// It scored well enough to be measured once more, with another seed, before anything is believed.
    Again,
    /// What the candidate left cannot be scored.
    Unscored {
        /// Why.
        reason: String,
    },
    /// The verdict: the point of no return of an experiment.
    Decided {
        /// Keep, discard or crash.
        verdict: Verdict,
        /// Always present, for people.
        reason: String,
        /// What a keep rests on; nothing where it had nothing to beat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
    },
    /// A kept candidate was measured on the holdout, which decides nothing and which no proposer is
    /// told of.
    HeldOut {
        /// By name, as plain fractions; empty when there is a problem.
        metrics: BTreeMap<String, f64>,
        /// From the start of the prediction to its end.
        seconds: f64,
        /// Why there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    },
    /// Branch, results.tsv and STATE.md agree with the verdict.
    Settled {
        /// Where the time went, in seconds.
        phase_seconds: BTreeMap<Phase, f64>,
    },
    /// Ended without a verdict: no patch ever applied, a human stopped it, or the machine did, again
    /// and again.
    Abandoned {
        /// Why.
        reason: String,
    },
    /// Not of one experiment: a daemon took the session up again.
    Resumed {
        /// How long the last daemon lived, as its last heartbeat tells.
        lived_s: f64,
        /// Of it, on the device in a run that it did not see end, in seconds.
        #[serde(default)]
        device_s: f64,
        /// Wall time of that heartbeat, milliseconds since 1970, by which it is known and not counted
        /// again; none where an earlier version did not write it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign_ms: Option<i64>,
    },
    /// Not of one experiment: a program that is no run of a trainer was on the device.
    Tested {
        /// What for: `smoke`, a candidate's first step, or `canary`.
        what: String,
        /// For how long.
        seconds: f64,
    },
    /// Not of one experiment: a start named what the session may spend from now on.
    Capped {
        /// The caps in force, those of earlier starts included.
        caps: Caps,
    },
    /// Not of one experiment: somebody else moved the branch.
    Diverged {
        /// Where it stands now (full object id).
        tip: String,
    },
    /// Not of one experiment: the loop had to wait, and goes on.
    Paused {
        /// For what.
        cause: Pause,
        /// Why, for people.
        why: String,
        /// For how long.
        seconds: f64,
    },
    /// Not of one experiment: the endpoint was asked for one token before the session began.
    Tried {
        /// Tokens spent on it.
        usage: Usage,
        /// What they cost in US dollars; 0 where nothing is charged or no price is known.
        cost_usd: f64,
    },
    /// Not of one experiment: something was learned of the GPUs.
    Device {
        /// All that is known of them now.
        known: DeviceState,
    },
    /// Not of one experiment: a human wrote something for the next proposal.
    Directed {
        /// Where.
        from: Place,
        /// One line.
        text: String,
    },
    /// Not of one experiment: a daemon took the session up on a machine that is not the last one.
    Machine {
        /// What scores depend on beside the recipe.
        machine: Machine,
    },
    /// Not of one experiment: the session began where another one had come to.
    Inherited {
        /// From which, and what it had found out.
        legacy: Legacy,
    },
    /// Not of one experiment: a keep is being submitted to the competition, or was.
    Submitted {
        /// Which, to whom, and how that ended.
        submission: Submission,
    },
    /// Not of one experiment: a human returned to an earlier keep.
    RolledBack {
        /// The experiment that is the incumbent again.
        to: u32,
    },
}

/// Records of one data set in the part that decides, and how many of them were told right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceScore {
    /// Records.
    pub records: u64,
    /// Of them, on the right side of one half.
    pub correct: u64,
}

/// What an experiment is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Measures the recipe as the session found it: the score to beat.
    Baseline,
    /// Measures a proposal.
    #[default]
    Candidate,
    /// Measures a human's commit on the branch, which becomes the incumbent.
    Adoption,
    /// Measures the incumbent again, to tell bad ideas from a broken machine.
    Control,
    /// Measures the incumbent again on another machine, where that is the score to beat from then on.
    Moved,
    /// Measures the incumbent again with another seed, to learn by how much scores differ by chance.
    Noise,
    /// Measures the baseline or the champion again, to tell what the session came to.
    Certify,
}

impl Purpose {
    /// Whether it is bound by the task's limits alone, and its times are the measure from then on.
    pub fn sets_the_pace(self) -> bool {
        matches!(self, Self::Baseline | Self::Adoption | Self::Moved)
    }

    /// Who stands for the proposer when nobody is asked.
    pub fn stands_for(self) -> Option<&'static str> {
        match self {
            Self::Baseline => Some("baseline"),
            Self::Candidate => None,
            Self::Adoption => Some("human"),
            Self::Control => Some("control"),
            Self::Moved => Some("moved"),
            Self::Noise => Some("noise"),
            Self::Certify => Some("certify"),
        }
    }
}

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pause {
    /// A human, to raise a budget.
    Budget,
    /// Whatever makes even the incumbent fail.
    Environment,
    /// A human, whose commit on the branch does not run.
    Conflict,
    /// The GPU.
    Device,
    /// Space on a disk.
    Disk,
    /// The endpoint of the model.
    Endpoint,
    /// Something else outside.
    Outside,
}

impl Pause {
    /// The words in logs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "a budget is spent",
            Self::Environment => "even the incumbent fails",
            Self::Conflict => "the commit on the branch does not run",
            Self::Device => "GPU_DOWN",
            Self::Disk => "a disk is full",
            Self::Endpoint => "the endpoint does not answer",
            Self::Outside => "something outside fails",
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Entry {
    /// Tokens spent on the answer that this entry tells of.
    pub fn usage(&self) -> Usage {
        match self {
            Self::Proposed { usage, .. }
            | Self::Refused { usage, .. }
            | Self::Answered { usage, .. }
            | Self::Lost { usage, .. }
            | Self::Tried { usage, .. } => *usage,
            _ => Usage::default(),
        }
    }

    /// Dollars spent on the answer that this entry tells of.
    pub fn cost_usd(&self) -> f64 {
        match self {
            Self::Answered { cost_usd, .. }
            | Self::Lost { cost_usd, .. }
            | Self::Tried { cost_usd, .. } => *cost_usd,
            _ => 0.0,
        }
    }

    /// Time on the device that this entry tells of, in seconds.
    pub fn device_s(&self) -> f64 {
        match self {
            Self::Ran { seconds, .. }
            | Self::Predicted { seconds, .. }
            | Self::HeldOut { seconds, .. }
            | Self::Resumed { device_s: seconds, .. }
            | Self::Tested { seconds, .. } => *seconds,
            Self::Interrupted {
                phase: Phase::Train | Phase::Predict | Phase::Holdout,
                seconds,
                ..
            } => *seconds,
            _ => 0.0,
        }
    }

    /// Whether it is about the session rather than one experiment.
    pub fn is_of_the_session(&self) -> bool {
        matches!(
            self,
            Self::Resumed { .. }
                | Self::Tested { .. }
                | Self::Capped { .. }
                | Self::Diverged { .. }
                | Self::Paused { .. }
                | Self::Tried { .. }
                | Self::Device { .. }
                | Self::Directed { .. }
                | Self::Machine { .. }
                | Self::Inherited { .. }
                | Self::Submitted { .. }
                | Self::RolledBack { .. }
        )
    }
}

/// The stages of a proposal that may fail and go back to its proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Parsing, scope and application of the edits.
    Patch,
    /// Compiling the candidate.
    Build,
    /// One forward and backward step.
    Smoke,
    /// The budgeted training.
    Train,
}

impl Stage {
    /// The word in logs and prompts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Build => "build",
            Self::Smoke => "smoke",
            Self::Train => "train",
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

/// What a session takes over from another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Legacy {
    /// The other session.
    pub tag: String,
    /// Its champion's experiment.
    pub experiment: u32,
    /// Its champion, where this one begins (full object id).
    pub commit: String,
    /// The commit of people that it began at itself (full object id): what builds begin from.
    pub base: String,
    /// What was found out there, newest first.
    pub notes: Notes,
}

/// What a restart must know of the GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceState {
    /// Memory in use when nobody computes there, in MiB by UUID, of each that was ever seen so.
    pub floor_mib: BTreeMap<String, u64>,
    /// The first fault since a run last showed that they work.
    pub fault: Option<String>,
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

/// What a question may cost whose answer never comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stake {
    /// Tokens, as estimated.
    pub usage: Usage,
    /// What they cost in US dollars; 0 where no price is known.
    pub cost_usd: f64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
    }
}
