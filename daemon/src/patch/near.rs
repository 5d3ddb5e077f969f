//! Where old lines that do not stand in a file were probably meant to stand.

use similar::get_close_matches;

/// How alike two lines are before one is shown for the other.
const LIKENESS: f32 = 0.6;

/// Enough of a file to see one's mistake.
const SHOWN_LINES: usize = 12;

/// Longer lines are compared and shown by their beginning.
const LINE_CHARS: usize = 160;

/// The lines of a file that look most like those that were wanted, with their numbers, for a
/// message.
pub(super) fn nearest(wanted: &[&str], lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| head(line)).collect();
    let wanted: Vec<&str> = wanted.iter().map(|line| head(line)).collect();
    match window(&wanted, &lines) {
        Some(start) => {
            let shown = wanted.len().min(SHOWN_LINES).min(lines.len() - start);
            let quoted =
                (start..start + shown).map(|at| format!("\n{:>5} | {}", at + 1, lines[at]));
            format!("The nearest lines are:{}", quoted.collect::<String>())
        }
        None => format!("None of its {} lines is similar", lines.len()),
    }
}

/// The line where the most similar window begins, from 0: anchored at the longest line that
/// is wanted, at that of its likenesses around which most lines agree.
fn window(wanted: &[&str], lines: &[&str]) -> Option<usize> {
    let (offset, anchor) =
        wanted.iter().enumerate().rev().max_by_key(|(_, line)| line.trim().len())?;
    let best = *get_close_matches(*anchor, lines, 1, LIKENESS).first()?;
    let starts = lines.iter().enumerate().filter(|(_, line)| **line == best);
    starts.map(|(at, _)| at.saturating_sub(offset)).rev().max_by_key(|start| {
        let pairs = wanted.iter().zip(&lines[*start..]);
        pairs.filter(|(wanted, line)| wanted.trim() == line.trim()).count()
    })
}

fn head(line: &str) -> &str {
    let end = line.char_indices().nth(LINE_CHARS).map_or(line.len(), |(at, _)| at);
    &line[..end]
}
