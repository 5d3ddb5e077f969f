//! What an experiment is, as data and pure functions: entries, phases, transitions, verdicts.
//!
//! Nothing here knows files, git, processes, clocks or the network. The supervisor records an
//! [`Entry`] before and after each effect; [`History`] is what the entries imply, and refuses an
//! entry that cannot follow. Recovery is the same fold run again.

mod accounting;
mod belief;
mod believing;
mod branch;
mod candidate;
mod certificate;
mod deadline;
mod directive;
mod entry;
mod evidence;
mod history;
mod idea;
mod machine;
mod memory;
mod mending;
mod moments;
mod next;
mod noise;
mod outcome;
mod plateau;
mod spending;
mod tampering;
mod verdict;

pub use accounting::{Account, accounts};
pub use belief::{Belief, Estimate};
pub use believing::{Believing, run_to_run};
pub use branch::{BranchMove, align};
pub use candidate::{Answered, Candidate, Step, telling};
pub use certificate::{CONFIDENCE, Certificate, Total, certificate, due, is_late, total};
pub use deadline::{
    Limits, overlong, overlong_step, predict_deadline, smoke_deadline, train_limits,
};
pub use directive::{DIRECTIVE_CHARS, DIRECTIVES_AT_ONCE, Directive, Place};
pub use entry::{
    DeviceState, Entry, Legacy, Notes, Pause, Purpose, SourceScore, Stage, Stake, Usage,
};
pub use evidence::{Evidence, Pair, bootstrap};
pub use history::{Environment, History, IllegalEntry, NOTED, Row};
pub use idea::{Idea, repetition, themes};
pub use machine::Machine;
pub use memory::{heavy, told_memory};
pub use moments::mean_and_variance;
pub use next::{Effect, Rules, Situation, next};
pub use noise::{
    Gap, gaps, overfit, rounded, rounded_difference, told_reason, told_rule, told_sources,
    unmeasured,
};
pub use outcome::{Cause, Phase, RunOutcome, StopLevel};
pub use plateau::{asked, earlier_keeps, stands_still};
pub use spending::{Cap, Caps, Spent};
pub use tampering::{Seen, contradiction, false_claim, longest, overtime};
pub use verdict::{Court, Judgement, Rule, Verdict, judge};

#[cfg(test)]
mod simulation_tests;
