//! What keeps a run together here, found out by the runner.

use crate::report::{Containment, Finding, Tier};
use crate::runner::{self, Capabilities, Version};

/// What the machine allows, and the best tier that follows from it.
pub(super) fn found(capabilities: &Capabilities) -> Containment {
    let tier = match capabilities.tier() {
        Some(runner::Tier::Full) => Tier::Full,
        Some(runner::Tier::Container) => Tier::Container,
        None => Tier::None,
    };
    Containment {
        tier,
        pid_namespace: capabilities.pid_namespace || capabilities.user_namespace,
        cgroup_kill: capabilities.cgroup_kill,
        subreaper: capabilities.subreaper,
        proc: capabilities.proc_readable,
        file_limit: capabilities.rlimits,
        memory_limit: capabilities.groups.memory().map(named),
        process_limit: capabilities.groups.pids().map(named),
    }
}

fn named(version: Version) -> &'static str {
    match version {
        Version::V1 => "cgroup v1",
        Version::V2 => "cgroup v2",
    }
}

/// What else the machine allows or is.
pub(super) fn others(capabilities: &Capabilities) -> Vec<Finding> {
    vec![user(capabilities.root), container(capabilities.in_container), sandbox(capabilities)]
}

fn user(root: bool) -> Finding {
    if root {
        let meaning = "a candidate runs as root too; a user of its own is better";
        return Finding::warn("user", "root", meaning);
    }
    Finding::ok("user", "not root")
}

fn container(inside: bool) -> Finding {
    Finding::ok("container", if inside { "yes" } else { "no" })
}

fn sandbox(capabilities: &Capabilities) -> Finding {
    let landlock = capabilities.landlock_abi.map(|abi| format!("Landlock ABI {abi}"));
    let bubblewrap = capabilities.bubblewrap.then(|| "bubblewrap".to_owned());
    let there: Vec<_> = landlock.into_iter().chain(bubblewrap).collect();
    let there = if there.is_empty() { "nothing for one".to_owned() } else { there.join(", ") };
    let meaning = "a candidate can read what the daemon's user can: keep secrets elsewhere";
    Finding::warn("sandbox", format!("none; here is {there}"), meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// With an init that fails at once nothing can be contained.
    #[test]
    fn what_the_runner_found_is_told() {
        let mut machine = runner::capabilities_with(Path::new("/bin/false"));
        let told = found(&machine);
        assert_eq!((told.tier, told.pid_namespace, told.subreaper), (Tier::None, false, false));
        (machine.subreaper, machine.proc_readable) = (true, true);
        assert_eq!(found(&machine).tier, Tier::Container);
        (machine.user_namespace, machine.rlimits) = (true, true);
        let told = found(&machine);
        assert_eq!((told.tier, told.pid_namespace, told.file_limit), (Tier::Full, true, true));
        (machine.landlock_abi, machine.bubblewrap, machine.root) = (Some(7), true, true);
        let others = others(&machine);
        assert_eq!(others[0].found, "root");
        assert_eq!(others[2].found, "none; here is Landlock ABI 7, bubblewrap");
    }
}
