//! How a report looks: colours and times.

use crate::clock;
use crate::experiment::Verdict;
use crate::session::Life;

/// How a report looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether terminal colours are wanted.
    pub colour: bool,
    /// Makes a wall time in milliseconds since 1970 readable.
    pub readable: fn(i64) -> String,
}

impl Style {
    /// Text without colours, times in local time.
    pub const PLAIN: Self = Self { colour: false, readable: clock::readable };
    /// As [`Self::PLAIN`], in colour.
    pub const COLOUR: Self = Self { colour: true, ..Self::PLAIN };

    pub(super) fn paint(self, ink: Ink, text: &str) -> String {
        if self.colour { format!("\u{1b}[{}m{text}\u{1b}[0m", ink as u8) } else { text.to_owned() }
    }
}

/// A colour, by its code.
///
/// # Source
/// ECMA-48, select graphic rendition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ink {
    Plain = 0,
    Bold = 1,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl From<Verdict> for Ink {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Keep => Self::Green,
            Verdict::Discard => Self::Plain,
            Verdict::Crash => Self::Red,
        }
    }
}

impl From<Life> for Ink {
    fn from(life: Life) -> Self {
        match life {
            Life::Alive => Self::Green,
            Life::Silent => Self::Yellow,
            Life::Dead => Self::Red,
        }
    }
}
