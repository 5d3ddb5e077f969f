//! What the daemon has in memory grows neither with what trainers print nor, by much, with the ledger.
//!
//! `make memory` tries it with a full ledger and a gibibyte of output, and writes a report.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGINT;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::environment::{EQUAL, RECORDS, TestEnvironment, reply};
use crate::openai::{Answer, Server};
use crate::report::{self, Goal, Row};

/// Most that may ever be resident, in MiB.
const MOST_MIB: f64 = 64.0;
/// Longest wait for a daemon that reads a full ledger before it begins.
const PATIENCE: Duration = Duration::from_secs(600);
const LLM: [&str; 5] = ["--resume", "--proposer", "llm", "--model", "m"];

/// Data sets that a score is told by, knobs of a recipe, notes of an answer, and their lengths: as many
/// and as long as those of a session in earnest.
const SOURCES: usize = 50;
const KNOBS: usize = 24;
const NOTES: usize = 8;
const TEXT_CHARS: usize = 200;
/// What the repeated experiment was about, to the number that is put in the place of the 2.
const CHANGED: &str = "extra 1 -> ";

/// What else may be printed without end, in MiB: `make memory` has it print so many times more.
const FLOODS: [(&str, u32); 4] = [
    ("mode = flood\nflood_of = lines", 6),
    ("mode = flood\nflood_of = bytes", 16),
    // Behind a footer, as if it went on, and where one should be.
    ("mode = flood-after\nflood_of = pairs", 4),
    ("mode = flood-instead\nflood_of = pairs", 4),
];
const TIMES_MORE: u32 = 16;

/// A number that `make memory` gives.
fn asked(variable: &str) -> Option<u32> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Makes of a task and its recipe what a session in earnest has.
fn in_earnest(environment: &TestEnvironment) {
    let sources = "[score]\nsources = \"{pack}/vault/ids.tsv\"";
    environment.edit("task.toml", ("[score]", sources));
    let source = |id: usize| format!("organisation/generated-videos-{:03}", id % SOURCES);
    let ids = (0..RECORDS).map(|id| format!("validation\t{id}\t{}\n", source(id)));
    let pack = "cache/packs/video/1x1x1-original-80-10-10/pack-1";
    environment.write(&format!("{pack}/vault/ids.tsv"), &ids.collect::<String>());
    let knob = |n| format!("learning_rate_of_layer_{n} = 0.001 // knob: 0.0001 | 0.001 | 0.01\n");
    let recipe = environment.read("repo/lab/recipe.txt");
    let knobs: String = (0..KNOBS).map(knob).collect();
    environment.write("repo/lab/recipe.txt", &format!("{recipe}{knobs}"));
    environment.commit_all("knobs");
}

/// An answer with as much to say as a model has.
fn told_at_length() -> String {
    let text = |word: &str| format!("{word} ").repeat(TEXT_CHARS / (word.len() + 1));
    let notes: String = (0..NOTES).map(|n| format!("OBSERVED: {n} {}\n", text("seen"))).collect();
    let edit = reply(&format!("{CHANGED}2"), &[EQUAL]);
    let (_, edit) = edit.split_once('\n').unwrap();
    let (description, edit) = edit.split_once('\n').unwrap();
    format!("HYPOTHESIS: {}\n{description}\n{notes}{edit}", text("because"))
}

/// Tells the ledger of experiment 1 again and again, of another value each time, until it holds so many.
async fn repeat(environment: &TestEnvironment, experiments: u32) {
    let options = SqliteConnectOptions::new().filename(environment.path("repo/state/dfr.db"));
    let mut ledger = options.connect().await.unwrap();
    sqlx::query(
        "insert into entry (session_id, experiment, at_ms, kind, body) \
         with recursive again (n) as (select 2 union all select n + 1 from again where n < ? - 1) \
         select session_id, n, at_ms, kind, replace(body, ? || '2', ? || n) from again, entry \
         where experiment = 1 order by n, entry.id",
    )
    .bind(experiments)
    .bind(CHANGED)
    .bind(CHANGED)
    .execute(&mut ledger)
    .await
    .unwrap();
}

