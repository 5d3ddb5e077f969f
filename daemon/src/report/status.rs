//! `status`: one session at a glance.

use std::time::Duration;

use dfr_contract::submission::{Submission, standing};

use super::certificate::told;
use super::style::Ink;
use super::table::{Edge, table};
use super::{MIB_PER_GIB, Style, duty_cycle, one_line, short, span};
use crate::experiment::{
    History, Pause, Row, Verdict, certificate, gaps, overfit, run_to_run, unmeasured,
};
use crate::session::{Heartbeat, Life, Lock, Session, since};

const LAST_ROWS: usize = 10;
const LAST_FOR_DUTY: usize = 5;
const DESCRIPTION_WIDTH: usize = 60;
const PAUSED_WIDTH: usize = 200;

/// What there is to say about a session.
#[derive(Clone, Copy, Debug)]
pub struct Status<'a> {
    /// The session.
    pub session: &'a Session,
    /// What its entries imply.
    pub history: &'a History,
    /// The task's score columns, the objective first.
    pub columns: &'a [String],
    /// What is told of a recipe that is ready for a long training.
    pub ready: Option<&'a str>,
    /// The last sign of life.
    pub heartbeat: Option<&'a Heartbeat>,
    /// Whether somebody holds the session's lock.
    pub lock: Lock,
    /// The present wall time, milliseconds since 1970.
    pub now_ms: i64,
}

/// Alive or dead, phase, duty cycle, best and last rows, tokens.
pub fn status_text(status: &Status, style: Style) -> String {
    let begun = &status.session.begun;
    let life = Life::judge(status.lock, status.heartbeat, status.now_ms);
    let facts = [
        ("session", format!("{} ({}, {})", begun.tag, begun.task, begun.modality)),
        ("begun", (style.readable)(begun.created_at_ms)),
        ("daemon", daemon(status, life, style)),
        ("machine", machine(status.history)),
        ("tried", tried(status.history)),
        ("duty", duty(&status.history.rows)),
        ("best", best(status, style)),
        ("belief", belief(status)),
        ("total", total(status)),
        ("holdout", holdout(status, style)),
        ("pushed", pushed(status.history)),
        ("spent", spent(status.history)),
        ("pauses", pauses(status, life)),
    ];
    let facts = facts.map(|(name, value)| format!("{name:<8} {value}"));
    let mut lines = facts.to_vec();
    lines.extend(status.ready.map(|told| format!("{:<8} {told}", "next")));
    if !status.history.rows.is_empty() {
        lines.push(String::new());
        lines.extend(last_rows(status, style));
    }
    lines.join("\n") + "\n"
}

fn daemon(status: &Status, life: Life, style: Style) -> String {
    let word = style.paint(life.into(), life.as_str());
    let Some(beat) = status.heartbeat else {
        return format!("{word}, gave no sign yet");
    };
    let ago = span(since(beat.at_ms, status.now_ms));
    // A daemon that cannot write its ledger gave no sign of its own yet.
    let holder = if let Lock::Held(pid) = status.lock { i64::from(pid) } else { beat.pid.into() };
    let who = format!("process {holder} on {}", beat.host);
    match life {
        Life::Alive => format!("{word}: {} ({who})", doing(beat, status.now_ms)),
        Life::Silent => format!(
            "{word} for {ago} but holds its lock: hung, suspended, or no room for a sign of life ({who})"
        ),
        Life::Dead => {
            let at = (style.readable)(beat.at_ms);
            format!("{word}: last sign {at}, {ago} ago, {}", doing(beat, beat.at_ms))
        }
    }
}

fn doing(beat: &Heartbeat, now_ms: i64) -> String {
    if let Some(paused) = &beat.paused {
        return format!("paused, {}", one_line(paused, PAUSED_WIDTH));
    }
    let time = span(since(beat.phase_since_ms, now_ms));
    match (beat.phase, beat.experiment) {
        (Some(phase), Some(experiment)) => format!("experiment {experiment}, {phase} for {time}"),
        (Some(phase), None) => format!("{phase} for {time}"),
        (None, _) => format!("between experiments for {time}"),
    }
}

fn machine(history: &History) -> String {
    let machine = history.machine.as_ref();
    machine.map_or_else(|| "not written down".to_owned(), |machine| machine.told())
}

fn tried(history: &History) -> String {
    let of = |verdict| history.rows.iter().filter(|row| row.verdict == verdict).count();
    let since_keep =
        history.rows.iter().rev().take_while(|row| row.verdict != Verdict::Keep).count();
    format!(
        "{} experiments: {} kept, {} discarded, {} crashed; {since_keep} since the last keep",
        history.rows.len(),
        of(Verdict::Keep),
        of(Verdict::Discard),
        of(Verdict::Crash),
    )
}

fn duty(rows: &[Row]) -> String {
    let last = &rows[rows.len().saturating_sub(LAST_FOR_DUTY)..];
    match (duty_cycle(rows), duty_cycle(last)) {
        (Some(overall), Some(lately)) => format!(
            "{:.1} % of the time is training; {:.1} % over the last {}",
            100.0 * overall,
            100.0 * lately,
            last.len()
        ),
        _ => "no time told yet".to_owned(),
    }
}

fn best(status: &Status, style: Style) -> String {
    let Some(best) = status.history.incumbent() else { return "none yet".to_owned() };
    let scores = status.columns.iter().map(|column| format!("{column} {}", score(best, column)));
    let scores = style.paint(Ink::Bold, &scores.collect::<Vec<_>>().join(", "));
    let description = one_line(&best.description, DESCRIPTION_WIDTH);
    format!("experiment {}: {scores}, {}, {description}", best.experiment, short(&best.commit))
}

