//! The loop: remember, propose, patch, commit, build, train, predict, score, decide, record.

pub mod clock;
pub mod experiment;
pub mod patch;
pub mod prompt;
pub mod proposer;
pub mod task;
