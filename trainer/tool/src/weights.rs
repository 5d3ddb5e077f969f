//! `dfr weights`: what models start from.

use std::io::{IsTerminal as _, stderr};

use dfr_contract::exit;
use dfr_media::hub::client::Client;
use dfr_media::hub::patience::USUAL;
use dfr_media::weights::fetch::{Fetched, fetch};
use dfr_media::weights::import::{import, in_hub_cache};
use dfr_media::weights::{CHECKPOINTS, WeightsError, dir, find, store};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Weights, WeightsAction};
use crate::failure::Failure;
use crate::settings::Settings;

/// Lists, fetches or imports.
pub fn run(request: &Weights, settings: &Settings) -> Result<u8, Failure> {
    match request.action.as_ref().unwrap_or(&WeightsAction::List) {
        WeightsAction::List => list(settings)?,
        WeightsAction::Fetch { models } => fetch_all(models, settings)?,
        WeightsAction::Import { model, file } => {
            let checkpoint = find(model)?;
            let file = match file {
                Some(file) => file.clone(),
                None => in_hub_cache(&settings.hub_cache, checkpoint)?,
            };
            import(&dir(&settings.cache), checkpoint, &file)?;
            println!("{model}: {} ({})", file.display(), checkpoint.licence);
        }
    }
    Ok(exit::OK)
}

fn list(settings: &Settings) -> Result<(), WeightsError> {
    let dir = dir(&settings.cache);
    println!("{:16} {:>9}  {:40}  licence", "model", "here", "from");
    for checkpoint in CHECKPOINTS {
        let here = store::path(&dir, checkpoint.model).metadata();
        let here =
            here.map_or_else(|_| "-".to_owned(), |file| format!("{} MB", file.len() / 1_000_000));
        let from = checkpoint.origin.as_str();
        println!("{:16} {here:>9}  {from:40}  {}", checkpoint.model, checkpoint.licence);
    }
    Ok(())
}

fn fetch_all(models: &[String], settings: &Settings) -> Result<(), WeightsError> {
    let checkpoints = models.iter().map(|model| find(model)).collect::<Result<Vec<_>, _>>()?;
    let client = Client::new(settings.hub.clone(), USUAL);
    for checkpoint in checkpoints {
        let bar = bar(checkpoint.model);
        let watch = |here, of| {
            bar.set_length(of);
            bar.set_position(here);
        };
        let fetched = fetch(&client, &dir(&settings.cache), checkpoint, &watch);
        bar.finish_and_clear();
        let told = match fetched? {
            Fetched::WasThere => "is here already".to_owned(),
            Fetched::Came(bytes) => format!("{} MB fetched", bytes / 1_000_000),
        };
        println!("{}: {told} ({})", checkpoint.model, checkpoint.licence);
    }
    Ok(())
}

/// Drawn on a terminal only.
fn bar(model: &'static str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    ProgressBar::no_length().with_style(style.expect("the template is valid")).with_message(model)
}
