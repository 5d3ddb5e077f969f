//! What keeps a run together here, found out by the runner.

use crate::report::{Containment, Finding, Tier};
use crate::runner::{self, Capabilities, Version};

/// What the machine allows, and the tier that a loop would have: the one asked for, or the best.
pub(super) fn found(capabilities: &Capabilities, forced: Option<crate::tier::Tier>) -> Containment {
    let tier = match runner::Containment::choose(forced, capabilities).map(|found| found.tier()) {
        Ok(crate::tier::Tier::Full) => Tier::Full,
        Ok(crate::tier::Tier::Container) => Tier::Container,
        Err(_) => Tier::None,
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

/// Whether the tier that somebody asked for is to be had.
pub(super) fn asked(
    capabilities: &Capabilities,
    forced: Option<crate::tier::Tier>,
) -> Vec<Finding> {
    let judge =
        |tier: crate::tier::Tier| match runner::Containment::choose(Some(tier), capabilities) {
            Ok(_) => Finding::ok("containment", format!("{}, as asked", tier.as_str())),
            Err(error) => Finding::missing("containment", tier.as_str(), error.to_string()),
        };
    forced.map(judge).into_iter().collect()
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
    use crate::report::Grade;
    use std::path::Path;

    /// With an init that fails at once nothing can be contained.
    #[test]
    fn what_the_runner_found_is_told() {
        let mut machine = runner::capabilities_with(Path::new("/bin/false"), None);
        let told = found(&machine, None);
        assert_eq!((told.tier, told.pid_namespace, told.subreaper), (Tier::None, false, false));
        (machine.subreaper, machine.proc_readable) = (true, true);
        assert_eq!(found(&machine, None).tier, Tier::Container);
        assert_eq!(found(&machine, Some(crate::tier::Tier::Full)).tier, Tier::None);
        assert_eq!(asked(&machine, Some(crate::tier::Tier::Full))[0].grade, Grade::Missing);
        (machine.user_namespace, machine.rlimits) = (true, true);
        let told = found(&machine, None);
        assert_eq!((told.tier, told.pid_namespace, told.file_limit), (Tier::Full, true, true));
        assert_eq!(found(&machine, Some(crate::tier::Tier::Container)).tier, Tier::Container);
        assert_eq!(asked(&machine, Some(crate::tier::Tier::Container))[0].grade, Grade::Ok);
        assert_eq!(asked(&machine, None), []);
        (machine.landlock_abi, machine.bubblewrap, machine.root) = (Some(7), true, true);
        let others = others(&machine);
        assert_eq!(others[0].found, "root");
        assert_eq!(others[2].found, "none; here is Landlock ABI 7, bubblewrap");
    }
}
