//! What builds begin from, as it reaches the disk.

use crate::night::Night;
use crate::shim::{Fault, calls, inflict};

#[test]
fn what_is_trusted_is_on_the_disk_before_its_mark() {
    let night = Night::new(0);
    let environment = &night.environment;
    let (recipe, made) = ("\"{tree}/lab/recipe.txt\"", "\"{target}/recipe\"");
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let plain = format!("build = [\"{fake}\", \"build\", {recipe}, {made}]");
    let script = "echo x > $0 && cp $1 $2";
    let warm =
        format!("build = [\"sh\", \"-c\", \"{script}\", \"{{target}}/lib\", {recipe}, {made}]");
    environment.edit("task.toml", (&plain, &warm));
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
