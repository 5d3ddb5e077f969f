//! Every way of a trainer to get away, in both tiers, sealed where the machine can; and a daemon that
//! is killed in the middle. The tier *container* is tried as it is on most rented machines: without
//! control groups. Whatever descended from this process is looked for afterwards by its number.
//!
//! `RUNAWAY_TIMES=20` (`make runaway`) runs each that often, measures, and writes a report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dfr_daemon::experiment::{Cause, RunOutcome, StopLevel};
use dfr_daemon::runner::{
    self, Capabilities, Containment, Execution, Live, MARK, Report, ResourceLimits, RunUser,
    prepare_writable,
};
use dfr_daemon::sandbox::{Code, Sandbox};
use dfr_daemon::tier::Tier;
use report::{Goal, Row};
use tempfile::TempDir;
use tokio::sync::watch;

#[path = "support/report.rs"]
mod report;

const TIERS: [Tier; 2] = [Tier::Full, Tier::Container];
/// Of a trainer that would never end by itself.
const SHORT: Duration = Duration::from_secs(1);
/// Of one that ends by itself, or for another reason; reached only when the test fails.
const LONG: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(1);
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
const OVERRUN_S: f64 = 5.0;
const GROWTH_MIB: f64 = 20.0;
/// Patience with the kernel after a daemon was killed; reached only when the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

const LIMITS: ResourceLimits = ResourceLimits {
    memory_bytes: Some(256 << 20),
    processes: Some(100),
    file_bytes: Some(64 << 20),
    directory_bytes: None,
    free_bytes: None,
};

/// One way to get away, and what is to be said of it.
struct Mode {
    recipe: &'static str,
    deadline: Duration,
    label: fn(Tier) -> Option<Cause>,
    ends: Ends,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Ends {
    Well,
    Late,
    Crashed,
    /// Killing its parent is possible only where that one is neither the first of a namespace nor out of
    /// the reach of a sandbox.
    LateOrCrashed,
}

impl Mode {
    const fn new(recipe: &'static str, ends: Ends) -> Self {
        let deadline = match ends {
            Ends::Late | Ends::LateOrCrashed => SHORT,
            Ends::Well | Ends::Crashed => LONG,
        };
        Self { recipe, deadline, label: |_| None, ends }
    }

    const fn caused(recipe: &'static str, label: fn(Tier) -> Option<Cause>) -> Self {
        Self { recipe, deadline: LONG, label, ends: Ends::Crashed }
    }

    fn name(&self) -> &'static str {
        self.recipe.lines().next().unwrap_or_default().trim_start_matches("mode = ")
    }

    fn is_told_rightly(&self, containment: &Containment, outcome: &RunOutcome) -> bool {
        match (self.ends, outcome) {
            (Ends::Well, RunOutcome::Finished) | (Ends::Late, RunOutcome::TimedOut) => true,
            (Ends::LateOrCrashed, RunOutcome::TimedOut) => !reaches_its_init(containment),
            (Ends::LateOrCrashed, RunOutcome::Crashed { signal, cause, .. }) => {
                reaches_its_init(containment) && *signal == Some(9) && cause.is_none()
            }
            (Ends::Crashed, RunOutcome::Crashed { cause, .. }) => {
                *cause == (self.label)(containment.tier())
            }
            _ => false,
        }
    }
}

fn reaches_its_init(containment: &Containment) -> bool {
    let is_kept_in = containment.seals().is_ok_and(|seal| seal.signals.is_some());
    containment.tier() == Tier::Container && !is_kept_in
}

const MODES: [Mode; 16] = [
    Mode::new("mode = hang", Ends::Late),
    Mode::new("mode = ignore-term", Ends::Late),
    Mode::new("mode = setsid-orphan", Ends::Well),
    Mode::new("mode = bare-orphan", Ends::Well),
    Mode::new("mode = kill-init", Ends::LateOrCrashed),
    Mode::new("mode = stop-init", Ends::Late),
    Mode::new("mode = flood\nflood_mib = 64", Ends::Well),
    Mode::new("mode = flood\nflood_of = lines\nflood_mib = 4", Ends::Well),
    Mode::new("mode = forged-footer", Ends::Well),
    Mode::new("mode = exit0", Ends::Well),
    Mode::caused("mode = fork", |_| Some(Cause::TooManyProcesses)),
    Mode::caused("mode = oom", |_| Some(Cause::OutOfMemory)),
    Mode::caused("mode = memfd", |_| Some(Cause::OutOfMemory)),
    Mode::caused("mode = fill", |_| Some(Cause::FileTooLarge)),
    Mode::caused("mode = nan", |_| Some(Cause::NotFinite)),
    Mode::caused("mode = device-fault", |_| Some(Cause::DeviceFault)),
];

const TRAINER: &str = env!("CARGO_BIN_EXE_fake-trainer");

/// One trainer in a directory of its own, which is also its mark.
struct Stage {
    directory: TempDir,
}

