//! A child's output line by line: when it started, what gives it away, its last lines. However short
//! its lines are, and however many, they are taken in as fast as they come.

use std::collections::VecDeque;
use std::mem;
use std::time::Instant;

/// Lines kept for error messages.
const TAIL_LINES: usize = 50;
/// A telltale line is cut to so many characters.
const TELLTALE_CHARS: usize = 200;
/// A longer line is cut in memory (never in the log).
const LINE_CAP_BYTES: usize = 4096;

pub(super) struct Lines {
    /// The one that has not ended.
    line: Vec<u8>,
    tail: VecDeque<Vec<u8>>,
    started_line: Option<&'static str>,
    started_at: Option<Instant>,
    is_telltale: Option<fn(&str) -> bool>,
    telltale: Option<String>,
}

impl Lines {
    pub(super) fn new(
        started_line: Option<&'static str>,
        is_telltale: Option<fn(&str) -> bool>,
    ) -> Self {
        Self {
            line: Vec::new(),
            tail: VecDeque::new(),
            started_line,
            started_at: None,
            is_telltale,
            telltale: None,
        }
    }

    pub(super) fn started_at(&self) -> Option<Instant> {
        self.started_at
    }

    /// Splits what was read into lines. Those that cannot be among the last ones are only looked at,
    /// where they lie.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let late = memchr::memrchr_iter(b'\n', bytes).nth(TAIL_LINES - 1).unwrap_or(0);
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if end < late && self.line.is_empty() {
                self.look(capped(&bytes[from..end]));
            } else {
                self.extend(&bytes[from..end]);
                self.keep();
            }
            from = end + 1;
        }
        self.extend(&bytes[from..]);
    }

    /// The last lines, and the first telltale one.
    pub(super) fn finish(mut self) -> (String, Option<String>) {
        if !self.line.is_empty() {
            self.keep();
        }
        let tail: Vec<_> = self.tail.iter().map(|line| String::from_utf8_lossy(line)).collect();
        (tail.join("\n"), self.telltale)
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = LINE_CAP_BYTES - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn look(&mut self, line: &[u8]) {
        let line = trimmed(line);
        if line.is_empty() {
            return;
        }
        let is_start = |start: &str| line == start.as_bytes();
        if self.started_at.is_none() && self.started_line.is_some_and(is_start) {
            self.started_at = Some(Instant::now());
        }
        let Some(tells) = self.is_telltale.filter(|_| self.telltale.is_none()) else { return };
        // What a terminal writes over is a line as well.
        let mut told = line.split(|byte| *byte == b'\r').map(String::from_utf8_lossy);
        self.telltale =
            told.find(|line| tells(line)).map(|line| line.chars().take(TELLTALE_CHARS).collect());
    }

    /// The room of the oldest line goes to the next one.
    fn keep(&mut self) {
        let is_full = self.tail.len() == TAIL_LINES;
        let mut room = is_full.then(|| self.tail.pop_front()).flatten().unwrap_or_default();
        room.clear();
        let mut line = mem::replace(&mut self.line, room);
        self.look(&line);
        line.truncate(trimmed(&line).len());
        self.tail.push_back(line);
    }
}

fn capped(line: &[u8]) -> &[u8] {
    &line[..line.len().min(LINE_CAP_BYTES)]
}

/// Without the ends of lines of another system.
fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r'] = line {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(parts: &[&[u8]]) -> (String, Option<String>) {
        let mut lines = Lines::new(None, Some(|line| line.starts_with("score:")));
        parts.iter().for_each(|part| lines.take(part));
        lines.finish()
    }

    #[test]
    fn the_last_lines_are_the_same_however_they_come() {
        let text: String = (0..200).map(|n| format!("line {n}\r\n")).collect();
        let last: Vec<_> = (150..200).map(|n| format!("line {n}")).collect();
        let bytes: Vec<_> = text.as_bytes().chunks(1).collect();
        assert_eq!(told(&[text.as_bytes()]).0, last.join("\n"));
        assert_eq!(told(&bytes).0, last.join("\n"));
        let open = format!("{text}end");
        assert_eq!(told(&[open.as_bytes()]).0, last[1..].join("\n") + "\nend");
        assert_eq!(told(&[b"", b"\n", b"a\n\n"]).0, "\na\n");
    }

    #[test]
    fn a_telltale_line_is_seen_among_those_that_are_not_kept() {
        let flood = "\n".repeat(1000);
        let text = format!("{flood}score: 0.9\n{flood}score: 1\n{flood}");
        assert_eq!(told(&[text.as_bytes()]).1.as_deref(), Some("score: 0.9"));
        assert_eq!(told(&[b"sco", b"re: 0.8"]).1.as_deref(), Some("score: 0.8"));
        assert_eq!(told(&[b"50 %\rscore: 0.7\r90 %\n"]).1.as_deref(), Some("score: 0.7"));
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory() {
        let long = vec![b'x'; 3 * LINE_CAP_BYTES];
        assert_eq!(told(&[&long, &long]).0.len(), LINE_CAP_BYTES);
    }
}
