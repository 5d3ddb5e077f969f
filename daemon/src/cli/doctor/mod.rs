//! `doctor`: looks at everything that a loop needs here and leaves nothing behind.

use crate::arguments::{Places, RunFlags};
use crate::failure::{Failure, OrFailure as _};
use crate::report::{Checkup, Finding};
use crate::runner::{self, RunUser};
use crate::settings::{Environment, Locations, Runs};

mod containment;
mod gpu;
mod machine;
mod places;
mod session;

/// What the loop would be told.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) places: &'a Places,
    pub(super) flags: &'a RunFlags,
    pub(super) environment: &'a Environment,
}

/// Looks at everything; takes seconds at most.
///
/// # Errors
/// The places themselves, or how runs are held, cannot be resolved.
pub(super) fn checkup(asked: Asked) -> Result<Checkup, Failure> {
    let locations = Locations::resolve(asked.places, asked.environment).map_err(super::classify)?;
    let runs = Runs::resolve(asked.places, asked.flags, asked.environment);
    let runs = runs.map_err(super::classify)?;
    let user = RunUser::choose(runs.run_as).or_configuration()?;
    let capabilities = runner::capabilities(user);
    let forced = runs.containment;
    let containment = containment::found(&capabilities, forced);
    let findings: [Vec<Finding>; 7] = [
        containment::asked(&capabilities, forced),
        containment::others(&capabilities, forced),
        containment::unsealed(&runs).into_iter().collect(),
        machine::findings(asked.environment),
        gpu::findings(asked.environment),
        places::findings(&locations, runs.floor_mib),
        session::findings(asked, &locations),
    ];
    Ok(Checkup { tier: containment.tier, findings: findings.concat() })
}

/// Mebibytes for people.
fn gib(mib: u64) -> String {
    format!("{:.1} GiB", mib as f64 / crate::report::MIB_PER_GIB)
}
