//! `doctor`: looks at everything that a loop needs here, changes nothing, starts nothing.

use std::collections::BTreeMap;
use std::fs;

use crate::arguments::{Places, RunFlags};
use crate::failure::Failure;
use crate::report::{Checkup, Finding};
use crate::settings::{Environment, Locations};

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
/// The places themselves cannot be resolved.
pub(super) fn checkup(asked: Asked) -> Result<Checkup, Failure> {
    let locations = Locations::resolve(asked.places, asked.environment).map_err(super::classify)?;
    let containment = containment::found();
    let findings: [Vec<Finding>; 5] = [
        containment.findings(),
        machine::findings(asked.environment),
        gpu::findings(asked.environment),
        places::findings(&locations),
        session::findings(asked, &locations),
    ];
    Ok(Checkup { tier: containment.tier, findings: findings.concat() })
}

/// `Name: value` lines of a file in /proc; nothing when it cannot be read.
fn proc_fields(path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Mebibytes for people.
fn gib(mib: u64) -> String {
    format!("{:.1} GiB", mib as f64 / crate::report::MIB_PER_GIB)
}
