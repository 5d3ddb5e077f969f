//! What changed between two sets of files, as unified diff text.

use std::collections::{BTreeMap, BTreeSet};

use similar::udiff::UnifiedDiffHunk;
use similar::{ChangeTag, InlineChange, TextDiff};

use super::Patch;

/// How a diff looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Text that `git apply` reads.
    Plain,
    /// For a terminal: coloured lines, changed words underlined, control characters made visible.
    Coloured,
}

const RESET: &str = "\x1b[0m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const CYAN: &str = "\x1b[36m";
const UNDERLINE: &str = "\x1b[4m";
const NO_UNDERLINE: &str = "\x1b[24m";

/// The unified diff of every file that differs; empty when none does.
pub fn render(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    look: Look,
) -> String {
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differ.map(|path| one_file(path, (before.get(path), after.get(path)), look)).collect()
}

/// The lines that a patch takes away and puts in, each with its file and a sign, without what means
/// nothing: white space, and lines of comment.
pub fn changed_lines(before: &BTreeMap<String, String>, patch: &Patch) -> BTreeSet<String> {
    let of_file = |(path, after): (&String, &Option<String>)| {
        let [old, new] =
            [before.get(path), after.as_ref()].map(|text| meant(text.map_or("", |text| text)));
        let diff = TextDiff::from_lines(&old, &new);
        let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
        let lines =
            changes.map(|change| format!("{path}{}{}", change.tag(), change.value().trim()));
        let gone = after.is_none().then(|| format!("{path} gone"));
        lines.chain(gone).collect::<Vec<_>>()
    };
    patch.files.iter().flat_map(of_file).collect()
}

fn meant(text: &str) -> String {
    let is_comment = |line: &&str| ["//", "# "].iter().any(|sign| line.trim().starts_with(sign));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !is_comment(line));
    lines.map(|line| line.split_whitespace().collect::<String>() + "\n").collect()
}

fn one_file(path: &str, (old, new): (Option<&String>, Option<&String>), look: Look) -> String {
    let name = |side: &str, text: Option<&String>| {
        text.map_or_else(|| "/dev/null".to_owned(), |_| format!("{side}/{path}"))
    };
    let names = (name("a", old), name("b", new));
    let empty = String::new();
    let diff = TextDiff::from_lines(old.unwrap_or(&empty).as_str(), new.unwrap_or(&empty).as_str());
    let mut unified = diff.unified_diff();
    unified.header(&names.0, &names.1);
    match look {
        Look::Plain => unified.to_string(),
        Look::Coloured => {
            let hunks = unified.iter_hunks().map(|hunk| coloured(&hunk, &diff));
            let head =
                format!("{BOLD}--- {}\n+++ {}{RESET}\n", visible(&names.0), visible(&names.1));
            head + &hunks.collect::<String>()
        }
    }
}

fn coloured(hunk: &UnifiedDiffHunk<'_, '_, '_, str>, diff: &TextDiff<'_, '_, str>) -> String {
    let lines = hunk.ops().iter().flat_map(|op| diff.iter_inline_changes(op));
    let lines: String = lines.map(|line| coloured_line(&line)).collect();
    format!("{CYAN}{}{RESET}\n{lines}", hunk.header())
}

fn coloured_line(line: &InlineChange<'_, str>) -> String {
    let colour = match line.tag() {
        ChangeTag::Delete => RED,
        ChangeTag::Insert => GREEN,
        ChangeTag::Equal => "",
    };
    let mut text = format!("{colour}{}", line.tag());
    for (changed, part) in line.iter_strings_lossy() {
        let part = visible(part.trim_end_matches(['\r', '\n']));
        let (on, off) = if changed { (UNDERLINE, NO_UNDERLINE) } else { ("", "") };
        text.extend([on, part.as_str(), off]);
    }
    let end = if colour.is_empty() { "" } else { RESET };
    let hint = if line.missing_newline() { "\n\\ No newline at end of file" } else { "" };
    format!("{text}{end}{hint}\n")
}

/// A diff must not steer the terminal it is shown on.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}
