//! A change as each form of answer writes it. Written from `similar`'s operations, not with the
//! code under test.

use std::fmt::Write as _;

use similar::{ChangeTag, DiffOp, TextDiff};

use crate::changes::Change;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Search,
    Unified,
    Envelope,
    Whole,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Search, Self::Unified, Self::Envelope, Self::Whole];
}

/// What an answer says of one file.
#[derive(Clone)]
pub struct Piece {
    pub path: String,
    pub content: Content,
}

#[derive(Clone)]
pub enum Content {
    Hunks(Vec<Hunk>),
    New(Vec<String>),
    Gone(Vec<String>),
}

/// Lines with their marks.
#[derive(Clone)]
pub struct Hunk {
    /// Of the first old line and the first new one, from 1.
    pub starts: (usize, usize),
    pub lines: Vec<(char, String)>,
}

impl Hunk {
    pub fn side(&self, without: char) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(mark, _)| *mark != without);
        lines.map(|(_, text)| text.as_str()).collect()
    }
}

/// A change in pieces: whole contents for `Whole`, else hunks with three lines around them, or with
/// as many as make their old lines unique.
pub fn pieces(change: &Change, form: Form, is_unique: bool) -> Vec<Piece> {
    let files = change.files().into_iter();
    let piece = |(path, before, after): (&String, Option<&String>, Option<&String>)| {
        let content = match (before, after) {
            (Some(before), None) => Content::Gone(lines(before)),
            (_, Some(after)) if form == Form::Whole => Content::New(lines(after)),
            (None, Some(after)) => Content::New(lines(after)),
            (Some(before), Some(after)) => {
                Content::Hunks(hunks(&lines(before), &lines(after), is_unique))
            }
            (None, None) => unreachable!("a file that differs is on one side"),
        };
        Piece { path: path.clone(), content }
    };
    files.map(piece).collect()
}

/// Models write `\n`, whatever the file has.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn hunks(before: &[String], after: &[String], is_unique: bool) -> Vec<Hunk> {
    (3..)
        .map(|around| grouped(before, after, around))
        .find(|hunks| !is_unique || hunks.iter().all(|hunk| stands_once(hunk, before)))
        .unwrap()
}

fn stands_once(hunk: &Hunk, lines: &[String]) -> bool {
    let old = hunk.side('+');
    lines.windows(old.len()).filter(|window| *window == old).count() == 1
}

fn grouped(before: &[String], after: &[String], around: usize) -> Vec<Hunk> {
    let [old, new] =
        [before, after].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
    let diff = TextDiff::from_slices(&old, &new);
    let mark = |tag| match tag {
        ChangeTag::Equal => ' ',
        ChangeTag::Delete => '-',
        ChangeTag::Insert => '+',
    };
    let lines = |ops: &[DiffOp]| {
        let changes = ops.iter().flat_map(|op| diff.iter_changes(op));
        changes.map(|change| (mark(change.tag()), change.value().to_owned())).collect()
    };
    let hunk = |ops: &Vec<DiffOp>| Hunk {
        starts: (ops[0].old_range().start + 1, ops[0].new_range().start + 1),
        lines: lines(ops),
    };
    diff.grouped_ops(around).iter().map(hunk).collect()
}

/// How an answer is put down.
#[derive(Clone, Copy)]
pub struct Dress {
    /// Signs of a marker.
    pub signs: usize,
    /// What goes before and after a path line.
    pub path: (&'static str, &'static str),
    /// What opens the fence around each piece.
    pub fence: Option<&'static str>,
    /// Heads of hunks have numbers, and what is added to the counts.
    pub numbers: Option<usize>,
    /// The heads of hunks name this line.
    pub within: Option<&'static str>,
    /// What stands before an unchanged blank line.
    pub blank: &'static str,
    /// A diff names its sides as git does.
    pub is_git: bool,
}

pub const PLAIN: Dress = Dress {
    signs: 7,
    path: ("", ""),
    fence: None,
    numbers: Some(0),
    within: None,
    blank: " ",
    is_git: true,
};

