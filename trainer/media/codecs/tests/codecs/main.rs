//! Decoders beside the tools that others score with, and workers beside what may happen to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mutations;
mod pictures;
mod rates;
mod reference;
mod sounds;
mod workers;
