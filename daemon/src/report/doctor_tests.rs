use super::*;
use crate::clock;

const PLAIN: Style = Style { colour: false, readable: clock::readable };

fn full() -> Containment {
    Containment {
        tier: Tier::Full,
        pid_namespace: true,
        cgroup_kill: false,
        subreaper: true,
        proc: true,
        file_limit: true,
        memory_limit: Some("cgroup v2"),
        process_limit: Some("cgroup v2"),
    }
}

fn container() -> Containment {
    Containment {
        tier: Tier::Container,
        pid_namespace: false,
        memory_limit: None,
        process_limit: None,
        ..full()
    }
}

fn none() -> Containment {
    Containment { tier: Tier::None, subreaper: false, proc: false, ..container() }
}

fn checkup(containment: Containment, others: Vec<Finding>) -> Checkup {
    let findings = containment.findings().into_iter().chain(others).collect();
    Checkup { tier: containment.tier, findings }
}

fn text(containment: Containment, others: Vec<Finding>) -> String {
    doctor_text(&checkup(containment, others), PLAIN)
}

#[test]
fn the_full_tier() {
    let state = Finding::ok("state", "/srv/state: ext4, 120.3 GiB free");
    insta::assert_snapshot!(text(full(), vec![state]), @r"
    check          status  found
    pid namespace  ok      works
    cgroup kill    ok      not here, and not needed
    subreaper      ok      works
    /proc          ok      works
    memory limit   ok      cgroup v2
    process limit  ok      cgroup v2
    file limit     ok      rlimit
    state          ok      /srv/state: ext4, 120.3 GiB free

    containment: full: the kernel ends whatever a run started
    unattended: yes
    ");
}

#[test]
fn the_container_tier() {
    let gpu = Finding::warn("gpu", "none", "training runs on the CPU");
    insta::assert_snapshot!(text(container(), vec![gpu]), @r"
    check          status  found
    pid namespace  warn    not here
    cgroup kill    warn    not here
    subreaper      ok      works
    /proc          ok      works
    memory limit   warn    not here
    process limit  warn    not here
    file limit     ok      rlimit
    gpu            warn    none

    pid namespace: runs are ended by the daemon, not by the kernel; user namespaces would do better (sysctl user.max_user_namespaces)
    cgroup kill: processes of a run are ended one by one; Delegate=yes in the service's unit would do better
    memory limit: a run is watched instead, and may take the machine's memory before it is ended; Delegate=yes in the service's unit would do better
    process limit: a run is watched instead, and may fork for a moment without end
    gpu: training runs on the CPU

    containment: container: the daemon finds and ends whatever a run started
    unattended: yes
    ");
}

#[test]
fn below_the_minimum() {
    let state = Finding::missing(
        "state",
        "/mnt/state: nfs4, 9.0 GiB free",
        "give --state-dir a local disk",
    );
    insta::assert_snapshot!(text(none(), vec![state]), @r"
    check          status   found
    pid namespace  warn     not here
    cgroup kill    warn     not here
    subreaper      missing  not here
    /proc          missing  not here
    memory limit   warn     not here
    process limit  warn     not here
    file limit     ok       rlimit
    state          missing  /mnt/state: nfs4, 9.0 GiB free

    pid namespace: runs are ended by the daemon, not by the kernel; user namespaces would do better (sysctl user.max_user_namespaces)
    cgroup kill: processes of a run are ended one by one; Delegate=yes in the service's unit would do better
    subreaper: a program that leaves its process group is lost sight of; Linux has this since 3.4, so look at what forbids it, such as a seccomp profile
    /proc: leftovers of a run cannot be found; mount /proc, without hidepid
    memory limit: a run is watched instead, and may take the machine's memory before it is ended; Delegate=yes in the service's unit would do better
    process limit: a run is watched instead, and may fork for a moment without end
    state: give --state-dir a local disk

    containment: none: what leaves its process group may outlive its run
    unattended: no: subreaper (not here), /proc (not here), state (/mnt/state: nfs4, 9.0 GiB free)
    ");
}

#[test]
fn only_what_is_missing_refuses() {
    let warn = Finding::warn("service", "none", "nobody starts the daemon again");
    for containment in [full(), container()] {
        assert_eq!(refuse_unattended(&checkup(containment, vec![warn.clone()]), false), None);
    }
    let missing = Finding::missing("disk", "1 MiB free", "make room");
    let lacks = refuse_unattended(&checkup(full(), vec![warn, missing]), true);
    assert_eq!(lacks.as_deref(), Some("disk (1 MiB free)"));
    // No containment is refused whatever the findings say.
    let nothing = Checkup { tier: Tier::None, findings: Vec::new() };
    assert_eq!(refuse_unattended(&nothing, true).as_deref(), Some("containment (none)"));
}

#[test]
fn colours_mark_what_is_wrong() {
    let style = Style { colour: true, ..PLAIN };
    let text = doctor_text(&checkup(none(), Vec::new()), style);
    assert!(text.contains("\u{1b}[33mpid namespace") && text.contains("\u{1b}[31msubreaper"));
    assert!(text.contains("\u{1b}[31munattended: no"));
}
