//! `dfr perf`: how submitted models fare, in gascli's words and in ours.

use std::time::Duration;

use dfr_contract::exit;

use super::record::{self, Entry};
use super::{Asked, statuses};
use crate::cli::Perf;
use crate::clock;
use crate::failure::Failure;
use crate::settings::Settings;

/// One question to a server.
const LIMIT: Duration = Duration::from_secs(120);

/// Asks, explains, records.
pub fn run(request: &Perf, settings: &Settings) -> Result<u8, Failure> {
    let asked = asked(request);
    if request.dry_run {
        println!("{}", asked.typed());
        return Ok(exit::OK);
    }
    let lines = asked.run(settings, LIMIT)?;
    let counts = statuses::counts(&lines);
    print!("\n{}", statuses::legend(&counts));
    let code = statuses::code(&counts);
    let entry = Entry::Perf {
        time: clock::now(),
        wallet: request.wallet.wallet_name.clone(),
        hotkey: request.wallet.wallet_hotkey.clone(),
        statuses: counts,
        rows: lines.into_iter().filter(|line| statuses::of_row(line).is_some()).collect(),
    };
    record::append(&settings.cache.join(record::FILE), &[entry])?;
    Ok(code)
}

/// gascli's own arguments.
fn asked(request: &Perf) -> Asked {
    let modality = request.modality.map(|modality| ("modality", modality.to_string()));
    let vertical = request.vertical.clone().map(|vertical| ("vertical", vertical));
    let filters = modality.into_iter().chain(vertical);
    filters
        .fold(Asked::new("perf"), |asked, (flag, value)| asked.with(flag, value))
        .of(&request.wallet)
}
