use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn shell(dir: &Path, script: &str) -> Execution {
    Execution {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        directory: dir.to_owned(),
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        log: dir.join("run.log"),
        started_line: Some("clock started"),
        deadline: Duration::from_secs(60),
        grace: Duration::from_secs(20),
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

/// A process is gone when its /proc entry is, or when it is only waiting to be reaped.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
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
    for (script, code, signal) in [("exit 7", Some(7), None), ("kill -SEGV $$", None, Some(11))] {
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
    assert_eq!(names, ["PATH", "PWD"]);
}

#[tokio::test]
async fn a_deadline_ends_the_whole_group_even_when_it_ignores_term() {
    let dir = TempDir::new().unwrap();
    let script = "trap '' TERM; (trap '' TERM; echo $$ > inner; while :; do sleep 1; done) & \
                  echo $! > pid; while :; do sleep 1; done";
    let mut execution = shell(dir.path(), script);
    execution.deadline = Duration::from_millis(300);
    execution.grace = Duration::from_millis(100);
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!(report.outcome, RunOutcome::TimedOut);
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap();
    assert!(!is_alive(pid.trim()), "{pid} outlived its run");
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
    let execution = shell(dir.path(), "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end");
    let report = run_with(&execution, StopLevel::Continue).await;
    assert_eq!(report.outcome, RunOutcome::Finished);
    assert!(report.tail.ends_with("end") && report.tail.len() < 10_000);
    let log = fs::read(&execution.log).unwrap();
    assert!(log.len() < 65 << 20 && log.ends_with(b"\nend\n"));
}

#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_does_not_hold_the_daemon() {
    let dir = TempDir::new().unwrap();
    let report =
        run_with(&shell(dir.path(), "setsid sleep 3 & echo out"), StopLevel::Continue).await;
    assert_eq!((report.outcome, report.tail.as_str()), (RunOutcome::Finished, "out"));
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
