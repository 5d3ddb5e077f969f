//! A path and a fenced text below it: a whole file, unless it is an excerpt.

use super::Lines;
use super::blocks;
use super::lines::fence;
use crate::patch::{Edit, Whole};

/// Reads a fence and what is in it, if that is nothing but a text; where it is not, nothing is read.
pub(super) fn read(lines: &mut Lines<'_>, path: &str) -> Option<Edit> {
    let open = fence(lines.peek(0)?).filter(|_| !lines.is_fenced())?;
    if ["diff", "patch"].contains(&lines.peek(0)?.trim().trim_start_matches(open)) {
        return None;
    }
    let line = lines.number();
    let mut content = String::new();
    let mut ahead = 1;
    loop {
        let text = lines.peek(ahead)?;
        if text.trim() == open {
            break;
        }
        if is_edit(text) {
            return None;
        }
        content.push_str(text);
        content.push('\n');
        ahead += 1;
    }
    (0..=ahead).for_each(|_| lines.step());
    Some(Edit::Write { path: path.to_owned(), line, content, whole: Whole::Fenced })
}

/// Whether a line is one of another form of edit, or of an answer's head.
fn is_edit(text: &str) -> bool {
    let signs = ["@@", "*** ", "diff --git ", "+++ ", "HYPOTHESIS:"];
    signs.iter().any(|sign| text.starts_with(sign)) || blocks::begins(text.trim()).is_some()
}
