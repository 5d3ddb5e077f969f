//! One run: output, environment, endings, limits; and locks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use dfr_daemon::experiment::{Cause, RunOutcome, StopLevel};
use dfr_daemon::runner::*;
use dfr_daemon::tier::Tier;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::sync::watch;

fn machine() -> Capabilities {
    capabilities_with(Path::new(env!("CARGO_BIN_EXE_dfr-daemon")), None)
}

fn shell(dir: &Path, script: &str) -> Execution {
    Execution {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        directory: dir.to_owned(),
        environment: BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("DFR_SESSION".to_owned(), dir.display().to_string()),
        ]),
        log: dir.join("run.log"),
        started_line: Some("clock started"),
        telltale: None,
        deadline: Duration::from_secs(60),
        grace: Duration::from_secs(20),
        limits: ResourceLimits::default(),
        containment: Containment::choose(None, &machine()).unwrap(),
        sandbox: None,
    }
}

async fn run_with(execution: &Execution, stop: StopLevel) -> Report {
    let (sender, receiver) = watch::channel(StopLevel::Continue);
    let running = run(execution, Live::Quiet, receiver);
    if stop != StopLevel::Continue {
        sender.send(stop).unwrap();
    }
    running.await.unwrap()
}

/// Processes that carry the mark of one test's directory in their environment.
fn alive(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let marked = entries.filter(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark(dir).as_bytes())
    });
    marked.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
}

fn mark(dir: &Path) -> String {
    format!("DFR_SESSION={}", dir.display())
}

fn both() -> Vec<Containment> {
    let machine = machine();
    let tiers = [Tier::Full, Tier::Container].map(|tier| Containment::choose(Some(tier), &machine));
    let there: Vec<_> = tiers.into_iter().filter_map(Result::ok).collect();
    assert!(!there.is_empty(), "no tier here: {machine:?}");
    there
}

#[tokio::test]
async fn output_keeps_its_order_in_log_and_tail() {
    let dir = TempDir::new().unwrap();
    let execution = shell(dir.path(), "echo a; echo b >&2; echo clock started; printf c");
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!(report.outcome, RunOutcome::Finished);
    assert_eq!(report.tail, "a\nb\nclock started\nc");
    assert_eq!(fs::read_to_string(&execution.log).unwrap(), "a\nb\nclock started\nc");
    assert!(report.startup.unwrap() <= report.elapsed);
}

#[tokio::test]
async fn exits_and_signals_are_told_apart() {
    let dir = TempDir::new().unwrap();
    for (script, code, signal) in [
        ("exit 9", Some(9), None),
        ("exit 137", Some(137), None),
        // By number and by itself: within a namespace its own process id is another one.
        ("kill -SEGV $$", None, Some(11)),
        ("kill -KILL $$", None, Some(9)),
    ] {
        let report = run_with(&shell(dir.path(), script), StopLevel::Continue).await;
        assert_eq!(report.outcome, RunOutcome::Crashed { code, signal, cause: None });
        assert_eq!(report.startup, None);
    }
}

#[tokio::test]
async fn the_environment_is_what_is_given_and_input_is_empty() {
    let dir = TempDir::new().unwrap();
    let report = run_with(&shell(dir.path(), "cat; env | sort"), StopLevel::Continue).await;
    let names: Vec<_> = report.tail.lines().filter_map(|l| l.split('=').next()).collect();
    assert_eq!(names, ["DFR_SESSION", "PATH", "PWD"]);
}

