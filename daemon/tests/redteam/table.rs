//! One row for every attack, on the terminal and in `target/reports/redteam.json`.

use crate::report::{self, Goal};
use crate::verdict::Seen;

/// Longest text of a cell.
const CELL: usize = 72;

/// The words above the rows.
pub fn head() -> String {
    format!("{:<5} {:<10} {:<52} {:<5} {:<72} gained", "room", "tier", "attack", "holds", "ledger")
}

/// One attack on one line.
pub fn line(seen: &Seen) -> String {
    let room = format!("{:?}", seen.room).to_lowercase();
    let tier = seen.tier.unwrap_or("-");
    let holds = if seen.holds() { "yes" } else { "NO" };
    let gained = seen.gains.first().map_or_else(|| "-".to_owned(), |gain| short(gain));
    let label = short(&seen.label);
    format!("{room:<5} {tier:<10} {:<52} {holds:<5} {label:<72} {gained}", seen.attack)
}

fn short(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(CELL) {
        Some((end, _)) => line[..end].to_owned(),
        None => line,
    }
}

/// Prints everything again in one table, and writes it down.
pub fn tell(name: &str, all: &[Seen]) {
    let row = |seen: &Seen| {
        let measure = format!("{:?} {}: {}", seen.room, seen.seal.as_str(), seen.attack);
        report::Row::new(
            measure.to_lowercase(),
            seen.problems.len() as f64,
            "problems",
            Goal::AtMost(0.0),
        )
    };
    report::write(name, &all.iter().map(row).collect::<Vec<_>>());
    let lines: Vec<_> = all.iter().map(line).collect();
    println!("\n{}\n{}", head(), lines.join("\n"));
    let held = all.iter().filter(|seen| seen.holds()).count();
    println!("{held} of {} as they should be", all.len());
}

/// Fails with everything that is not as it should be.
#[track_caller]
pub fn all_hold(all: &[Seen]) {
    let bad: Vec<_> =
        all.iter().filter(|seen| !seen.holds()).map(|seen| format!("{seen:#?}")).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
