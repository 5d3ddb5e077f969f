//! `evaluate` and `export`: a keep, handed to whoever uses it.

use tokio::runtime::Runtime;

use super::classify;
use crate::arguments::{Keep, Places, RunFlags};
use crate::failure::Failure;
use crate::settings::{Environment, Settings};
use crate::supervisor::{self, Delivery};

/// Delivers it and says the exit code.
pub(super) fn run(
    (places, (delivery, keep)): (&Places, (Delivery, &Keep)),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<u8, Failure> {
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
    let settings = Settings::resolve(places, &flags, environment).map_err(classify)?;
    runtime.block_on(supervisor::deliver(&settings, delivery, (keep.experiment, &keep.more)))
}
