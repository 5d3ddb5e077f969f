//! `evaluate`, `export` and `full`: a keep, handed to whoever uses it.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::classify;
use crate::arguments::{Keep, Places, RunFlags};
use crate::failure::Failure;
use crate::settings::{Environment, Settings};
use crate::supervisor::{self, Delivery, Full};

/// Delivers it and says the exit code.
pub(super) fn run(
    (places, (delivery, keep)): (&Places, (Delivery, &Keep)),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<u8, Failure> {
    let settings = settings(places, keep, environment)?;
    runtime.block_on(supervisor::deliver(&settings, delivery, (keep.experiment, &keep.more)))
}

/// Trains it for so many hours and says the exit code.
pub(super) fn in_full(
    (places, (hours, exports, keep)): (&Places, (f64, bool, &Keep)),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<u8, Failure> {
    let settings = settings(places, keep, environment)?;
    // Whole seconds, and not none.
    let budget = Duration::from_secs((hours * 3600.0).ceil() as u64);
    let full = Full { experiment: keep.experiment, budget, exports };
    runtime.block_on(supervisor::train_in_full(&settings, full, &keep.more))
}

fn settings(places: &Places, keep: &Keep, environment: &Environment) -> Result<Settings, Failure> {
    let flags = RunFlags {
        tag: Some(keep.tag.clone()),
        resume: true,
        // Nobody is asked anything.
        proposer: Some("playbook".to_owned()),
        containment: keep.containment.clone(),
        unsealed: keep.unsealed,
        run_as: keep.run_as,
        ..RunFlags::default()
    };
    Settings::resolve(places, &flags, environment).map_err(classify)
}
