//! The training harness. A recipe (in the lab) says how a detector is made and trained; the harness
//! owns what makes experiments comparable: data, clock, seeds, prediction and files.
//!
//! Suggested reading order: `recipe`, `train`, `predict`, then the rooms they use.

pub mod allocator;
pub mod average;
pub mod batches;
pub mod canary;
pub mod checkpoint;
pub mod clock;
pub mod device;
pub mod feed;
pub mod layout;
pub mod loss;
mod memory;
pub mod optimizer;
pub mod order;
pub mod pack;
pub mod precision;
pub mod predict;
pub mod pretrained;
pub mod probe;
pub mod recipe;
pub mod recompute;
pub mod record;
pub mod report;
pub mod resume;
pub mod schedule;
pub mod seed;
pub mod shim;
pub mod smoke;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod train;