/// The edits of an answer.
pub fn edits(pieces: &[Piece], form: Form, dress: Dress) -> String {
    let fence = dress.fence;
    let mut text = String::new();
    match form {
        Form::Envelope => {
            text.extend(fence.map(|fence| format!("{fence}\n")));
            text.push_str("*** Begin Patch\n");
            pieces.iter().for_each(|piece| text.push_str(&envelope(piece, dress)));
            text.push_str("*** End Patch\n");
            text.extend(fence.map(|_| "```\n"));
        }
        Form::Unified => {
            text.extend(fence.map(|fence| format!("{fence}\n")));
            pieces.iter().for_each(|piece| text.push_str(&unified(piece, dress)));
            text.extend(fence.map(|_| "```\n"));
        }
        Form::Search | Form::Whole => {
            pieces.iter().for_each(|piece| text.push_str(&blocks(piece, dress)));
        }
    }
    text
}

fn blocks(piece: &Piece, dress: Dress) -> String {
    let (before, after) = dress.path;
    let mut text = format!("\n{before}{}{after}\n", piece.path);
    text.extend(dress.fence.map(|fence| format!("{fence}\n")));
    let (open, close) = ("<".repeat(dress.signs), ">".repeat(dress.signs));
    match &piece.content {
        Content::New(lines) => {
            let lines = joined(lines.iter().map(String::as_str));
            write!(text, "{open} FILE\n{lines}{close} FILE\n").unwrap();
        }
        Content::Hunks(hunks) => {
            for hunk in hunks {
                let (old, new) =
                    (joined(hunk.side('+').into_iter()), joined(hunk.side('-').into_iter()));
                write!(text, "{open} SEARCH\n{old}=======\n{new}{close} REPLACE\n").unwrap();
            }
        }
        // Blocks have no word for it.
        Content::Gone(_) => {
            return format!("*** Begin Patch\n*** Delete File: {}\n*** End Patch\n", piece.path);
        }
    }
    text.extend(dress.fence.map(|_| "```\n"));
    text
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("{line}\n")).collect()
}

fn marked(hunk: &Hunk, dress: Dress) -> String {
    let line = |(mark, text): &(char, String)| match (mark, text.as_str()) {
        (' ', "") => format!("{}\n", dress.blank),
        _ => format!("{mark}{text}\n"),
    };
    hunk.lines.iter().map(line).collect()
}

fn unified(piece: &Piece, dress: Dress) -> String {
    let (a, b) = if dress.is_git { ("a/", "b/") } else { ("", "") };
    let path = &piece.path;
    let (names, hunks) = match &piece.content {
        Content::Hunks(hunks) => (format!("--- {a}{path}\n+++ {b}{path}\n"), hunks.clone()),
        Content::New(lines) => (format!("--- /dev/null\n+++ {b}{path}\n"), vec![all(lines, '+')]),
        Content::Gone(lines) => (format!("--- {a}{path}\n+++ /dev/null\n"), vec![all(lines, '-')]),
    };
    let hunks = hunks.iter().map(|hunk| {
        let head = match dress.numbers {
            None => "@@ ... @@".to_owned(),
            Some(more) => {
                let (old, new) = (hunk.side('+').len() + more, hunk.side('-').len() + more);
                format!("@@ -{},{old} +{},{new} @@", hunk.starts.0, hunk.starts.1)
            }
        };
        format!("{head}\n{}", marked(hunk, dress))
    });
    names + &hunks.collect::<String>()
}

fn all(lines: &[String], mark: char) -> Hunk {
    let lines = lines.iter().map(|line| (mark, line.clone())).collect();
    Hunk { starts: if mark == '+' { (0, 1) } else { (1, 0) }, lines }
}

fn envelope(piece: &Piece, dress: Dress) -> String {
    let path = &piece.path;
    match &piece.content {
        Content::Gone(_) => format!("*** Delete File: {path}\n"),
        Content::New(lines) => {
            let lines: String = lines.iter().map(|line| format!("+{line}\n")).collect();
            format!("*** Add File: {path}\n{lines}")
        }
        Content::Hunks(hunks) => {
            let head = dress.within.map_or("@@\n".to_owned(), |within| format!("@@ {within}\n"));
            let hunks: String =
                hunks.iter().map(|hunk| format!("{head}{}", marked(hunk, dress))).collect();
            format!("*** Update File: {path}\n{hunks}")
        }
    }
}
