//! `doctor`: looks, tells, and makes nothing.

use std::process::{Command, Stdio};

use crate::driver::{Driver, IDLE, LOST};
use crate::environment::{Ended, TestEnvironment};

fn doctor(environment: &TestEnvironment, arguments: &[&str]) -> Ended {
    let task = environment.path("task.toml");
    let mut command = environment.daemon(&["doctor", "--task", task.to_str().unwrap()]);
    environment.run(command.args(arguments).env("OPENAI_API_KEY", "sk-secret"))
}

fn row<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let row = ended.out.lines().find(|line| line.starts_with(&format!("{name} ")));
    row.unwrap_or_else(|| panic!("no {name} in {ended:#?}"))
}

#[test]
fn everything_is_told_and_nothing_is_made() {
    let environment = TestEnvironment::new();
    let ended = doctor(&environment, &["--proposer", "playbook"]);
    environment.assert_nothing_created();
    for name in ["kernel", "memory", "gpu", "state", "cache", "repository", "task", "data", "clock"]
    {
        row(&ended, name);
    }
    assert!(ended.out.contains("\ncontainment: "), "{ended:#?}");
    let verdict = ended.out.lines().last().unwrap();
    let code = if verdict == "unattended: yes" { 0 } else { 3 };
    assert!(code == 0 || verdict.starts_with("unattended: no: "), "{verdict}");
    ended.code(code);
}

#[test]
fn what_is_missing_is_named_and_refused() {
    let environment = TestEnvironment::new();
    std::fs::remove_dir_all(environment.path("cache")).unwrap();
    let ended = doctor(&environment, &["--proposer", "playbook"]);
    ended.code(3);
    assert!(row(&ended, "data").contains("missing"), "{ended:#?}");
    let verdict = ended.out.lines().last().unwrap();
    assert!(verdict.starts_with("unattended: no: ") && verdict.contains("data ("), "{verdict}");
}

#[test]
fn a_session_that_goes_on_needs_no_base_by_name() {
    let environment = TestEnvironment::new();
    environment.git(&["branch", "-m", "main", "trunk"]);
    let graded = |more: &[&str]| {
        let ended = doctor(&environment, &[&["--proposer", "playbook"], more].concat());
        row(&ended, "repository").contains("missing")
    };
    assert!(graded(&[]));
    assert!(!graded(&["--resume", "--tag", "t"]) && !graded(&["--base", "trunk"]));
}

#[test]
fn a_key_is_told_of_and_not_told() {
    let environment = TestEnvironment::new();
    let ended = doctor(&environment, &["--model", "m"]);
    assert!(row(&ended, "proposer").contains("key is set"), "{ended:#?}");
    assert!(!ended.out.contains("sk-secret") && !ended.err.contains("sk-secret"));
}

const PLAYBOOK: [&str; 2] = ["--proposer", "playbook"];

fn tier(ended: &Ended) -> &str {
    let line = ended.out.lines().find_map(|line| line.strip_prefix("containment: "));
    line.and_then(|line| line.split(':').next()).unwrap_or_else(|| panic!("{ended:#?}"))
}

/// This command where no PID namespace can be made, whatever the machine allows.
fn without_namespaces(command: Command) -> Command {
    let mut wrapped = Command::new("unshare");
    let forbid = "echo 0 > /proc/sys/user/max_pid_namespaces && exec \"$@\"";
    wrapped.args(["--user", "--map-root-user", "sh", "-c", forbid, "sh"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(name, value);
        }
    }
    wrapped.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    let is_there = Command::new("unshare").args(["--user", "--map-root-user", "true"]).output();
    if is_there.is_ok_and(|output| output.status.success()) { wrapped } else { command }
}

#[test]
fn a_tier_that_is_asked_for_is_the_one_that_is_told() {
    let environment = TestEnvironment::new();
    let best = doctor(&environment, &PLAYBOOK);
    for asked in ["container", "full"] {
        let ended = doctor(&environment, &["--proposer", "playbook", "--containment", asked]);
        let told = row(&ended, "containment");
        if told.contains("as asked") {
            assert_eq!(tier(&ended), asked);
        } else {
            assert!(told.contains("missing"), "{told}");
            assert_ne!(tier(&best), asked);
            ended.code(3);
        }
    }
    let auto = doctor(&environment, &["--proposer", "playbook", "--containment", "auto"]);
    assert_eq!(tier(&auto), tier(&best));
    doctor(&environment, &["--containment", "best"]).code(2).says(&["auto, full or container"]);
}

