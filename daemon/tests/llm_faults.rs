//! A language model that fails in every way there is, thousands of times, in memory and in virtual
//! time, through the client that talks to real ones.
//!
//! One seed is one sequence of faults; a failing one is printed, and `LLM_SEED=<n>` replays it.
//! `LLM_SEQUENCES=<n>` runs so many.

#![expect(clippy::unwrap_used, reason = "all of this is test code")]

#[path = "llm_faults/checks.rs"]
mod checks;
#[path = "llm_faults/endpoint.rs"]
mod endpoint;
#[path = "llm_faults/malformed.rs"]
mod malformed;
#[path = "llm_faults/night.rs"]
mod night;

/// Sequences of a plain test run.
const SEQUENCES: u64 = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn scripted_fault_sequences() {
    let count = number("LLM_SEQUENCES").unwrap_or(SEQUENCES);
    let seeds = match number("LLM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..count,
    };
    let mut seen = checks::Seen::default();
    for seed in seeds.clone() {
        let night = std::panic::catch_unwind(|| night::pass(seed));
        let violations = match &night {
            Ok(night) => checks::violations(night),
            Err(_) => vec!["it panicked".to_owned()],
        };
        assert!(violations.is_empty(), "LLM_SEED={seed}\n{}", violations.join("\n"));
        seen.count(&night.unwrap());
    }
    println!("{seen:?}");
    // Without these the properties above would hold for want of a case.
    if seeds.end - seeds.start >= SEQUENCES {
        seen.assert_everything_happened();
    }
}
