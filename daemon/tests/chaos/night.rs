//! A session under attack, and everything that was ever seen of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::contract::{Findings, Rule, Since, Unrecorded, Violation};
use crate::driver::{Driver, IDLE};
use crate::environment::{Daemon, Ended, TestEnvironment};
use crate::hold::Hold;
use crate::ledger::{Snapshot, integrity, snapshot};
use crate::openai::{Answer, Server};
use crate::repository::{Git, Lock, fsck, locks};
use crate::runs::Runs;
use dfr_daemon::session::Recorded;

/// What every training opens.
const RUNS: &str = "runs.txt";
/// What a human writes as soon as there is a session.
const INBOX: &str = "repo/state/t/INBOX.md";
/// What a session asks for that measures its noise and certifies its champion.
const MEASURING: [&str; 4] = ["--noise-runs", "1", "--certify", "2"];
/// Longest wait for what takes a moment; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(2);

pub struct Night {
    pub environment: TestEnvironment,
    pub violations: Vec<Violation>,
    /// Commits of a human on the branch.
    pub foreign: BTreeSet<String>,
    /// Flags of every life.
    flags: &'static [&'static str],
    server: Server,
    hold: Hold,
    driver: Driver,
    runs: Runs,
    entries: Vec<Recorded>,
    locks: BTreeSet<Lock>,
    unrecorded: Unrecorded,
}

/// How a life went, as far as the contract depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// It said that it was ready.
    pub was_ready: bool,
    /// Kills of the daemon.
    pub daemon_kills: i64,
    /// Kills of its trainer.
    pub trainer_kills: i64,
}

impl Life {
    /// One that ended by itself, in order.
    pub const WHOLE: Self = Self { was_ready: true, daemon_kills: 0, trainer_kills: 0 };
}

impl Night {
    /// An endpoint with so many answers; runs of 20 ms, held as well as the machine can.
    pub fn new(answers: usize) -> Self {
        Self::by_turn(answers, 0)
    }

    /// The same, held in each way of this machine by turns.
    pub fn by_turn(answers: usize, turn: usize) -> Self {
        let environment = TestEnvironment::new();
        let runs = Runs::watch(&environment.path(RUNS));
        let hold = Hold::by_turn(turn);
        let task = task(&environment.read("task.toml"), &environment.path(RUNS));
        environment.write("task.toml", &task);
        environment.write("repo/dfr.toml", "probe_s = 1\n");
        environment.write("repo/lab/recipe.txt", &recipe("ok", 0.60, 0));
        environment.commit_all("short runs");
        let answer = |at| Answer::text(proposal(at, hold.is_sealed));
        Self {
            environment,
            violations: Vec::new(),
            foreign: BTreeSet::new(),
            flags: &[],
            server: Server::start((0..answers).map(answer)),
            hold,
            driver: Driver::new(IDLE),
            runs,
            entries: Vec::new(),
            locks: BTreeSet::new(),
            unrecorded: Unrecorded::default(),
        }
    }

    /// The same, and every other of them measures its noise and certifies.
    pub fn measuring_by_turn(answers: usize, turn: usize) -> Self {
        let flags: &[&str] = if turn % 2 == 1 { &MEASURING } else { &[] };
        Self { flags, ..Self::by_turn(answers, turn) }
    }

    /// The command that begins the session, or goes on with it once the ledger knows it.
    pub fn session(&self, arguments: &[&str]) -> Command {
        let llm = ["--tag", "t", "--proposer", "llm", "--model", "m"];
        let mut session = self.environment.daemon(&llm);
        session.arg("--task").arg(self.environment.path("task.toml"));
        session.args(self.hold.flags()).args(self.flags).args(arguments);
        if matches!(self.snapshot(), Ok(Some(_))) {
            session.arg("--resume");
            self.environment.write(INBOX, "- try cleaner data\n");
        }
        session.env("DFR_NVML", self.driver.library());
        session.env("OPENAI_API_KEY", "sk-chaos").env("OPENAI_BASE_URL", self.server.base_url());
        session
    }

    pub fn snapshot(&self) -> Result<Option<Snapshot>, String> {
        snapshot(&self.environment.state(), &self.environment.path("scratch"))
    }

    /// Verdicts in the ledger.
    pub fn rows(&self) -> usize {
        self.snapshot().ok().flatten().map_or(0, |snapshot| snapshot.history.decided().count())
    }

    /// Whether a life ended that should have gone on.
    pub fn is_stuck(&self) -> bool {
        self.violations.iter().any(|violation| violation.rule == Rule::GoesOn)
    }

