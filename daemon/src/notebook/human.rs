//! What a human wrote into the files for people: INBOX.md, and lines added to STATE.md.

use std::collections::BTreeSet;
use std::path::Path;

use tracing::warn;

use super::untrusted::{read_end, read_plain};
use crate::experiment::DIRECTIVE_CHARS;
use crate::report::one_line;

/// Most of a file that is heard, its end: people append.
const BYTES: u64 = 1 << 20;
/// Lines of our own that are remembered, the newest: an editor may have been open for long.
const REMEMBERED: usize = 1000;
/// More than so many lines of STATE.md ever take.
const MEMORY_BYTES: u64 = 4 << 20;

/// The lines of a file that say something; a heading says nothing.
pub fn lines(path: &Path) -> Vec<String> {
    let all = end(path);
    let bodies = all
        .lines()
        .filter(|line| !line.trim_start_matches('#').starts_with(' ') || !line.starts_with('#'));
    bodies.map(said).filter(|line| !line.is_empty()).collect()
}

/// The lines of STATE.md that we did not write. Without a memory of what we wrote there are none.
pub fn added(state: &Path, memory: &Path) -> Vec<String> {
    let known = memorised(memory);
    if known.is_empty() {
        return Vec::new();
    }
    let known: BTreeSet<_> = known.lines().map(said).collect();
    lines(state).into_iter().filter(|line| !known.contains(line)).collect()
}

/// What is remembered once this text was written: its lines, then those of earlier ones.
pub fn remembered(memory: &Path, text_now: &str) -> String {
    let earlier = memorised(memory);
    let mut seen = BTreeSet::new();
    let all = text_now.lines().chain(earlier.lines());
    let lines = all.filter(|line| !line.trim().is_empty() && seen.insert(*line)).take(REMEMBERED);
    lines.map(|line| format!("{line}\n")).collect()
}

/// Without the sign of a list.
fn said(line: &str) -> String {
    one_line(line.trim().trim_start_matches(['-', '*', ' ']), DIRECTIVE_CHARS)
}

/// As much of a file as is heard, whole lines.
fn end(path: &Path) -> String {
    let bytes = read_end(path, BYTES + 1).ok().flatten().unwrap_or_default();
    let is_whole = bytes.len() as u64 <= BYTES;
    let text = String::from_utf8_lossy(&bytes);
    if is_whole {
        return text.into_owned();
    }
    let file = path.display();
    warn!(%file, "what stands before its last {} KiB is not heard: shorten it", BYTES >> 10);
    text.split_once('\n').map_or_else(String::new, |(_, whole)| whole.to_owned())
}

fn memorised(path: &Path) -> String {
    let bytes = read_plain(path, MEMORY_BYTES).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_we_never_wrote_was_added() {
        let home = tempfile::TempDir::new().unwrap();
        let [state, memory] = ["STATE.md", ".memory"].map(|name| home.path().join(name));
        fs::write(&state, "# State\n- by hand, before anything was remembered\n").unwrap();
        assert!(added(&state, &memory).is_empty());
        for text in ["# State\n- one\n", "# State\n- two\n"] {
            fs::write(&memory, remembered(&memory, text)).unwrap();
        }
        // An editor that was open since the first of them, or a write that never came to its end.
        fs::write(&state, "# State\n- one\n\n  - try  focal loss\n").unwrap();
        assert_eq!(added(&state, &memory), ["try focal loss"]);
        fs::write(&state, "# State\n- two\n").unwrap();
        assert!(added(&state, &memory).is_empty());
    }

    #[test]
    fn what_is_remembered_does_not_grow_for_ever() {
        let home = tempfile::TempDir::new().unwrap();
        let memory = home.path().join("memory");
        for n in 0..REMEMBERED + 5 {
            fs::write(&memory, remembered(&memory, &format!("- {n}\n"))).unwrap();
        }
        let kept = fs::read_to_string(&memory).unwrap();
        assert_eq!((kept.lines().next(), kept.lines().count()), (Some("- 1004"), REMEMBERED));
    }

    #[test]
    fn the_longest_lines_are_remembered_whole() {
        let home = tempfile::TempDir::new().unwrap();
        let [state, memory] = ["STATE.md", ".memory"].map(|name| home.path().join(name));
        let own = |n: usize| format!("- {n:04} {}\n", "𝛼".repeat(150));
        let known: String = (0..REMEMBERED).map(own).collect();
        fs::write(&memory, remembered(&memory, &known)).unwrap();
        fs::write(&state, own(0) + "- try focal loss\n").unwrap();
        assert_eq!(added(&state, &memory), ["try focal loss"]);
    }

    #[test]
    fn what_is_appended_is_heard_however_much_stands_before() {
        let home = tempfile::TempDir::new().unwrap();
        let [inbox, memory] = ["INBOX.md", ".memory"].map(|name| home.path().join(name));
        let many: Vec<_> = (0..500).map(|n| format!("wish {n}")).collect();
        fs::write(&inbox, many.join("\n")).unwrap();
        assert_eq!(lines(&inbox), many);
        fs::write(&memory, many[..499].join("\n")).unwrap();
        assert_eq!(added(&inbox, &memory), ["wish 499"]);
        let filler = "é".repeat(BYTES as usize / 2);
        fs::write(&inbox, format!("first\n{filler}\nwish 500\n")).unwrap();
        assert_eq!(lines(&inbox), ["wish 500"]);
    }

    #[test]
    fn an_inbox_is_read_line_by_line() {
        let home = tempfile::TempDir::new().unwrap();
        let inbox = home.path().join("INBOX.md");
        assert!(lines(&inbox).is_empty());
        fs::write(&inbox, "# Inbox\n- try focal loss\n\n* less dropout\u{1b}[2J\n#3 was good\n")
            .unwrap();
        assert_eq!(lines(&inbox), ["try focal loss", "less dropout[2J", "#3 was good"]);
    }
}
