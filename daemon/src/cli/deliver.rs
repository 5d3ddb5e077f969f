//! `evaluate`, `export`, `full` and `push`: a keep, handed to whoever uses it.

use std::time::Duration;

use tokio::runtime::Runtime;

use super::classify;
use crate::arguments::{FullTimes, Keep, Places, RunFlags};
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
    (places, asked): (&Places, (FullTimes, bool, &Keep)),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<u8, Failure> {
    let settings = settings(places, asked.2, environment)?;
    runtime.block_on(supervisor::train_in_full(&settings, full(asked), &asked.2.more))
}

/// Says whether it could be trained so, as JSON.
pub(super) fn check(
    (places, asked): (&Places, (FullTimes, bool, &Keep)),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<String, Failure> {
    let settings = settings(places, asked.2, environment)?;
    runtime.block_on(supervisor::check_in_full(&settings, full(asked)))
}

fn full((times, exports, keep): (FullTimes, bool, &Keep)) -> Full {
    // Whole seconds, and not none.
    let whole = |seconds: f64| Duration::from_secs(seconds.ceil() as u64);
    let (budget, checkpoint) =
        (whole(times.hours * 3600.0), whole(times.checkpoint_minutes * 60.0));
    Full { experiment: keep.experiment, budget, checkpoint, exports }
}

/// Submits it and says the exit code.
pub(super) fn push(
    (places, tag): (&Places, &str),
    keep: ((Option<u32>, bool), &[String]),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<u8, Failure> {
    let settings = resolve(places, &of(tag), environment)?;
    runtime.block_on(supervisor::submit(&settings, keep))
}

fn settings(places: &Places, keep: &Keep, environment: &Environment) -> Result<Settings, Failure> {
    let flags = RunFlags {
        containment: keep.containment.clone(),
        unsealed: keep.unsealed,
        run_as: keep.run_as,
        ..of(&keep.tag)
    };
    resolve(places, &flags, environment)
}

/// Of a session that is there; nobody is asked anything.
fn of(tag: &str) -> RunFlags {
    RunFlags {
        tag: Some(tag.to_owned()),
        resume: true,
        proposer: Some("playbook".to_owned()),
        ..RunFlags::default()
    }
}

fn resolve(
    places: &Places,
    flags: &RunFlags,
    environment: &Environment,
) -> Result<Settings, Failure> {
    Settings::resolve(places, flags, environment).map_err(classify)
}
