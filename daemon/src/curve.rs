//! How a training went, in a few lines of its own log.

use dfr_contract::footer;

use crate::report::one_line;

/// Lines that are told of one training.
const LINES: usize = 8;
/// Longest of them, in characters.
const WIDTH: usize = 160;
/// Lines that are told of the end of one.
const LAST: usize = 50;
/// Longest of those, in characters.
const LAST_WIDTH: usize = 300;

/// The lines that tell a loss, evenly spread from the first to the last; the last lines of a log that
/// tells none. No line that looks like a score: what a trainer says of itself counts for nothing.
pub fn curve(log: &str) -> Vec<String> {
    let said = || said(log);
    let losses = || said().filter(|line| line.contains("loss") || line.contains("Loss"));
    // A log may be long, so its lines are gone through twice and not held.
    let all = losses().count();
    let told: Vec<_> = match all {
        0 => last(log, LINES),
        _ => {
            let spread = |n| all <= LINES || (0..LINES).any(|k| k * (all - 1) / (LINES - 1) == n);
            losses().enumerate().filter(|(n, _)| spread(*n)).map(|(_, line)| line).collect()
        }
    };
    told.into_iter().map(|line| one_line(line, WIDTH)).collect()
}

/// The last lines of a log, none of which looks like a score.
pub fn end(log: &str) -> Vec<String> {
    last(log, LAST).into_iter().map(|line| one_line(line, LAST_WIDTH)).collect()
}

fn said(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    log.lines().filter(|line| !footer::tells_score(line) && !line.trim().is_empty())
}

fn last(log: &str, lines: usize) -> Vec<&str> {
    let mut last: Vec<_> = said(log).rev().take(lines).collect();
    last.reverse();
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_training_is_told_from_its_first_to_its_last_line() {
        let log: String = (0..1000).map(|n| format!("epoch {n}: loss {n}\nworker {n}\n")).collect();
        let told = curve(&log);
        assert_eq!(told.len(), LINES);
        assert_eq!(
            (told[0].as_str(), told[7].as_str()),
            ("epoch 0: loss 0", "epoch 999: loss 999")
        );
        assert_eq!(curve("Loss 1\nother\nloss 2\n"), ["Loss 1", "loss 2"]);
    }

    #[test]
    fn a_log_without_losses_is_told_by_its_end() {
        let log: String = (0..20).map(|n| format!("step {n}\n\n")).collect();
        assert_eq!(curve(&log).first().map(String::as_str), Some("step 12"));
        assert_eq!(curve(&log).last().map(String::as_str), Some("step 19"));
        assert!(curve("").is_empty());
    }

    #[test]
    fn no_score_and_no_endless_line_goes_further() {
        assert!(curve("sn34_score: 0.93\n").is_empty());
        assert_eq!(end("one\nsn34_score: 0.93\n\ntwo\n"), ["one", "two"]);
        assert_eq!(curve(&format!("loss {}\u{1b}[2J", "9".repeat(500)))[0].chars().count(), WIDTH);
    }
}
