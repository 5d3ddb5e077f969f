//! Remarks that stand for code: "rest unchanged" is no Rust and no Python.

use super::PatchError;

/// What begins a comment in the languages of the field.
const COMMENTS: [&str; 6] = ["//", "#", "/*", "--", "<!--", "*"];

/// Words of a remark that leaves lines out.
const WORDS: [&str; 7] =
    ["rest", "unchanged", "existing", "same", "remaining", "omitted", "remains"];

/// Refuses new lines of which one is such a remark and does not stand in the old file.
///
/// # Errors
/// [`PatchError::Elided`].
pub(super) fn refuse<'a>(
    (path, line): (&str, usize),
    new: impl Iterator<Item = &'a str>,
    old: &str,
) -> Result<(), PatchError> {
    let is_new = |found: &&str| !old.lines().any(|line| line.trim() == found.trim());
    match new.filter(|line| is_elision(line)).find(is_new) {
        None => Ok(()),
        Some(found) => {
            let (path, found) = (path.to_owned(), found.trim().to_owned());
            Err(PatchError::Elided { line, path, found })
        }
    }
}

/// A comment that begins or ends with an ellipsis and says, if anything, that something stays.
fn is_elision(line: &str) -> bool {
    let line = line.trim();
    let Some(comment) = COMMENTS.iter().find_map(|mark| line.strip_prefix(mark)) else {
        return false;
    };
    let comment = comment.trim_end_matches("*/").trim_end_matches("-->").trim();
    let dots = ["...", "…"];
    let dotted = dots.iter().any(|dots| comment.starts_with(dots) || comment.ends_with(dots));
    let said = comment.to_lowercase();
    let mut words = said.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_silent = words.clone().next().is_none();
    dotted && (is_silent || words.any(|word| WORDS.contains(&word)))
}
