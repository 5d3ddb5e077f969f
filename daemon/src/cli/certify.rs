//! `certify`: baseline and champion once more, and what the session came to.

use tokio::runtime::Runtime;

use super::{classify, inspect};
use crate::arguments::{Places, RunFlags};
use crate::failure::Failure;
use crate::settings::{CERTIFY_RUNS, Environment, Settings};
use crate::supervisor;

/// Goes on with a session for that alone, and tells what it came to.
pub(super) fn run(
    (places, flags, runs): (&Places, &RunFlags, Option<u32>),
    environment: &Environment,
    runtime: &Runtime,
) -> Result<String, Failure> {
    let certify = Some(runs.or(flags.certify).unwrap_or(CERTIFY_RUNS));
    // Of all proposers the one that needs nothing to be there: nobody is asked.
    let proposer = Some("playbook".to_owned());
    let flags = RunFlags { resume: true, certify, proposer, ..flags.clone() };
    let mut settings = Settings::resolve(places, &flags, environment).map_err(classify)?;
    (settings.asks, settings.max_experiments) = (false, Some(0));
    let (locations, tag) = (settings.locations.clone(), settings.tag.clone().unwrap_or_default());
    runtime.block_on(supervisor::run(settings))?;
    runtime.block_on(inspect::certificate(&locations, &tag))
}
