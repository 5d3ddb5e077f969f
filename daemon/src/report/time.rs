//! Where the time went.

use std::time::Duration;

use super::table::{Edge, table};
use crate::experiment::{Phase, Row};

/// A span of time for people, in its two largest units: `12 s`, `3 min 12 s`, `2 h 5 min`.
pub fn span(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// The share of training in all the time of the given rows; none when no time was told.
pub fn duty_cycle(rows: &[Row]) -> Option<f64> {
    let all: f64 = Phase::ALL.into_iter().map(|phase| total_s(rows, phase)).sum();
    (all > 0.0).then(|| total_s(rows, Phase::Train) / all)
}

/// Seconds by phase over the given rows: in all, in the median experiment, and as a share.
pub fn phase_table(rows: &[Row]) -> String {
    let all: f64 = Phase::ALL.into_iter().map(|phase| total_s(rows, phase)).sum();
    // Where no keep was measured on a holdout, there is no such phase.
    let is_told = |phase: &Phase| *phase != Phase::Holdout || total_s(rows, *phase) > 0.0;
    let cells = Phase::ALL.into_iter().filter(is_told).map(|phase| {
        let total = total_s(rows, phase);
        let share =
            if all > 0.0 { format!("{:.1} %", 100.0 * total / all) } else { "-".to_owned() };
        let median = format!("{:.2} s", median_s(rows, phase));
        vec![phase.to_string(), format!("{total:.1} s"), median, share]
    });
    let columns = [
        ("phase", Edge::Left),
        ("total", Edge::Right),
        ("median", Edge::Right),
        ("share", Edge::Right),
    ];
    table(&columns, &cells.collect::<Vec<_>>()).join("\n") + "\n"
}

fn seconds(rows: &[Row], phase: Phase) -> impl Iterator<Item = f64> {
    rows.iter().filter_map(move |row| row.phase_seconds.get(&phase).copied())
}

fn total_s(rows: &[Row], phase: Phase) -> f64 {
    // An empty sum of floats is -0.0.
    seconds(rows, phase).fold(0.0, |sum, s| sum + s)
}

fn median_s(rows: &[Row], phase: Phase) -> f64 {
    let mut all: Vec<_> = seconds(rows, phase).collect();
    all.sort_by(f64::total_cmp);
    match all.len() {
        0 => 0.0,
        n if n % 2 == 1 => all[n / 2],
        n => f64::midpoint(all[n / 2 - 1], all[n / 2]),
    }
}
