//! The real binary, killed in the middle of a training and started again.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up may panic")]

use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use dfr_contract::footer::Claims;
use dfr_contract::resumed::Resumed;
use dfr_contract::{CLOCK_STARTED, exit};

#[path = "../harness/src/testing.rs"]
mod testing;

const BUDGET_S: u64 = 8;
const EVERY_S: f64 = 1.0;
/// A step, a checkpoint, and a machine that has other work: what may pass beyond an interval.
const SLACK_S: f64 = 2.0;

fn command(part: &Path, run: &Path, seed: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dfr-train"));
    command.args(["train", "--preset", "r3d-tiny", "--threads", "1", "--seed", seed]);
    command.args(["--budget-s", &BUDGET_S.to_string(), "--checkpoint-every-s", "1"]);
    command.arg("--data").arg(part).arg("--out").arg(run);
    command
}

/// A training under way.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    resumed: Option<Resumed>,
    started: Instant,
}

impl Running {
    fn start(part: &Path, run: &Path) -> Self {
        let mut child = command(part, run, "1").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut resumed = None;
        let mut is_clock = |line: String| {
            resumed = resumed.or(Resumed::parse(&line));
            line == CLOCK_STARTED
        };
        assert!(lines.any(|line| is_clock(line.unwrap())), "it starts its clock");
        Self { child, lines, resumed, started: Instant::now() }
    }

    /// Seconds of the budget that are spent.
    fn spent(&self) -> f64 {
        self.resumed.map_or(0.0, |resumed| resumed.seconds) + self.started.elapsed().as_secs_f64()
    }
}

fn moment() -> Duration {
    Duration::from_millis(500 + RandomState::new().hash_one(0) % 2500)
}

#[test]
fn a_training_that_is_killed_loses_at_most_an_interval() {
    let dir = tempfile::tempdir().unwrap();
    let (part, run) = (dir.path().join("train"), dir.path().join("run"));
    testing::write_part(&part, &testing::PackSpec { records: 24, shape: &[8, 3, 24, 24] });
    let mut spent: f64 = 0.0;
    for _ in 0..3 {
        let mut running = Running::start(&part, &run);
        let went_on = running.resumed.map_or(0.0, |resumed| resumed.seconds);
        assert!(went_on >= spent - EVERY_S - SLACK_S, "{went_on} s are left of {spent}");
        sleep(moment());
        spent = running.spent();
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
    let other = command(&part, &run, "2").output().unwrap();
    let said = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(i32::from(exit::CONFIGURATION)), "{said}");
    assert!(said.contains("of a training with seed 1, not 2"), "{said}");

    let mut running = Running::start(&part, &run);
    let went_on = running.resumed.expect("a checkpoint in some seconds");
    let second = command(&part, &run, "1").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    // The first may be done by then, and so is the second.
    assert!(second.status.success() || said.contains("another training writes to"), "{said}");
    let rest: Vec<_> = running.lines.map(Result::unwrap).collect();
    assert!(running.child.wait().unwrap().success(), "{rest:?}");
    let claims = Claims::parse(&rest.join("\n")).unwrap();
    assert!(claims.num_steps > went_on.step, "{claims:?} after {went_on}");
    assert!(claims.training_seconds >= BUDGET_S as f64, "{claims:?}");
    let weights = std::fs::read(run.join("model.safetensors")).unwrap();
    let again = command(&part, &run, "1").output().unwrap();
    let said = String::from_utf8(again.stdout).unwrap();
    assert_eq!(
        Claims::parse(&said).map(|claims| claims.num_steps),
        Some(claims.num_steps),
        "{said}"
    );
    assert!(std::fs::read(run.join("model.safetensors")).unwrap() == weights);
}