/// What a loader heeds may lead to what a candidate wrote, and the init runs with the daemon's rights.
#[tokio::test]
async fn what_a_loader_heeds_reaches_the_program_and_not_its_init() {
    for containment in both() {
        let dir = TempDir::new().unwrap();
        let mut execution = shell(dir.path(), ":");
        execution.containment = containment;
        let library = ("LD_PRELOAD".to_owned(), "/candidate.so".to_owned());
        execution.environment.extend([library]);
        let report = run_with(&execution, StopLevel::Continue).await;
        // Each loader that heeds it says that it is not there.
        assert_eq!(report.tail.matches("/candidate.so").count(), 1, "{report:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_everything_even_what_ignores_term() {
    for containment in both() {
        let dir = TempDir::new().unwrap();
        let script = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & \
                      setsid setsid sh -c 'while :; do sleep 1; done' & while :; do sleep 1; done";
        let mut execution = shell(dir.path(), script);
        execution.deadline = Duration::from_millis(300);
        execution.grace = Duration::from_millis(100);
        execution.containment = containment;
        let report = run_with(&execution, StopLevel::Continue).await;
        assert_eq!(report.outcome, RunOutcome::TimedOut);
        assert!(report.killed > 0, "{report:?}");
        assert_eq!(alive(dir.path()), [""; 0]);
        assert!(report.tainted.is_none() && report.log_error.is_none());
    }
}

#[tokio::test]
async fn a_polite_child_may_write_during_its_grace() {
    let dir = TempDir::new().unwrap();
    let script = "trap 'echo saving; echo saved; exit 0' TERM; while :; do sleep 0.05; done";
    let mut execution = shell(dir.path(), script);
    execution.deadline = Duration::from_millis(200);
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!(report.outcome, RunOutcome::TimedOut);
    assert!(report.tail.ends_with("saving\nsaved"), "{}", report.tail);
}

#[tokio::test]
async fn a_weak_stop_waits_and_a_strong_one_cancels() {
    let dir = TempDir::new().unwrap();
    let short = shell(dir.path(), "echo done");
    assert_eq!(run_with(&short, StopLevel::AfterExperiment).await.outcome, RunOutcome::Finished);
    for level in [StopLevel::AbandonRun, StopLevel::Now] {
        let report = run_with(&shell(dir.path(), "exec sleep 1000"), level).await;
        assert_eq!(report.outcome, RunOutcome::Cancelled, "{level:?}");
    }
}

#[tokio::test]
async fn a_flood_is_drained_and_bounded() {
    let dir = TempDir::new().unwrap();
    let script = "echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end";
    let execution = shell(dir.path(), script);
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!(report.outcome, RunOutcome::Finished);
    assert!(report.tail.ends_with("end") && report.tail.len() < 10_000);
    let log = fs::read_to_string(&execution.log).unwrap();
    assert!(log.len() < (9 << 20) + 100, "{}", log.len());
    assert!(log.starts_with("first\nx") && log.ends_with("x\nend\n"));
    let note = "\n[100000011 bytes of output; 90562827 left out here]\n";
    assert_eq!(log.matches(note).count(), 1);
}

#[tokio::test]
async fn a_log_just_longer_than_its_head_is_whole() {
    let dir = TempDir::new().unwrap();
    let execution = shell(dir.path(), "yes | head -c 9000000");
    run_with(&execution, StopLevel::Continue).await;
    assert!(fs::read(&execution.log).unwrap() == "y\n".repeat(4_500_000).as_bytes());
}

#[tokio::test]
async fn a_log_that_cannot_be_written_is_said_and_ends_nothing() {
    let dir = TempDir::new().unwrap();
    let mut execution = shell(dir.path(), "echo on; echo and on");
    execution.log = "/dev/full".into();
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!((report.outcome, report.tail.as_str()), (RunOutcome::Finished, "on\nand on"));
    assert_eq!(report.log_error.unwrap().kind(), std::io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn what_left_the_group_is_ended_with_the_program() {
    for containment in both() {
        let dir = TempDir::new().unwrap();
        let mut execution = shell(dir.path(), "setsid sleep 1000 & echo out");
        execution.containment = containment;
        let report = run_with(&execution, StopLevel::Continue).await;
        let seen = (report.outcome, report.tail.as_str(), report.killed);
        assert_eq!(seen, (RunOutcome::Finished, "out", 1));
        assert_eq!(alive(dir.path()), [""; 0]);
    }
}

#[tokio::test]
async fn limits_hold_with_and_without_control_groups() {
    let dir = TempDir::new().unwrap();
    let crowd = "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; wait";
    let hoard = "head -c 300000000 /dev/zero | tail -c 299999999 | sleep 1000";
    let large = "head -c 9000000 /dev/zero > large; exit 3";
    let limits = ResourceLimits {
        memory_bytes: Some(100 << 20),
        processes: Some(20),
        file_bytes: Some(8 << 20),
        directory_bytes: None,
        free_bytes: None,
    };
    for containment in both() {
        for containment in [containment.clone(), containment.without_groups()] {
            for (script, cause) in [
                (crowd, Some(Cause::TooManyProcesses)),
                (hoard, Some(Cause::OutOfMemory)),
                ("exec head -c 9000000 /dev/zero > large", Some(Cause::FileTooLarge)),
                (large, None),
            ] {
                let mut execution = shell(dir.path(), script);
                execution.limits = limits;
                execution.containment = containment.clone();
                let report = run_with(&execution, StopLevel::Continue).await;
                let RunOutcome::Crashed { cause: found, .. } = report.outcome else {
                    panic!("{script}: {report:?}")
                };
                assert_eq!(found, cause, "{script} {containment:?}");
            }
        }
    }
}

#[tokio::test]
async fn leftovers_are_known_by_their_mark() {
    let dir = TempDir::new().unwrap();
    let start = |mark: &str| {
        let mut command = std::process::Command::new("sleep");
        command.arg("1000").env("DFR_SESSION", mark).spawn().unwrap()
    };
    let name = dir.path().display().to_string();
    let (mut left, mut other) = (start(&name), start(&format!("{name}-other")));
    assert_eq!(end_leftovers(&name).await, 1);
    assert_eq!(end_leftovers(&name).await, 0);
    assert_eq!(end_leftovers("").await, 0);
    assert!(other.try_wait().unwrap().is_none(), "killed what does not carry the mark");
    other.kill().unwrap();
    other.wait().unwrap();
    let _ = left.wait();
}

/// Its environment is empty, its directory and its files are nobody's.
const FORGETFUL: &str = "cd / && env -i setsid sleep 1000 <&- >&- 2>&- & sleep 1000";

#[tokio::test]
async fn leftovers_that_forgot_their_mark_are_known_when_daemon_and_init_are_gone() {
    let dir = TempDir::new().unwrap();
    let name = dir.path().display().to_string();
    let mut daemon = std::process::Command::new(env!("CARGO_BIN_EXE_fake-daemon"))
        .args(["container", &name, &name, "sh", "-c", FORGETFUL])
        .spawn()
        .unwrap();
    let id = i32::try_from(daemon.id()).unwrap();
    let orphan =
        || below(id).into_iter().find(|pid| cmdline(*pid) == "sleep 1000 " && is_bare(*pid));
    while orphan().is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (orphan, init) = (orphan().unwrap(), children(id)[0]);
    // Stopped, it cannot sweep what its init leaves.
    for (pid, signal) in [(id, Signal::SIGSTOP), (init, Signal::SIGKILL), (id, Signal::SIGKILL)] {
        kill(Pid::from_raw(pid), signal).unwrap();
    }
    daemon.wait().unwrap();
    assert!(is_alive(orphan), "it was to outlive them");
    assert_eq!(end_leftovers(&format!("{name}-other")).await, 0);
    assert!(is_alive(orphan), "killed what belongs to another session");
    assert!(end_leftovers(&name).await > 0);
    assert!(!is_alive(orphan));
}

fn children(pid: i32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn below(pid: i32) -> Vec<i32> {
    children(pid).into_iter().flat_map(|child| [vec![child], below(child)].concat()).collect()
}

fn cmdline(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

fn is_bare(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| environment.is_empty())
}

fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[tokio::test]
async fn a_program_that_is_missing_is_named() {
    let dir = TempDir::new().unwrap();
    let mut execution = shell(dir.path(), "");
    execution.argv[0] = "no-such-program".to_owned();
    let (_sender, stop) = watch::channel(StopLevel::Continue);
    let error = run(&execution, Live::Quiet, stop).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start no-such-program");
}

#[test]
fn a_lock_names_its_owner_and_ends_with_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("lock");
    assert_eq!(is_held(&path), None);
    let lock = FileLock::take(&path).unwrap();
    let error = FileLock::take(&path).unwrap_err().to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    assert_eq!(is_held(&path), i32::try_from(std::process::id()).ok());
    drop(lock);
    assert_eq!(is_held(&path), None);
}

/// What is not reachable for the program may still be killed by somebody else.
#[tokio::test]
async fn an_init_that_somebody_kills_is_not_the_programs_doing() {
    let Ok(containment) = Containment::choose(Some(Tier::Full), &machine()) else {
        println!("skipped: no tier full here");
        return;
    };
    let dir = TempDir::new().unwrap();
    let mut execution = shell(dir.path(), "echo clock started; sleep 60");
    execution.containment = containment;
    let (_sender, stop) = watch::channel(StopLevel::Continue);
    let running = tokio::spawn(async move { run(&execution, Live::Quiet, stop).await.unwrap() });
    let inits = || -> Vec<i32> {
        let started = fs::read_to_string(dir.path().join("run.log")).unwrap_or_default();
        if started.is_empty() {
            return Vec::new();
        }
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let pid: i32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
            let read = |name| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let is = |text: &[u8], part: &str| {
                text.split(|byte| *byte == 0).any(|word| word == part.as_bytes())
            };
            let is_init =
                is(&read("environ"), &mark(dir.path())) && is(&read("cmdline"), "contain");
            is_init.then_some(pid)
        });
        pids.collect()
    };
    while inits().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The inner one: the kernel then kills all that is in its namespace.
    let inner = *inits().iter().max().unwrap();
    kill(Pid::from_raw(inner), Signal::SIGKILL).unwrap();
    let report = running.await.unwrap();
    assert_eq!(report.tainted, Some(Taint::InitKilled), "{report:?}");
}

/// A daemon that was stopped finds the run at its end and the deadline behind it.
#[tokio::test]
async fn a_run_that_ended_while_the_daemon_was_stopped_did_not_time_out() {
    for containment in both() {
        let dir = TempDir::new().unwrap();
        let mut execution = shell(dir.path(), "echo clock started; sleep 0.2; echo done");
        execution.containment = containment;
        execution.deadline = Duration::from_secs(2);
        let (_sender, stop) = watch::channel(StopLevel::Continue);
        let stopped = async {
            while !fs::read_to_string(dir.path().join("run.log")).is_ok_and(|log| !log.is_empty()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // Everything of this process that looks at the run, as when it is frozen.
            std::thread::sleep(Duration::from_secs(6));
        };
        let (report, ()) = tokio::join!(run(&execution, Live::Quiet, stop), stopped);
        let report = report.unwrap();
        assert_eq!((report.outcome, report.tainted), (RunOutcome::Finished, Some(Taint::Stopped)));
    }
}