/// A figure that the kernel keeps of a process, in MiB.
fn mib(process: u32, figure: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().unwrap() / 1024.0
}

fn flood(recipe: &str, flood_mib: u32) -> Answer {
    let recipe = format!("{recipe}\nflood_mib = {flood_mib}");
    Answer::text(reply("flood", &[("mode = ok", &recipe)])).held()
}

/// The most that a daemon had in memory which the playbook gave ideas, until there are so many rows.
fn with_playbook(environment: &TestEnvironment, rows: usize) -> f64 {
    let mut daemon = environment.start(&mut environment.session(&["--resume"]));
    let begun = Instant::now();
    while environment.rows().len() < rows {
        assert!(!daemon.has_ended() && begun.elapsed() < PATIENCE, "{}", daemon.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let peak = mib(daemon.id(), "VmHWM:");
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    peak
}

#[test]
fn neither_a_full_ledger_nor_a_flood_is_held_in_memory() {
    let (experiments, flood_mib) = (asked("MEMORY_EXPERIMENTS"), asked("MEMORY_FLOOD_MIB"));
    let is_report = experiments.is_some();
    let (experiments, flood_mib) = (experiments.unwrap_or(1000), flood_mib.unwrap_or(64));
    let environment = TestEnvironment::new();
    in_earnest(&environment);
    let equal = environment.script(&[told_at_length()]);
    let two = ["--proposer", &equal, "--max-experiments", "2"];
    environment.run(&mut environment.session(&two)).code(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(repeat(&environment, experiments));

    let times = if is_report { TIMES_MORE } else { 1 };
    let floods = FLOODS.map(|(recipe, mib)| (recipe, mib * times));
    let floods = [&[("mode = flood", flood_mib)], &floods[..]].concat();
    let answers = floods.iter().map(|(recipe, mib)| flood(recipe, *mib));
    let server = Server::start(answers.chain([Answer::text("end").held()]));
    let mut session = environment.session(&LLM);
    session.env("OPENAI_API_KEY", "sk-1").env("OPENAI_BASE_URL", server.base_url());
    let mut daemon = environment.start(&mut session);
    daemon.wait_for("the first question", || server.asked() == 1);
    let before = [mib(daemon.id(), "VmHWM:"), mib(daemon.id(), "VmRSS:")];
    let told = || fs::metadata(environment.path("repo/state/t/journal.jsonl")).unwrap().len();
    let before_told = told();
    for asked in 2..=floods.len() + 1 {
        server.release();
        daemon.wait_for("the next question", || server.asked() == asked);
    }
    let told_mib = (told() - before_told) as f64 / f64::from(1 << 20);
    let after = [mib(daemon.id(), "VmHWM:"), mib(daemon.id(), "VmRSS:")];
    daemon.signal(SIGINT);
    daemon.wait().code(0);
    let verdicts = environment.verdicts();
    assert_eq!(verdicts.len(), experiments as usize + floods.len());
    assert!(
        verdicts
            .ends_with(&["discard", "discard", "discard", "discard", "crash"].map(str::to_owned))
    );
    server.finish();
    let playbook = with_playbook(&environment, verdicts.len() + 2);

    let row = |what: &str, mib| Row::new(what, mib, "MiB", Goal::AtMost(MOST_MIB));
    let full = format!("with {experiments} experiments in the ledger");
    let flooded = format!("after trainers that printed without end, up to {flood_mib} MiB");
    let rows = [
        row(&format!("peak, {full}"), before[0]),
        row(&format!("resident, {full}"), before[1]),
        row(&format!("peak, {flooded}"), after[0]),
        row(&format!("resident, {flooded}"), after[1]),
        row(&format!("peak with the playbook, {full}"), playbook),
        Row::new("written down of them", told_mib, "MiB", Goal::AtMost(1.0)),
    ];
    println!("{}", report::table(&rows));
    if is_report {
        report::write("memory", &rows);
    }
    assert!(rows.iter().all(|row| row.holds() == Some(true)), "{rows:#?}");
}
