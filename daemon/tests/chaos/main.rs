//! Attempts to lose a night: the real `dfr-daemon`, a real ledger and a real repository, killed at
//! random moments, at chosen calls, starved of disk space, raced by fifty others and by a human.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../support/driver.rs"]
mod driver;
#[expect(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../e2e/environment.rs"]
mod environment;
#[expect(dead_code, reason = "shared with the end-to-end tests")]
#[path = "../support/openai.rs"]
mod openai;
#[expect(dead_code, reason = "shared with other suites")]
#[path = "../support/report.rs"]
mod report;

mod contract;
mod crash_points;
mod disk_full;
mod held;
mod hold;
mod kills;
mod ledger;
mod night;
mod repository;
mod rivals;
mod runs;
mod shim;
mod slot;
mod tampering;
mod workers;

/// Seed of every random draw.
const SEED: u64 = 20_260_314;

/// A number from the environment, for the long forms.
fn number(name: &str) -> Option<u32> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
