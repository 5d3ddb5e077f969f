//! Edits against the files as they are: all of them or none.

use std::collections::BTreeMap;

use similar::get_close_matches;

use super::near::nearest;
use super::{Edit, Patch, PatchError, Proposal, Scope};

/// The largest file that a patch may leave behind; source files are far smaller.
pub const FILE_BYTES: usize = 256 << 10;

/// How alike two paths are before one is offered for the other.
const PATH_LIKENESS: f32 = 0.6;

type Files = BTreeMap<String, String>;

/// Applies every edit in order to the editable files of `base`, and returns what changed.
///
/// # Errors
/// The first edit that is out of scope or does not apply exactly; edits that change nothing.
pub fn apply(proposal: &Proposal, base: &Files, scope: &Scope) -> Result<Patch, PatchError> {
    let mut files = base.clone();
    for edit in &proposal.edits {
        let (path, line) = (edit.path().to_owned(), edit.line());
        check_path(edit, &files, scope)?;
        let content = edited(edit, &files)?;
        if content.len() > FILE_BYTES {
            let bytes = content.len();
            return Err(PatchError::FileTooLarge { line, path, bytes, max: FILE_BYTES });
        }
        files.insert(path, content);
    }
    files.retain(|path, content| base.get(path) != Some(content));
    if files.is_empty() { Err(PatchError::NoChange) } else { Ok(Patch { files }) }
}

fn check_path(edit: &Edit, files: &Files, scope: &Scope) -> Result<(), PatchError> {
    let (path, line) = (edit.path(), edit.line());
    scope.check(path).map_err(|fault| PatchError::OutOfScope {
        line,
        path: path.to_owned(),
        fault,
        editable: scope.globs().join(", "),
    })?;
    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
    let below = format!("{path}/");
    let inside = files.range(below.clone()..).next().filter(|(name, _)| name.starts_with(&below));
    if let Some(file) = above.into_iter().find(|above| files.contains_key(*above)) {
        return Err(PatchError::UnderFile { line, path: path.to_owned(), file: file.to_owned() });
    }
    match inside {
        Some((name, _)) => {
            Err(PatchError::UnderFile { line, path: name.clone(), file: path.to_owned() })
        }
        None => Ok(()),
    }
}

fn edited(edit: &Edit, files: &Files) -> Result<String, PatchError> {
    match edit {
        Edit::Write { path, content, .. } => Ok(match files.get(path) {
            Some(old) => with_ends_of(old, content),
            None => content.clone(),
        }),
        Edit::Replace { path, line, search, replace } => match files.get(path) {
            Some(text) => replaced(text, (search, replace)).map_err(|miss| miss.at(*line, path)),
            // The one meaning that an empty SEARCH can have.
            None if search.is_empty() => Ok(replace.clone()),
            None => Err(PatchError::NoFile {
                line: *line,
                path: path.clone(),
                near: near_path(path, files),
            }),
        },
    }
}

/// Why a SEARCH has no one place.
enum Miss {
    Empty,
    Nowhere(String),
    Several(Vec<usize>),
}

impl Miss {
    fn at(self, line: usize, path: &str) -> PatchError {
        let path = path.to_owned();
        match self {
            Self::Empty => PatchError::EmptySearch { line, path },
            Self::Nowhere(near) => PatchError::NoMatch { line, path, near },
            Self::Several(at) => PatchError::Ambiguous { line, path, at },
        }
    }
}

/// Blocks are whole lines, so a file's missing last newline is added for the search and taken
/// away again.
fn replaced(text: &str, (search, replace): (&str, &str)) -> Result<String, Miss> {
    let (search, replace) = (with_ends_of(text, search), with_ends_of(text, replace));
    let open = !text.is_empty() && !text.ends_with('\n');
    let mut text = text.to_owned();
    if open {
        text.push('\n');
    }
    let at = place(&text, &search)?;
    text.replace_range(at..at + search.len(), &replace);
    if open && text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn place(text: &str, search: &str) -> Result<usize, Miss> {
    if search.is_empty() {
        return Err(Miss::Empty);
    }
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let found: Vec<(usize, usize)> =
        starts.enumerate().filter(|(_, at)| text[*at..].starts_with(search)).collect();
    match found[..] {
        [] => Err(Miss::Nowhere(nearest(search, text))),
        [(_, at)] => Ok(at),
        _ => Err(Miss::Several(found.iter().map(|(line, _)| line + 1).collect())),
    }
}

/// Answers end lines with `\n`; a file that ends all of its lines with `\r\n` keeps doing so.
fn with_ends_of(old: &str, new: &str) -> String {
    let ends = old.matches('\n').count();
    if ends > 0 && ends == old.matches("\r\n").count() {
        new.replace('\n', "\r\n")
    } else {
        new.to_owned()
    }
}

fn near_path(path: &str, files: &Files) -> Option<String> {
    let known: Vec<&str> = files.keys().map(String::as_str).collect();
    get_close_matches(path, &known, 1, PATH_LIKENESS).first().map(|near| (*near).to_owned())
}
