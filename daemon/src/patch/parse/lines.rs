//! An answer's lines, one after the other.

use super::one_line;
use crate::patch::PatchError;

/// Where reading stands.
pub(super) struct Lines<'a> {
    lines: Vec<&'a str>,
    at: usize,
    /// The fence that is open here.
    fence: Option<&'a str>,
}

impl<'a> Lines<'a> {
    /// All of an answer but what a model thought before it.
    pub(super) fn of(reply: &'a str) -> Self {
        let lines = reply.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines: Vec<&str> = lines.collect();
        let at = match lines.iter().rposition(|line| line.trim_end().ends_with("</think>")) {
            Some(at) => at + 1,
            None if reply.trim_start().starts_with("<think>") => lines.len(),
            None => 0,
        };
        Self { lines, at, fence: None }
    }

    /// The number of the next line, from 1.
    pub(super) fn number(&self) -> usize {
        self.at + 1
    }

    /// The next line, or one of those after it; none at the end.
    pub(super) fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.lines.get(self.at + ahead).copied()
    }

    /// The next line is read.
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    /// The error where something else should stand next.
    pub(super) fn misses(&self, expected: String) -> PatchError {
        let found = one_line(self.peek(0).unwrap_or("the end of the answer"), 80);
        PatchError::Marker { line: self.number(), found, expected }
    }

    /// Whether nothing but blank lines is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.lines[self.at.min(self.lines.len())..].iter().all(|line| line.trim().is_empty())
    }

    /// Whether lines stand in a fence here.
    pub(super) fn is_fenced(&self) -> bool {
        self.fence.is_some()
    }

    /// Whether the line before opened a fence for a diff.
    pub(super) fn begins_diff(&self) -> bool {
        let before = self.at.checked_sub(1).map(|at| self.lines[at].trim());
        self.is_fenced() && matches!(before, Some("```diff" | "```patch" | "~~~diff" | "~~~patch"))
    }

    /// Reads a line that opens or closes a fence; says whether it is one.
    pub(super) fn take_fence(&mut self) -> bool {
        let Some(line) = self.peek(0) else { return false };
        let Some(fence) = fence(line) else { return false };
        self.fence = match self.fence {
            Some(open) if line.trim() == open => None,
            None => Some(fence),
            within => within,
        };
        self.step();
        true
    }
}

/// The sign of a line that opens or closes a fence.
pub(super) fn fence(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    ["```", "~~~"].into_iter().find(|fence| line.starts_with(fence))
}