impl Stage {
    fn new(recipe: &str) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("recipe"), recipe).unwrap();
        fs::create_dir(directory.path().join("run")).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn mark(&self) -> String {
        self.directory.path().display().to_string()
    }

    fn argv(&self) -> Vec<String> {
        let places = ["recipe", "run"].map(|name| self.path(name).display().to_string());
        [TRAINER, "train"].map(str::to_owned).into_iter().chain(places).collect()
    }

    /// What a candidate's training may see, where the tier makes sandboxes here.
    fn sandbox(&self, containment: &Containment) -> Option<Sandbox> {
        containment.seals().ok()?;
        prepare_writable(&self.path("run"), containment).unwrap();
        let sandbox = Sandbox::system(Code::Candidate).reads(TRAINER).reads(self.path("recipe"));
        Some(sandbox.writes(self.path("run")))
    }

    async fn run(&self, containment: &Containment, deadline: Duration, grace: Duration) -> Report {
        let path = "/usr/local/bin:/usr/bin:/bin".to_owned();
        let execution = Execution {
            argv: self.argv(),
            directory: self.path("run"),
            environment: BTreeMap::from([
                ("PATH".to_owned(), path),
                (MARK.to_owned(), self.mark()),
            ]),
            log: self.log(),
            started_line: None,
            telltale: None,
            deadline,
            grace,
            limits: LIMITS,
            containment: containment.clone(),
            sandbox: self.sandbox(containment),
        };
        let (_sender, stop) = watch::channel(StopLevel::Continue);
        runner::run(&execution, Live::Quiet, stop).await.unwrap()
    }

    fn log(&self) -> PathBuf {
        self.path("run.log")
    }

    /// Processes that carry the mark; the dead that nobody has reaped carry none.
    fn alive(&self) -> usize {
        let mark = format!("{MARK}={}", self.mark());
        let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
        let has = |text: &Vec<u8>| text.split(|byte| *byte == 0).any(|e| e == mark.as_bytes());
        environments.filter(has).count()
    }
}

/// A process by what tells it from a later one of the same number: id, and start in clock ticks since
/// boot.
type Process = (i32, u64);

/// Everything that ever descends from this process, looked for all the time.
struct Descendants {
    seen: Arc<Mutex<BTreeSet<Process>>>,
    is_over: Arc<AtomicBool>,
    looking: JoinHandle<()>,
}

impl Descendants {
    fn watch() -> Self {
        let seen: Arc<Mutex<BTreeSet<Process>>> = Arc::default();
        let is_over: Arc<AtomicBool> = Arc::default();
        let (found, until) = (Arc::clone(&seen), Arc::clone(&is_over));
        let looking = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                found.lock().unwrap().extend(descendants());
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { seen, is_over, looking }
    }

    /// How many of them are there still, wherever they went.
    fn left(&self) -> usize {
        left(&self.seen.lock().unwrap())
    }

    fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.looking.join().unwrap();
        left(&self.seen.lock().unwrap())
    }
}

fn left(seen: &BTreeSet<Process>) -> usize {
    seen.iter().filter(|(pid, started)| is_alive(*pid, *started)).count()
}

/// State, parent and start: `pid (any name) state ppid … starttime …`, proc_pid_stat(5).
fn stat(pid: i32) -> Option<(char, i32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields[0].chars().next()?, fields[1].parse().ok()?, fields[19].parse().ok()?))
}

fn is_alive(pid: i32, started: u64) -> bool {
    stat(pid).is_some_and(|(state, _, then)| then == started && !matches!(state, 'Z' | 'X'))
}

fn descendants() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let table: Vec<_> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut known = BTreeSet::from([std::process::id().cast_signed()]);
    let mut found = Vec::new();
    loop {
        let is_new = |(pid, (_, parent, _)): &&(i32, (char, i32, u64))| {
            known.contains(parent) && !known.contains(pid)
        };
        let new: Vec<_> = table.iter().filter(is_new).map(|(pid, (.., at))| (*pid, *at)).collect();
        if new.is_empty() {
            return found;
        }
        known.extend(new.iter().map(|(pid, _)| *pid));
        found.extend(new);
    }
}

/// What many runs in one tier came to.
#[derive(Default)]
struct Tally {
    rows: Vec<Row>,
    survivors: usize,
    overrun_s: f64,
    growth_mib: f64,
}

impl Tally {
    async fn repeat(
        &mut self,
        times: usize,
        mode: &Mode,
        containment: &Containment,
        grace: Duration,
    ) {
        let tier = containment.tier();
        let mut right = 0;
        for _ in 0..times {
            let before = resident_mib();
            let (stage, descendants) = (Stage::new(mode.recipe), Descendants::watch());
            let report = stage.run(containment, mode.deadline, grace).await;
            let told = mode.is_told_rightly(containment, &report.outcome);
            right += usize::from(told);
            if !told {
                eprintln!("{}, {}: {report:?}", mode.name(), tier.as_str());
            }
            self.survivors += descendants.end().max(stage.alive());
            if report.outcome == RunOutcome::TimedOut {
                let over = report.elapsed.saturating_sub(mode.deadline);
                self.overrun_s = self.overrun_s.max(over.as_secs_f64());
            }
            self.growth_mib = self.growth_mib.max(resident_mib() - before);
        }
        let measure = format!("{}, {}, grace {} s", mode.name(), tier.as_str(), grace.as_secs());
        self.rows.push(Row::new(measure, right as f64, "right", Goal::AtLeast(times as f64)));
    }