#[test]
fn a_tier_that_is_not_to_be_had_is_refused_and_never_replaced() {
    let environment = TestEnvironment::new();
    let forced = ["--proposer", "playbook", "--containment", "full"];
    let mut doctor = environment.daemon(&["doctor"]);
    doctor.args(forced);
    let told = environment.run(&mut without_namespaces(doctor));
    assert!(row(&told, "containment").contains("missing"), "{told:#?}");
    assert!(told.out.lines().last().unwrap().contains("containment (full)"), "{told:#?}");
    told.code(3);
    let session = environment.session(&forced);
    let ended = environment.run(&mut without_namespaces(session));
    ended.code(3).says(&["containment \"full\" is not available here", "dfr-daemon doctor"]);
    environment.assert_nothing_created();
}

#[test]
fn the_tier_that_is_asked_for_holds_the_runs() {
    let environment = TestEnvironment::new();
    let forced = ["--containment", "container", "--max-experiments", "1"];
    let mut session = environment.session(&forced);
    environment.run(&mut session).code(0).says(&["runs are contained", "container", "memory_mib="]);
    assert_eq!(environment.verdicts(), ["keep"]);
}

/// A session whose runs are in sandboxes.
fn sealed(environment: &TestEnvironment, arguments: &[&str]) -> Command {
    let mut command = environment.daemon(&["--tag", "t", "--proposer", "playbook"]);
    command.arg("--task").arg(environment.path("task.toml")).args(arguments);
    command
}

#[test]
fn a_loop_that_nobody_watches_is_not_unsealed_and_the_file_may_say_that_it_is_one() {
    let environment = TestEnvironment::new();
    let ended = doctor(&environment, &["--proposer", "playbook", "--unsealed"]);
    assert!(row(&ended, "unsealed").contains("missing"), "{ended:#?}");
    ended.code(3);
    let refused = ["not fit for --unattended", "unsealed (as asked)"];
    let one = ["--max-experiments", "1"];
    let flag = [&one[..], &["--unattended"]].concat();
    environment.run(&mut environment.session(&flag)).code(3).says(&refused);
    environment.write("repo/dfr.toml", "unattended = true\n");
    environment.run(&mut environment.session(&one)).code(3).says(&refused);
    environment.assert_nothing_created();
}

#[test]
fn a_loop_that_nobody_watches_starts_only_where_nothing_is_missing() {
    let environment = TestEnvironment::new();
    let one = ["--unattended", "--max-experiments", "1"];
    let lost = Driver::new(LOST);
    let mut session = sealed(&environment, &one);
    let ended = environment.run(session.env("DFR_NVML", lost.library()));
    ended.code(3).says(&["not fit for --unattended", "gpu (0 NVIDIA Fake"]);
    environment.assert_nothing_created();
    lost.now(IDLE);
    let mut checkup = environment.daemon(&["doctor", "--proposer", "playbook", "--task"]);
    checkup.arg(environment.path("task.toml")).env("DFR_NVML", lost.library());
    let fit = environment.run(&mut checkup).out.ends_with("unattended: yes\n");
    let mut session = sealed(&environment, &one);
    let ended = environment.run(session.env("DFR_NVML", lost.library()));
    ended.code(if fit { 0 } else { 3 });
    assert_eq!(environment.rows().len(), usize::from(fit));
    if !fit {
        return;
    }
    // One that is under way waits for what passes.
    environment.write("repo/dfr.toml", "probe_s = 1\n");
    lost.now(LOST);
    let two = ["--unattended", "--resume", "--max-experiments", "2"];
    let mut session = sealed(&environment, &two);
    let mut daemon = environment.start(session.env("DFR_NVML", lost.library()));
    daemon.wait_for_log("paused: GPU_DOWN");
    lost.now(IDLE);
    daemon.wait().code(0);
    assert_eq!(environment.rows().len(), 2);
}
