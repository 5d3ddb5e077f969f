//! Pools of real processes: what a request does to its worker, and to nobody else.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dfr_codecs::worker::{Counts, Failure, Limits, Pool, Program};

/// The example `worker`, which is built with the tests.
pub fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/worker")
}

pub fn pool(deadline: Duration) -> Pool {
    let program = Program { path: program(), arguments: Vec::new() };
    Pool::new(program, Limits { deadline, ..Limits::default() })
}

const PATIENT: Duration = Duration::from_secs(60);

#[test]
fn a_worker_answers_many_requests() {
    let pool = pool(PATIENT);
    for length in [0, 1, 1000, 5_000_000] {
        let sent = vec![7; length];
        assert_eq!(pool.ask(&[b"=", sent.as_slice()].concat()).unwrap(), sent);
    }
    assert!(matches!(pool.ask(b"?"), Err(Failure::Refused(reason)) if reason.contains("'?'")));
    assert_eq!(pool.counts(), Counts { started: 1, ..Counts::default() });
}

#[test]
fn a_hang_ends_at_the_deadline() {
    let pool = pool(Duration::from_millis(300));
    assert!(matches!(pool.ask(b"h"), Err(Failure::Deadline(_))));
    assert_eq!(pool.ask(b"=on").unwrap(), b"on");
    assert_eq!(pool.counts(), Counts { started: 2, deadlines: 1, deaths: 0 });
}

#[test]
fn whatever_kills_a_worker_is_named_and_costs_nothing_else() {
    let pool = pool(PATIENT);
    for (request, reason) in [
        (b"a", "SIGABRT"),
        (b"m", "memory allocation of"),
        (b"o", "overflowed its stack"),
        (b"e", "code 3: so it goes"),
    ] {
        match pool.ask(request) {
            Err(Failure::Died(told)) => assert!(told.contains(reason), "{told}"),
            other => panic!("{}: {other:?}", char::from(request[0])),
        }
    }
    assert_eq!(pool.ask(b"=on").unwrap(), b"on");
    assert_eq!(pool.counts(), Counts { started: 5, deadlines: 0, deaths: 4 });
}

#[test]
fn a_panic_is_a_refusal() {
    let pool = pool(PATIENT);
    let refused = pool.ask(b"p!").unwrap_err().to_string();
    assert!(refused.contains("panicked") && refused.contains("on purpose"), "{refused}");
    assert_eq!(pool.counts(), Counts { started: 1, ..Counts::default() });
}

#[test]
fn complaints_of_decoders_do_not_pile_up() {
    let pool = pool(PATIENT);
    for _ in 0..200 {
        pool.ask(b"w").unwrap();
    }
    let death = pool.ask(b"e").unwrap_err().to_string();
    assert_eq!(death, "the worker ended with code 3: so it goes");
}

#[test]
fn a_worker_outlives_the_thread_that_asked() {
    let pool = pool(PATIENT);
    let ask = || pool.ask(b"i").unwrap();
    let first = thread::scope(|scope| scope.spawn(ask).join().unwrap());
    assert_eq!(first, ask());
}

#[test]
fn a_worker_that_dies_while_idle_is_no_victim_of_the_next_request() {
    let pool = pool(PATIENT);
    let worker = id(&pool.ask(b"i").unwrap());
    assert!(Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap().success());
    until("the worker is dead", || is_dead(worker));
    assert_eq!(pool.ask(b"=on").unwrap(), b"on");
    assert_eq!(pool.counts(), Counts { started: 2, ..Counts::default() });
}

#[test]
fn workers_end_with_the_pool() {
    let pool = pool(PATIENT);
    let worker = id(&pool.ask(b"i").unwrap());
    drop(pool);
    until("the worker is gone", || is_dead(worker));
}

#[test]
fn a_worker_that_hangs_dies_with_a_caller_that_is_killed() {
    let mut caller = Command::new(program()).arg("caller").stdout(Stdio::piped()).spawn().unwrap();
    let mut worker = String::new();
    BufReader::new(caller.stdout.take().unwrap()).read_line(&mut worker).unwrap();
    let worker = id(worker.trim().as_bytes());
    assert!(!is_dead(worker));
    caller.kill().unwrap();
    caller.wait().unwrap();
    until("the worker is gone", || is_dead(worker));
}

#[test]
fn another_program_is_no_worker() {
    for (path, argument, reason) in [
        ("/bin/echo", "a line of text that is no frame", "no worker"),
        ("/bin/true", "", "no worker"),
        ("/bin/nobody-has-this", "", "No such file"),
    ] {
        let program = Program { path: path.into(), arguments: vec![OsString::from(argument)] };
        let failure = Pool::new(program, Limits::default()).ask(b"=").unwrap_err();
        assert!(matches!(failure, Failure::Start(_)), "{path}: {failure:?}");
        assert!(failure.to_string().contains(reason), "{path}: {failure}");
    }
}

fn id(told: &[u8]) -> u32 {
    str::from_utf8(told).unwrap().parse().unwrap()
}

/// Gone, or not yet reaped by whoever inherits it.
fn is_dead(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENT;
    while !is_so() {
        assert!(Instant::now() < end, "{what}: not after {PATIENT:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
