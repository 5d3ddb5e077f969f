//! The loop: remember, propose, patch, commit, build, train, predict, score, decide, record.

pub mod arguments;
pub mod cli;
pub mod clock;
pub mod context;
mod curve;
pub mod device;
pub mod disk;
pub mod experiment;
pub mod failure;
pub mod ledger;
pub mod look;
pub mod notebook;
pub mod patch;
pub mod price;
pub mod prompt;
pub mod proposer;
pub mod report;
pub mod repository;
pub mod runner;
pub mod sandbox;
pub mod scorer;
pub mod service;
pub mod session;
pub mod settings;
pub mod simulate;
pub mod supervisor;
pub mod task;
pub mod telemetry;
pub mod terminal;
pub mod tier;

#[cfg(test)]
mod sample;
