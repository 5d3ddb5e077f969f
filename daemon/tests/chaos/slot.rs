//! What builds begin from, as it reaches the disk.

use crate::night::Night;
use crate::shim::{Fault, calls, inflict};

#[test]
fn what_is_trusted_is_on_the_disk_before_its_mark() {
    let night = Night::new(0);
    let environment = &night.environment;
    environment.build_incrementally();
    // A sandbox has no place for it.
    let counted = format!("FAKE_RUNS = {:?}", environment.path("runs.txt"));
    environment.edit("task.toml", (&counted, ""));
    let one = ["--tag", "t", "--proposer", "playbook", "--max-experiments", "1"];
    let mut session = environment.daemon(&one);
    inflict(&night, session.arg("--task").arg(environment.path("task.toml")), Fault::Count);
    environment.run(&mut session).code(0);
    let calls = calls(&night);
    let first = |call: &str, path: &str| {
        calls.iter().position(|told| told.starts_with(call) && told.ends_with(path))
    };
    let marked = first("rename", "/trusted.commit").unwrap_or_else(|| panic!("{calls:#?}"));
    for path in ["/trusted/lib", "/trusted"] {
        let synced = first("fsync", path);
        assert!(synced.is_some_and(|synced| synced < marked), "{path}: {calls:#?}");
    }
    night.end();
}