    /// `asked`: whether times are judged, which only the command does.
    fn finish(mut self, tier: Tier, grace: Duration, asked: bool) -> Vec<Row> {
        let name = |what: &str| format!("{what}, {}, grace {} s", tier.as_str(), grace.as_secs());
        let figure =
            |what, value, unit, most| Row::new(name(what), value, unit, Goal::AtMost(most));
        self.rows.push(figure("survivors", self.survivors as f64, "", 0.0));
        self.rows.push(figure("memory growth", self.growth_mib, "MiB", GROWTH_MIB));
        if asked {
            let most = grace.as_secs_f64() + OVERRUN_S;
            self.rows.push(figure("longest overrun", self.overrun_s, "s", most));
        }
        self.rows
    }
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn machine() -> Capabilities {
    let user = RunUser::choose(None).unwrap();
    runner::capabilities_with(Path::new(env!("CARGO_BIN_EXE_dfr-daemon")), user)
}

fn asked_times() -> Option<usize> {
    std::env::var("RUNAWAY_TIMES").ok().map(|times| times.parse().unwrap())
}

#[tokio::test]
async fn no_trainer_gets_away() {
    let machine = machine();
    println!("{machine:#?}");
    let asked = asked_times();
    let times = asked.unwrap_or(2);
    let mut rows = Vec::new();
    for tier in TIERS {
        let containment = match Containment::choose(Some(tier), &machine) {
            Ok(containment) if tier == Tier::Container => containment.without_groups(),
            Ok(containment) => containment,
            Err(why) => {
                println!("skipped: {why}");
                rows.push(Row::missing(format!("tier {}", tier.as_str()), why.to_string()));
                continue;
            }
        };
        let mut tally = Tally::default();
        for mode in &MODES {
            tally.repeat(times, mode, &containment, GRACE).await;
        }
        rows.extend(tally.finish(tier, GRACE, asked.is_some()));
        if asked.is_some() {
            let mut tally = Tally::default();
            for mode in &MODES {
                tally.repeat(1, mode, &containment, DEFAULT_GRACE).await;
            }
            rows.extend(tally.finish(tier, DEFAULT_GRACE, true));
            rows.extend(gigabyte(&containment).await);
        }
        rows.push(killed_daemons(tier, times));
    }
    println!("{}", report::table(&rows));
    if asked.is_some() {
        report::write("runaway", &rows);
    }
    let missed: Vec<&Row> = rows.iter().filter(|row| row.holds() == Some(false)).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(rows.iter().any(|row| row.holds() == Some(true)), "nothing could be tried here");
}

/// A gigabyte of output costs neither memory nor disk.
async fn gigabyte(containment: &Containment) -> [Row; 2] {
    let tier = containment.tier().as_str();
    let before = resident_mib();
    let stage = Stage::new("mode = flood\nflood_mib = 1024");
    let report = stage.run(containment, LONG, GRACE).await;
    assert_eq!(report.outcome, RunOutcome::Finished);
    let log = fs::metadata(stage.log()).unwrap().len() as f64 / f64::from(1 << 20);
    let growth = resident_mib() - before;
    [
        Row::new(format!("log of 1 GiB, {tier}"), log, "MiB", Goal::AtMost(9.1)),
        Row::new(format!("memory for 1 GiB, {tier}"), growth, "MiB", Goal::AtMost(GROWTH_MIB)),
    ]
}

/// Kills daemons when so many processes of their run are there; how many were left at worst.
fn killed_daemons(tier: Tier, times: usize) -> Row {
    let recipes = [
        ("mode = ignore-term", 2),
        ("mode = fork\nforks = 20", 12),
        // The init, the trainer, and the orphan that it leaves before it stops its init.
        ("mode = stop-init", 4),
        ("mode = hang", 1),
    ];
    let rounds = recipes.iter().cycle().take(times.max(recipes.len()));
    let left = rounds.map(|(recipe, begun)| survivors_of_a_killed_daemon(tier, recipe, *begun));
    let worst = left.max().unwrap_or_default();
    let measure = format!("survivors of a killed daemon, {}", tier.as_str());
    Row::new(measure, worst as f64, "", Goal::AtMost(0.0))
}

fn survivors_of_a_killed_daemon(tier: Tier, recipe: &str, begun: usize) -> usize {
    let (stage, descendants) = (Stage::new(recipe), Descendants::watch());
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_fake-daemon"))
        .args([tier.as_str(), &stage.mark(), &stage.mark()])
        .args(stage.argv())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let came = wait_until(|| stage.alive() >= begun);
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(came, "{recipe}: the run never came up to {begun} processes");
    wait_until(|| stage.alive() == 0 && descendants.left() == 0);
    descendants.end().max(stage.alive())
}

/// Whether it came to that while there was patience. Seen once is seen: a shell's `sleep` ends, and
/// the next one takes a moment to be there.
fn wait_until(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
