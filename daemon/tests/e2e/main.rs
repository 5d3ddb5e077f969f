//! The real `dfr-daemon`, end to end: a hermetic environment, a stand-in trainer, a scripted
//! endpoint. Each module is one thing that people rely on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/openai.rs"]
pub mod openai;

#[path = "../support/driver.rs"]
pub mod driver;

#[path = "../support/report.rs"]
pub mod report;

mod bad_input;
mod believing;
mod budgets;
mod delivering;
mod device;
mod doctor;
mod environment;
mod fallback;
mod inspect;
mod llm;
mod memory;
mod misbehaviour;
mod night;
mod pausing;
mod recover;
mod remembering;
mod sealed;
mod service;
mod session;
mod stopping;