    /// Waits until the daemon says a word, or has ended; gives whether it said it.
    pub fn hears(&self, daemon: &mut Daemon<'_>, word: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !daemon.log().contains(word) {
            if daemon.has_ended() || Instant::now() > deadline {
                return daemon.log().contains(word);
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Kills what runs in the build slot; gives how many that were.
    pub fn kill_trainer(&self) -> i64 {
        let running = self.environment.running();
        let killed =
            running.iter().filter(|(id, _)| kill(Pid::from_raw(*id), Signal::SIGKILL).is_ok());
        killed.count().try_into().unwrap()
    }

    /// Lets the daemon go on until the session has so many rows; it must end in order.
    pub fn finish(&mut self, rows: usize) {
        let most = rows.to_string();
        let ended = self.environment.run(&mut self.session(&["--max-experiments", &most]));
        let in_order = ended.status.code() == Some(0) && self.rows() >= rows;
        self.demand(in_order, Rule::GoesOn, || told(&ended));
        self.look(Life { was_ready: ended.err.contains(" ready "), ..Life::WHOLE });
        self.look_closely();
    }

    pub fn demand(&mut self, holds: bool, rule: Rule, told: impl FnOnce() -> String) {
        let mut findings = Findings::default();
        findings.demand(holds, rule, told);
        self.violations.append(&mut findings.0);
    }

    /// Checks everything that is cheap to check. The daemon must be dead.
    pub fn look(&mut self, life: Life) {
        let mut findings = Findings::default();
        let gone = self.wait_for_no_trainer();
        findings.demand(gone, Rule::Survivor, || self.environment.trainers().join("\n"));
        let locks = locks(&self.environment);
        let stale: Vec<_> = self.locks.intersection(&locks).collect();
        findings.demand(!life.was_ready || stale.is_empty(), Rule::Lock, || format!("{stale:?}"));
        self.locks = locks;
        match self.snapshot() {
            Ok(Some(snapshot)) => self.compare(&snapshot, life, &mut findings),
            Ok(None) => findings.nothing_lost(&self.entries, &[]),
            Err(problem) => findings.demand(false, Rule::Integrity, || problem),
        }
        self.violations.append(&mut findings.0);
    }

    fn compare(&mut self, snapshot: &Snapshot, life: Life, findings: &mut Findings) {
        let entries = &snapshot.entries;
        findings.nothing_lost(&self.entries, entries);
        findings.nothing_doubled(entries);
        let table = self.environment.peek("repo/state/t/results.tsv");
        let since = Since { entries: self.entries.len(), was_ready: life.was_ready };
        findings.table(snapshot, &table, since);
        let git = Git::read(&self.environment, &self.foreign);
        findings.branch(snapshot, &git, since);
        findings.candidates_are_reachable(entries, &git);
        findings.chain(snapshot, &git);
        let now = Unrecorded::new(entries, self.server.asked(), self.runs.count());
        let before = std::mem::replace(&mut self.unrecorded, now);
        let told = || format!("{before:?} became {now:?} in {life:?}");
        let proposals = now.proposals - before.proposals;
        findings.demand(proposals <= life.daemon_kills, Rule::Proposal, told);
        let runs = now.runs - before.runs;
        findings.demand(runs <= life.daemon_kills + life.trainer_kills, Rule::Run, told);
        self.entries.clone_from(entries);
    }

    /// Checks what takes longer.
    pub fn look_closely(&mut self) {
        let complaints = fsck(&self.environment);
        self.demand(complaints.is_empty(), Rule::Fsck, || complaints.clone());
        let told = integrity(&self.environment.state(), &self.environment.path("scratch"));
        self.demand(told == "ok", Rule::Integrity, || told.clone());
    }

    fn wait_for_no_trainer(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !self.environment.trainers().is_empty() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Tokens were only spent in ways that the protocol allows; gives what was found to be wrong.
    pub fn end(self) -> Vec<Violation> {
        self.server.finish();
        self.violations
    }
}

/// The end of a life in a few lines.
pub fn told(ended: &Ended) -> String {
    let last: Vec<_> = ended.err.lines().rev().take(8).collect();
    let last: Vec<_> = last.into_iter().rev().collect();
    format!("{}: {}", ended.status, last.join("\n"))
}

/// The tests' task with all that a real one has: a product that is kept and run, a holdout, a canary.
fn task(plain: &str, runs: &Path) -> String {
    let fake = env!("CARGO_BIN_EXE_fake-trainer");
    let recipe = "{tree}/lab/recipe.txt";
    let made = format!("build = [\"{fake}\", \"build\", \"{recipe}\", \"{{target}}/recipe\"]");
    let canary = format!("canary = [\"{fake}\", \"canary\", \"{{program}}\"]");
    let run = |line: &str| match line.split(' ').next() {
        Some("build") => format!("{made}\nproduct = \"{{target}}/recipe\"\n{canary}"),
        Some("smoke" | "train" | "predict") => line.replace(recipe, "{program}"),
        Some("readable") => format!("readable = [{fake:?}, {runs:?}]"),
        Some("[commands]") => format!("[environment]\nFAKE_RUNS = {runs:?}\n{line}"),
        _ => line.to_owned(),
    };
    let holdout = "[score.holdout]\ninputs = \"{pack}/holdout\"\nlabels = \"{pack}/vault/holdout.labels.u8\"\n";
    let lines: Vec<_> = plain.lines().map(run).collect();
    format!("{}\n{holdout}", lines.join("\n"))
}

fn recipe(mode: &str, quality: f64, serial: usize) -> String {
    let build = if mode == "unbuilt" { "broken" } else { "ok" };
    format!(
        "mode = {mode}\nquality = {quality:.2} // knob: 0.50 | 0.60\nms = 20\nserial = {serial}\n\
         build = {build}\nsmoke = ok\n"
    )
}

/// Answers in turn: a look, better than all before, worse, a crash, its repair, which does not build, and the
/// repair of that, no answer at all, its repair. The crash is one that blames the device, where a canary tells that it
/// lies.
fn proposal(at: usize, is_sealed: bool) -> String {
    let better = (0.61 + 0.01 * (at / 8) as f64).min(0.99);
    let (mode, quality) = match at % 8 {
        0 => {
            return "LOOK: file lab/recipe.txt\nLOOK: search quality\nLOOK: experiment 0\n"
                .to_owned();
        }
        1 => ("ok", better),
        3 if is_sealed => ("device-fault", 0.60),
        3 => ("crash", 0.60),
        4 => ("unbuilt", 0.60),
        6 => return "I would rather not.".to_owned(),
        _ => ("ok", 0.55),
    };
    let text = recipe(mode, quality, at + 1);
    format!(
        "HYPOTHESIS: attempt {at} should help\nDESCRIPTION: attempt {at}\n\n\
         lab/recipe.txt\n<<<<<<< FILE\n{text}>>>>>>> FILE\n"
    )
}
