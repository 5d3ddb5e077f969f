//! A file's text as lines.

/// Lines without their ends, and how they end.
pub(super) struct Text<'a> {
    pub(super) lines: Vec<&'a str>,
    end: &'static str,
    /// Whether the last line is ended too.
    is_closed: bool,
}

impl<'a> Text<'a> {
    /// A file that ends all of its lines with `\r\n` keeps doing so; in one that mixes its ends,
    /// a `\r` belongs to its line.
    pub(super) fn of(text: &'a str) -> Self {
        let ends = text.matches('\n').count();
        let end = if ends > 0 && ends == text.matches("\r\n").count() { "\r\n" } else { "\n" };
        let open = text.strip_suffix(end);
        let lines = match open.unwrap_or(text) {
            "" if open.is_none() => Vec::new(),
            text => text.split(end).collect(),
        };
        Self { lines, end, is_closed: open.is_some() || text.is_empty() }
    }

    /// Other lines in the manner of this file.
    pub(super) fn with(&self, lines: &[String]) -> String {
        let mut text = lines.join(self.end);
        if self.is_closed && !lines.is_empty() {
            text.push_str(self.end);
        }
        text
    }

    /// An answer's text, whose lines end with `\n`, in the manner of this file.
    pub(super) fn with_its_ends(&self, text: &str) -> String {
        let text = if self.is_closed { text } else { text.strip_suffix('\n').unwrap_or(text) };
        text.replace('\n', self.end)
    }
}