/// What the best rests on, and by how much scores differ by chance.
fn belief(status: &Status) -> String {
    let Some(objective) = status.columns.first() else { return "none".to_owned() };
    let best = status.history.incumbent().and_then(|row| row.evidence);
    let noise = match run_to_run(status.history, objective) {
        Some(noise) => format!("runs of one recipe differ by {noise:.4} (standard deviation)"),
        None => "by how much runs of one recipe differ was not measured".to_owned(),
    };
    best.map(|evidence| evidence.told()).into_iter().chain([noise]).collect::<Vec<_>>().join("; ")
}

/// What the session came to, when that was measured.
fn total(status: &Status) -> String {
    let objective = status.columns.first();
    match objective.and_then(|objective| certificate(status.history, objective)) {
        Some(known) => told(&known.validation),
        None => "not yet: dfr-daemon certify measures what the session came to".to_owned(),
    }
}

/// The newest keep where it was not chosen, and whether that gap grows.
fn holdout(status: &Status, style: Style) -> String {
    let Some(objective) = status.columns.first() else { return "none".to_owned() };
    let line = status.history.line();
    let gaps = gaps(line.iter().copied(), objective);
    let alarms = overfit(&gaps).into_iter().chain(line.last().and_then(|best| unmeasured(best)));
    let alarms = alarms.map(|alarm| format!("; {}", style.paint(Ink::Red, &alarm)));
    let alarms: String = alarms.collect();
    let Some(last) = gaps.last() else { return format!("not measured yet{alarms}") };
    let missing = line.last().filter(|best| best.experiment != last.experiment);
    let missing = missing.map(|best| format!("; experiment {} has none", best.experiment));
    format!(
        "experiment {}: {objective} {:.6}, {:+.6} against validation{}{alarms}",
        last.experiment,
        last.holdout,
        -last.size(),
        missing.unwrap_or_default()
    )
}

/// The last keep that was submitted, and how many archives stand before the competition.
fn pushed(history: &History) -> String {
    let standing = standing(&history.submissions).len();
    let Some(last) = history.submissions.last() else {
        return "nothing yet: dfr-daemon push hands a keep's archive to gascli".to_owned();
    };
    let Submission { model, zip, name, time, .. } = last;
    let name = one_line(name.as_ref().unwrap_or(zip), DESCRIPTION_WIDTH);
    let (wallet, hotkey, told) = (&model.wallet, &model.hotkey, last.told());
    format!("{name} under {wallet}/{hotkey}: {told} ({time}); {standing} submitted in all")
}

fn spent(history: &History) -> String {
    let usage = history.usage;
    format!(
        "{} tokens sent, {} received, {:.2} USD, {:.2} h on the device",
        usage.prompt_tokens,
        usage.completion_tokens,
        history.cost_usd,
        history.device_s / 3600.0
    )
}

/// How long the loop waited, by cause, the longest first. The pause it is in has no length yet.
fn pauses(status: &Status, life: Life) -> String {
    let mut by_cause: Vec<(Pause, f64)> = Vec::new();
    for (cause, seconds) in &status.history.pauses {
        match by_cause.iter_mut().find(|(known, _)| known == cause) {
            Some((_, sum)) => *sum += seconds,
            None => by_cause.push((*cause, *seconds)),
        }
    }
    by_cause.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told = by_cause.iter().map(|(cause, seconds)| {
        format!("{} ({cause})", span(Duration::try_from_secs_f64(*seconds).unwrap_or_default()))
    });
    let paused = status.heartbeat.is_some_and(|beat| beat.paused.is_some());
    let now = (life == Life::Alive && paused).then(|| "one now".to_owned());
    let told = told.chain(now).collect::<Vec<_>>().join(", ");
    if told.is_empty() { "none".to_owned() } else { told }
}

fn score(row: &Row, column: &str) -> String {
    row.metrics.get(column).map_or_else(|| "-".to_owned(), |value| format!("{value:.6}"))
}

fn last_rows(status: &Status, style: Style) -> Vec<String> {
    let rows = &status.history.rows;
    let rows = &rows[rows.len().saturating_sub(LAST_ROWS)..];
    let mut columns = vec![("#", Edge::Right), ("commit", Edge::Left)];
    columns.extend(status.columns.iter().map(|column| (column.as_str(), Edge::Right)));
    columns.extend([("memory", Edge::Right), ("verdict", Edge::Left), ("description", Edge::Left)]);
    let cells: Vec<_> = rows.iter().map(|row| cells(row, status.columns)).collect();
    let lines = table(&columns, &cells);
    let inks = std::iter::once(Ink::Bold).chain(rows.iter().map(|row| row.verdict.into()));
    lines.iter().zip(inks).map(|(line, ink)| style.paint(ink, line)).collect()
}

fn cells(row: &Row, columns: &[String]) -> Vec<String> {
    let mut cells = vec![row.experiment.to_string(), short(&row.commit).to_owned()];
    cells.extend(columns.iter().map(|column| score(row, column)));
    cells.extend([
        format!("{:.1} GiB", row.peak_vram_mb / MIB_PER_GIB),
        row.verdict.to_string(),
        one_line(&row.description, DESCRIPTION_WIDTH),
    ]);
    cells
}
