//! What goes wrong with answers, each on a change in a form.

use crate::changes::{Change, TWIN};
use crate::forms::{Content, Dress, Form, Hunk, PLAIN, Piece, edits, pieces};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None.
    Plain,
    /// Text before and after the edits.
    Prose,
    /// A fence around each edit.
    Fenced,
    /// A draft in a block of thoughts before the answer.
    Thinking,
    /// The head in bold, the path as a heading in code.
    Markdown,
    /// Lines end with `\r\n`.
    Crlf,
    /// Markers with a sign too many, or too few.
    Signs(usize),
    /// Old lines with blanks at their ends.
    TrailingBlanks,
    /// All lines indented otherwise than the file's.
    Indentation,
    /// Unchanged blank lines without their mark.
    UnmarkedBlank,
    /// No unchanged line has its mark.
    Unmarked,
    /// Counts that are too high.
    Counts,
    /// Line numbers of another version of the file.
    Numbers,
    /// No line numbers.
    NoNumbers,
    /// Paths without `a/` and `b/`.
    NoGit,
    /// Few lines around the change, and the head of its block.
    Within,
    /// A path, a fence and the whole text in it.
    BareFence,
    /// A comment among the old lines that the file does not have.
    Invented,
    /// A path with a letter too many.
    Misspelt,
    /// Lines that stand twice, and nothing that says which.
    Twice,
    /// The end is missing.
    Cut,
    /// A remark instead of the lines that stay.
    Elided,
}

impl Fault {
    pub const ALL: [Self; 23] = [
        Self::Plain,
        Self::Prose,
        Self::Fenced,
        Self::Thinking,
        Self::Markdown,
        Self::Crlf,
        Self::Signs(6),
        Self::Signs(8),
        Self::TrailingBlanks,
        Self::Indentation,
        Self::UnmarkedBlank,
        Self::Unmarked,
        Self::Counts,
        Self::Numbers,
        Self::NoNumbers,
        Self::NoGit,
        Self::Within,
        Self::BareFence,
        Self::Invented,
        Self::Misspelt,
        Self::Twice,
        Self::Cut,
        Self::Elided,
    ];

    /// Whether a careful person could apply the answer.
    pub fn can_be_applied(self) -> bool {
        !matches!(self, Self::Twice | Self::Cut | Self::Elided)
    }
}

const HEAD: &str = "HYPOTHESIS: it helps\nDESCRIPTION: a change\nNEXT: more of it\n\n";

