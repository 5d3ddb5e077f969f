//! What `dfr prepare` fetches, and what it says about it.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::Path;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_media::catalogue::Entry;
use dfr_media::hub::client::Client;
use dfr_media::hub::patience::{SHORT, USUAL};
use dfr_media::source::configs::{self, ConfigsError};
use dfr_media::source::crew::{self, Plan};
use dfr_media::source::fetch::Outcome;

use crate::failure::Failure;
use crate::prepare::Wish;
use crate::progress::Downloads;
use crate::settings::Settings;

/// Data sets at a time, as the original.
const WORKERS: usize = 4;
const BYTES_PER_GB: f64 = 1e9;

/// Fetches the configurations anew.
pub fn refresh(settings: &Settings, modality: Modality) -> Result<(), ConfigsError> {
    let client = Client::new(settings.hub.clone(), SHORT);
    let names = configs::refresh(&settings.cache, modality, &client, &settings.configs)?;
    println!("fetched {}", names.join(", "));
    Ok(())
}

/// Fetches the configurations where there is no copy. Whoever has one of his own needs none.
pub fn need_configs(
    settings: &Settings,
    modality: Modality,
    local: Option<&Path>,
) -> Result<(), ConfigsError> {
    if configs::is_cached(&settings.cache, modality) {
        return Ok(());
    }
    match (refresh(settings, modality), local) {
        (Err(error @ ConfigsError::Hub { .. }), Some(local)) => {
            eprintln!("dfr: {error}\n  using {} alone", local.display());
            Ok(())
        }
        (done, _) => done,
    }
}

/// Fetches what is missing and tells what became of it: [`exit::PARTIAL`] when something was left
/// out, [`exit::OUTSIDE`] when there is nothing at all.
pub fn run(
    wish: &Wish,
    settings: &Settings,
    (modality, entries): (Modality, &[Entry]),
) -> Result<u8, Failure> {
    let gigabytes = |gb: f64| (gb * BYTES_PER_GB) as u64;
    let plan = Plan {
        root: &settings.cache,
        modality,
        wanted: wish.samples.get(),
        workers: wish.workers.map_or(WORKERS, NonZeroUsize::get),
        bytes: wish.gigabytes.map_or(u64::MAX, gigabytes),
    };
    let client = Client::new(settings.hub.clone(), USUAL);
    let downloads = Downloads::new(entries.len(), wish.samples.get());
    let outcomes = crew::fetch(&plan, entries, &client, &downloads)?;
    drop(downloads);
    print!("{}", report(modality, &outcomes));
    Ok(code(&outcomes))
}

fn code(outcomes: &[Outcome]) -> u8 {
    let is_partial = |outcome: &Outcome| outcome.failure.is_some() || !outcome.problems.is_empty();
    let samples: usize = outcomes.iter().map(|outcome| outcome.have).sum();
    match (samples, outcomes.iter().any(is_partial)) {
        (_, false) => exit::OK,
        (0, true) => exit::OUTSIDE,
        (_, true) => exit::PARTIAL,
    }
}

/// Sums as the original prints them, then what was left out.
fn report(modality: Modality, outcomes: &[Outcome]) -> String {
    let of = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
    let (have, added) = (of(|outcome| outcome.have), of(|outcome| outcome.added));
    let megabytes = outcomes.iter().map(|outcome| outcome.bytes).sum::<u64>() >> 20;
    let mut text = format!(
        "Total: {have} {modality} samples across {} datasets ({added} new, {megabytes} MB fetched)\n",
        outcomes.iter().filter(|outcome| outcome.have > 0).count()
    );
    for Outcome { name, have, problems, failure, .. } in outcomes {
        // Writing to a String cannot fail.
        for problem in problems {
            let _ = writeln!(text, "left out of {name}: {problem}");
        }
        if let Some(failure) = failure {
            let _ = writeln!(text, "incomplete: {name} ({have} samples): {failure}");
        }
    }
    text
}
