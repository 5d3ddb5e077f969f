//! What both sides agree on. The daemon and the trainer share these words and nothing else.
//!
//! Pure by rule: no torch, no tokio, no file, no clock, no environment. Every format has its
//! parser and its printer side by side here, so that neither side can drift.

pub mod checked;
pub mod evaluation;
pub mod exit;
pub mod footer;
pub mod input;
pub mod metrics;
pub mod modality;
pub mod pack;
pub mod predictions;
pub mod resumed;
pub mod submission;
pub mod tasks;
pub mod trace;

/// The line `dfr-train` prints, alone and flushed, when its budget clock starts: at the first step.
///
/// What comes before it is start-up, what comes after it is training; the daemon times both by it.
pub const CLOCK_STARTED: &str = "clock started";