/// The change in this form with this fault; none where it has no such fault.
pub fn reply(change: &Change, form: Form, fault: Fault) -> Option<String> {
    let is_diff = matches!(form, Form::Unified | Form::Envelope);
    let has_numbers = form == Form::Unified && !matches!(fault, Fault::NoNumbers | Fault::Numbers);
    let pieces =
        pieces(change, form, !has_numbers && !matches!(fault, Fault::Within | Fault::Twice));
    let whole = |pieces: &[Piece], dress| HEAD.to_owned() + &edits(pieces, form, dress);
    let fence = Some(if is_diff { "```diff" } else { "```rust" });
    let fenced = Dress { fence, ..PLAIN };
    let plain = || whole(&pieces, PLAIN);
    let only = |applies: bool, text: &dyn Fn() -> String| applies.then(text);
    match fault {
        Fault::Plain => Some(plain()),
        Fault::Prose => Some(format!(
            "Here is what I would try.\n\n{}\nThis keeps the rest as it is.\n",
            whole(&pieces, fenced)
        )),
        Fault::Fenced => Some(whole(&pieces, fenced)),
        Fault::Thinking => Some(format!(
            "<think>\nFirst idea:\n{}Wait, no.\n</think>\n\n{}",
            plain().replace("f64", "f32"),
            plain()
        )),
        Fault::Markdown => {
            let dress = Dress { path: ("### `", "`"), ..fenced };
            let head = "**HYPOTHESIS:** it helps\n**DESCRIPTION:** a change\n\n";
            Some(head.to_owned() + &edits(&pieces, form, dress))
        }
        Fault::Crlf => Some(plain().replace('\n', "\r\n")),
        Fault::Signs(signs) => only(!is_diff, &|| whole(&pieces, Dress { signs, ..PLAIN })),
        Fault::TrailingBlanks => {
            on_hunks(&pieces, with_trailing_blanks).map(|pieces| whole(&pieces, PLAIN))
        }
        Fault::Indentation => {
            on_hunks(&pieces, otherwise_indented).map(|pieces| whole(&pieces, PLAIN))
        }
        Fault::UnmarkedBlank => only(is_diff, &|| whole(&pieces, Dress { blank: "", ..fenced })),
        Fault::Unmarked => {
            only(is_diff, &|| without_marks(&whole(&pieces, Dress { blank: "", ..fenced })))
        }
        Fault::Counts => {
            only(form == Form::Unified, &|| whole(&pieces, Dress { numbers: Some(2), ..fenced }))
        }
        Fault::Numbers => {
            let pieces =
                on_hunks(&pieces, |hunk| hunk.starts = (hunk.starts.0 + 3, hunk.starts.1 + 5));
            pieces.filter(|_| form == Form::Unified).map(|pieces| whole(&pieces, PLAIN))
        }
        Fault::NoNumbers => {
            only(form == Form::Unified, &|| whole(&pieces, Dress { numbers: None, ..fenced }))
        }
        Fault::NoGit => {
            only(form == Form::Unified, &|| whole(&pieces, Dress { is_git: false, ..PLAIN }))
        }
        Fault::Within => only(form == Form::Envelope && change.name == TWIN, &|| {
            whole(&pieces, Dress { within: Some("impl Encoder for Right {"), ..PLAIN })
        }),
        Fault::BareFence => {
            bare_fence(&pieces).filter(|_| form == Form::Whole).map(|text| HEAD.to_owned() + &text)
        }
        Fault::Invented => {
            let pieces = on_hunks(&pieces, |hunk| {
                hunk.lines.insert(1, (' ', "    // The usual way.".to_owned()));
            });
            pieces.filter(|_| change.name == "a_function").map(|pieces| whole(&pieces, fenced))
        }
        Fault::Misspelt => only(form != Form::Whole && change.name == "two_places", &|| {
            plain().replace("src/model.rs", "src/models.rs")
        }),
        Fault::Twice => only(change.name == TWIN && !matches!(form, Form::Whole), &|| {
            whole(&pieces, Dress { numbers: None, ..fenced })
        }),
        Fault::Cut => {
            let text = whole(&pieces, fenced);
            let end = text.trim_end().trim_end_matches("```").trim_end();
            Some(end[..end.floor_char_boundary(end.len() - 12)].to_owned())
        }
        Fault::Elided => elided(&pieces).map(|pieces| whole(&pieces, PLAIN)),
    }
}

/// The pieces with every hunk changed; none where there is no hunk.
fn on_hunks(pieces: &[Piece], change: impl Fn(&mut Hunk)) -> Option<Vec<Piece>> {
    let mut pieces = pieces.to_vec();
    let mut any = false;
    for piece in &mut pieces {
        if let Content::Hunks(hunks) = &mut piece.content {
            hunks.iter_mut().for_each(&change);
            any = true;
        }
    }
    any.then_some(pieces)
}

fn with_trailing_blanks(hunk: &mut Hunk) {
    for (mark, text) in &mut hunk.lines {
        if *mark != '+' {
            text.push_str("  ");
        }
    }
}

/// Without the indentation that all lines have, or with four blanks where they have none.
fn otherwise_indented(hunk: &mut Hunk) {
    let depth = |text: &String| text.len() - text.trim_start().len();
    let lines = hunk.lines.iter().map(|(_, text)| text).filter(|text| !text.trim().is_empty());
    let common = lines.map(depth).min().unwrap_or(0);
    for (_, text) in hunk.lines.iter_mut().filter(|(_, text)| !text.trim().is_empty()) {
        *text = if common > 0 { text[common..].to_owned() } else { format!("    {text}") };
    }
}

fn without_marks(text: &str) -> String {
    text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

fn bare_fence(pieces: &[Piece]) -> Option<String> {
    let piece = |piece: &Piece| match &piece.content {
        Content::New(lines) => {
            Some(format!("{}\n\n```\n{}\n```\n\n", piece.path, lines.join("\n")))
        }
        Content::Gone(_) | Content::Hunks(_) => None,
    };
    pieces.iter().map(piece).collect()
}

/// Every other line of a long whole file is left to a remark.
fn elided(pieces: &[Piece]) -> Option<Vec<Piece>> {
    let mut pieces = pieces.to_vec();
    let long = pieces.iter_mut().find_map(|piece| match &mut piece.content {
        Content::New(lines) if lines.len() > 20 => Some(lines),
        _ => None,
    })?;
    long.splice(6..15, ["    // ... rest of the code unchanged ...".to_owned()]);
    Some(pieces)
}
