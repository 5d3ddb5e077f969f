//! Knobs: constants of a recipe whose line names the values worth trying.
//!
//! ```text
//!     learning_rate: 3e-3, // knob: 3e-4 | 1e-3 | 3e-3 | 1e-2      field of a struct
//! const WARMUP: f64 = 0.1; // knob: 0 | 0.1 | 0.3                  constant, with or without `pub`
//! LEARNING_RATE = 3e-3  # knob: 1e-3 | 3e-3                        Python
//! ```
//! Values are texts, separated by ` | `, in an order that makes sense of neighbours (mostly by
//! size). Knobs stand in the file in the order in which they are worth trying.

use std::ops::Range;

/// One constant and the values worth trying for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knob {
    /// Its name in the code; a second one of the same name is `name#2`.
    pub name: String,
    /// Its value now.
    pub current: String,
    /// Values worth trying, in order; mostly with the present one among them.
    pub values: Vec<String>,
    line: usize,
    span: Range<usize>,
}

impl Knob {
    /// Steps between a value and the present one, in the order of the values. A present value that
    /// is not in the list stands before its beginning.
    pub fn distance(&self, value: &str) -> usize {
        let place = |value| self.values.iter().position(|v| v == value).map_or(0, |at| at + 1);
        place(value).abs_diff(place(&self.current))
    }

    /// Every value in its order, the present one among them.
    pub fn in_order(&self) -> Vec<&str> {
        let is_listed = self.values.contains(&self.current);
        let present = (!is_listed).then_some(self.current.as_str());
        present.into_iter().chain(self.values.iter().map(String::as_str)).collect()
    }

    /// Every value but the present one.
    pub fn alternatives(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str).filter(|value| *value != self.current)
    }
}

/// The knobs of a file, in its order. A line with nothing else to try is none.
pub fn parse(text: &str) -> Vec<Knob> {
    let mut knobs: Vec<Knob> = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let Some(mut knob) = parse_line(at, line) else { continue };
        let same = |other: &&Knob| other.name.split('#').next() == Some(&knob.name);
        let before = knobs.iter().filter(same).count();
        if before > 0 {
            knob.name = format!("{}#{}", knob.name, before + 1);
        }
        knobs.push(knob);
    }
    knobs
}

fn parse_line(at: usize, line: &str) -> Option<Knob> {
    let (code, values) = line.split_once("// knob:").or_else(|| line.split_once("# knob:"))?;
    let code = code.trim_end().trim_end_matches([',', ';']).trim_end();
    if code.trim_start().starts_with("//") || code.trim_start().starts_with('#') {
        return None;
    }
    let (left, right) = match code.split_once(" = ") {
        Some((left, right)) => (left.split(':').next().unwrap_or(left), right),
        None => code.split_once(':')?,
    };
    let name = left.split_whitespace().next_back().filter(|name| is_name(name))?;
    let current = right.trim();
    let values = distinct(values);
    let knob = Knob {
        name: name.to_owned(),
        current: current.to_owned(),
        values,
        line: at,
        span: code.len() - current.len()..code.len(),
    };
    (!current.is_empty() && knob.alternatives().next().is_some()).then_some(knob)
}

fn is_name(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn distinct(list: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in list.split(" | ").map(str::trim).filter(|value| !value.is_empty()) {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    values
}

/// One replacement of exact text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Stands exactly once in the text.
    pub search: String,
    /// To be put there.
    pub replace: String,
}

/// Replacements that give each knob its new value, in an order in which each applies to what the
/// ones before it left. The line of the knob alone where it is unique, else with lines around it.
pub fn turn(text: &str, changes: &[(&Knob, &str)]) -> Vec<Replacement> {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let turned = changes.iter().map(|(knob, value)| {
        let block = unique_block(&lines, knob.line);
        let search = lines[block.clone()].join("\n");
        lines[knob.line].replace_range(knob.span.clone(), value);
        Replacement { search, replace: lines[block].join("\n") }
    });
    turned.collect()
}

/// The fewest lines that stand once in the text: one line and what is above it, and only when that
/// goes up to the top also what is below it.
fn unique_block(lines: &[String], line: usize) -> Range<usize> {
    let text = lines.join("\n");
    let upwards = (0..=line).rev().map(|first| first..line + 1);
    let downwards = (line + 2..=lines.len()).map(|end| 0..end);
    upwards
        .chain(downwards)
        .find(|block| occurs_once(&text, &lines[block.clone()].join("\n")))
        .expect("a whole text stands once in itself")
}

fn occurs_once(text: &str, part: &str) -> bool {
    text.find(part).is_some_and(|at| {
        let next = at + part.chars().next().map_or(0, char::len_utf8);
        !text[next..].contains(part)
    })
}

#[cfg(test)]
#[path = "knobs_tests.rs"]
mod tests;
