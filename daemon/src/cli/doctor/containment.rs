//! What keeps a run together here, found out by the runner.

use crate::report::{Containment, Finding, Tier as Told};
use crate::runner::{self, Capabilities, ContainmentError, RunUser, Seal, Unsealed, Version};
use crate::settings::Runs;
use crate::tier::Tier;

/// What the machine allows, and the tier that a loop would have: the one asked for, or the best.
pub(super) fn found(capabilities: &Capabilities, forced: Option<Tier>) -> Containment {
    let tier = match runner::Containment::choose(forced, capabilities).map(|found| found.tier()) {
        Ok(Tier::Full) => Told::Full,
        Ok(Tier::Container) => Told::Container,
        Err(_) => Told::None,
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

/// Whether the tier that somebody asked for is to be had, and what it is made of.
pub(super) fn asked(capabilities: &Capabilities, forced: Option<Tier>) -> Vec<Finding> {
    let chosen = runner::Containment::choose(forced, capabilities);
    if let Err(error @ ContainmentError::Untried(_)) = chosen {
        // Of the parts nothing is known either.
        return vec![Finding::missing_now("containment", "could not be tried", error.to_string())];
    }
    let judge = |tier: Tier| match chosen {
        Ok(_) => Finding::ok("containment", format!("{}, as asked", tier.as_str())),
        Err(error) => Finding::missing("containment", tier.as_str(), error.to_string()),
    };
    let parts = found(capabilities, forced).findings();
    forced.map(judge).into_iter().chain(parts).collect()
}

/// That somebody wants to go without one.
pub(super) fn unsealed(runs: &Runs) -> Option<Finding> {
    let meaning = "leave --unsealed out where nobody watches: candidates can read the labels that \
        they are scored on";
    runs.unsealed.then(|| Finding::missing("unsealed", "as asked", meaning))
}

fn named(version: Version) -> &'static str {
    match version {
        Version::V1 => "cgroup v1",
        Version::V2 => "cgroup v2",
    }
}

/// What else the machine allows or is, and what a sandbox is made of in each tier.
pub(super) fn others(capabilities: &Capabilities, forced: Option<Tier>) -> Vec<Finding> {
    let chosen = runner::Containment::choose(forced, capabilities);
    let is_untried = matches!(chosen, Err(ContainmentError::Untried(_)));
    let chosen = chosen.ok();
    let sandbox = |name, tier| {
        let needed = chosen.as_ref().is_none_or(|chosen| chosen.tier() == tier);
        sandbox(name, capabilities.seal(tier), (tier, needed && !is_untried))
    };
    vec![
        user(capabilities.root, chosen.as_ref().and_then(runner::Containment::run_user)),
        container(capabilities.in_container),
        sandbox("sandbox full", Tier::Full),
        sandbox("sandbox container", Tier::Container),
    ]
}

fn user(root: bool, run_user: Option<RunUser>) -> Finding {
    match (root, run_user) {
        (false, _) => Finding::ok("user", "not root"),
        (true, Some(user)) => {
            Finding::ok("user", format!("root; sealed runs are user {}", user.uid))
        }
        (true, None) => Finding::warn(
            "user",
            "root, and so are runs",
            "a sandbox takes their capabilities, but they own what root owns; start the daemon as \
             a user of its own, or where root can become another one",
        ),
    }
}

fn container(inside: bool) -> Finding {
    Finding::ok("container", if inside { "yes" } else { "no" })
}

/// What a sandbox is made of in a tier; one that is not needed may be absent.
fn sandbox(
    name: &'static str,
    seal: &Result<Seal, Unsealed>,
    (tier, needed): (Tier, bool),
) -> Finding {
    match seal {
        Err(why) if needed && why.may_pass() => {
            Finding::missing_now(name, "could not be tried", format!("{why}; try again"))
        }
        Err(why) if needed => Finding::missing(name, "does not hold", format!("{why}; {UNSEALED}")),
        Err(why) => Finding::ok(name, format!("not here, and not needed: {why}")),
        Ok(seal) if seal.signals.is_none() => Finding::warn(name, made_of(seal, tier), SIGNALS),
        Ok(seal) => Finding::ok(name, made_of(seal, tier)),
    }
}

fn made_of(seal: &Seal, tier: Tier) -> String {
    let mounts = (tier == Tier::Full).then(|| "mounts".to_owned());
    let landlock = seal.landlock.map(|abi| format!("Landlock ABI {abi}"));
    let user = match seal.user {
        Some(user) => format!("runs are user {}", user.uid),
        None => "runs are the daemon's user".to_owned(),
    };
    let signals = match seal.signals {
        Some(what) => format!("signals stopped by {what}"),
        None => "signals reach the daemon".to_owned(),
    };
    let parts = mounts.into_iter().chain(landlock).chain(["seccomp".to_owned(), user, signals]);
    parts.collect::<Vec<_>>().join(", ")
}

const UNSEALED: &str = "a candidate can read what the daemon's user can, its labels too; namespaces \
    or a kernel with Landlock (5.19 and later, lsm=landlock) would do";
const SIGNALS: &str = "a candidate may end its daemon, though not read it; Linux 6.12 or another \
    user for runs would do better";

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
        assert_eq!((told.tier, told.pid_namespace, told.subreaper), (Told::None, false, false));
        (machine.subreaper, machine.proc_readable) = (true, true);
        assert_eq!(found(&machine, None).tier, Told::Container);
        assert_eq!(found(&machine, Some(Tier::Full)).tier, Told::None);
        assert_eq!(asked(&machine, Some(Tier::Full))[0].grade, Grade::Missing);
        (machine.user_namespace, machine.rlimits) = (true, true);
        let told = found(&machine, None);
        assert_eq!((told.tier, told.pid_namespace, told.file_limit), (Told::Full, true, true));
        assert_eq!(found(&machine, Some(Tier::Container)).tier, Told::Container);
        assert_eq!(asked(&machine, Some(Tier::Container))[0].grade, Grade::Ok);
        assert!(asked(&machine, None).iter().all(|finding| finding.grade != Grade::Missing));
    }

    fn graded(seal: &Result<Seal, Unsealed>, needed: bool) -> (Grade, String) {
        let found = sandbox("sandbox full", seal, (Tier::Full, needed));
        (found.grade, found.found)
    }

    #[test]
    fn a_sandbox_is_told_and_must_hold_where_it_is_needed() {
        let user = Some(RunUser { uid: 7, gid: 7 });
        let seal = Seal { user, landlock: Some(7), signals: Some("a PID namespace") };
        let told =
            "mounts, Landlock ABI 7, seccomp, runs are user 7, signals stopped by a PID namespace";
        assert_eq!(graded(&Ok(seal), true), (Grade::Ok, told.to_owned()));
        let (grade, told) = graded(&Ok(Seal { user: None, landlock: None, signals: None }), true);
        assert_eq!(grade, Grade::Warn);
        assert_eq!(told, "mounts, seccomp, runs are the daemon's user, signals reach the daemon");
        let (grade, _) = graded(&Err(Unsealed::NoTier), true);
        assert_eq!(grade, Grade::Missing);
        let untried = Err(Unsealed::Untried("timed out".to_owned()));
        let found = sandbox("sandbox full", &untried, (Tier::Full, true));
        assert_eq!((found.grade, found.is_waited_for), (Grade::Missing, true));
        let (grade, told) = graded(&Err(Unsealed::Landlock(Some(2))), false);
        assert_eq!(grade, Grade::Ok);
        assert!(told.ends_with("3 or more is needed without mounts, and this kernel has ABI 2"));
    }

    #[test]
    fn root_that_stays_root_is_a_drawback() {
        let user = |root, user| super::user(root, user).grade;
        assert_eq!((user(false, None), user(true, None)), (Grade::Ok, Grade::Warn));
        assert_eq!(user(true, Some(RunUser { uid: 7, gid: 7 })), Grade::Ok);
    }

    /// A machine that is short of processes for a moment.
    #[test]
    fn what_could_not_be_tried_is_waited_for_by_a_session_that_is_under_way() {
        let mut machine = runner::capabilities_with(Path::new("/bin/false"), None);
        machine.untried = Some(Unsealed::Untried("timed out".to_owned()));
        for forced in [None, Some(Tier::Full)] {
            let findings = [asked(&machine, forced), others(&machine, forced)].concat();
            let tier = found(&machine, forced).tier;
            let checkup = crate::report::Checkup { tier, findings };
            let refused = |is_under_way| crate::report::refuse_unattended(&checkup, is_under_way);
            assert_eq!(refused(true), None);
            assert!(refused(false).unwrap().contains("could not be tried"));
        }
    }

    #[test]
    fn without_any_tier_both_sandboxes_are_missing() {
        let mut machine = runner::capabilities_with(Path::new("/bin/false"), None);
        machine.untried = None;
        let grades: Vec<_> = others(&machine, None).iter().map(|found| found.grade).collect();
        assert_eq!(grades[2..], [Grade::Missing, Grade::Missing]);
    }
}
