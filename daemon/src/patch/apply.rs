//! Edits against the files as they are: all of them or none.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use similar::get_close_matches;

use super::place::{Miss, Place, place};
use super::text::Text;
use super::{Change, Edit, Hunk, Patch, PatchError, Proposal, Scope, Whole, elision};

/// The largest file that a patch may leave behind; source files are far smaller.
pub const FILE_BYTES: usize = 256 << 10;

/// How alike two paths are before one is offered for the other.
const PATH_LIKENESS: f32 = 0.6;

type Files = BTreeMap<String, String>;

/// Applies every edit in order to the editable files of `base`, and returns what changed.
///
/// # Errors
/// The first edit that is out of scope or has no one place; edits that change nothing.
pub fn apply(proposal: &Proposal, base: &Files, scope: &Scope) -> Result<Patch, PatchError> {
    let mut files = base.clone();
    for edit in &proposal.edits {
        check_path((edit.path(), edit.line()), &files, scope)?;
        take(edit, &mut files, scope)?;
    }
    let paths: BTreeSet<&String> = base.keys().chain(files.keys()).collect();
    let differ = paths.into_iter().filter(|path| base.get(*path) != files.get(*path));
    let files: BTreeMap<_, _> =
        differ.map(|path| (path.clone(), files.get(path).cloned())).collect();
    if files.is_empty() { Err(PatchError::NoChange) } else { Ok(Patch { files }) }
}

fn check_path((path, line): (&str, usize), files: &Files, scope: &Scope) -> Result<(), PatchError> {
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

fn take(edit: &Edit, files: &mut Files, scope: &Scope) -> Result<(), PatchError> {
    match edit {
        Edit::Change { path, line, hunks } => {
            let content = changed((path, *line), hunks, files)?;
            put((path, *line), content, files)
        }
        Edit::Write { path, line, content, whole } => {
            let content = written((path, *line), content, (*whole, files.get(path)))?;
            put((path, *line), content, files)
        }
        Edit::Delete { path, line } => match files.remove(path) {
            Some(_) => Ok(()),
            None => Err(no_file((path, *line), files)),
        },
        Edit::Rename { path, line, to } => {
            let Some(content) = files.remove(path) else {
                return Err(no_file((path, *line), files));
            };
            check_path((to, *line), files, scope)?;
            if files.contains_key(to) {
                return Err(PatchError::Exists { line: *line, path: to.clone() });
            }
            files.insert(to.clone(), content);
            Ok(())
        }
    }
}

fn put((path, line): (&str, usize), content: String, files: &mut Files) -> Result<(), PatchError> {
    let bytes = content.len();
    if bytes > FILE_BYTES {
        let path = path.to_owned();
        return Err(PatchError::FileTooLarge { line, path, bytes, max: FILE_BYTES });
    }
    files.insert(path.to_owned(), content);
    Ok(())
}

fn written(
    (path, line): (&str, usize),
    content: &str,
    (whole, old): (Whole, Option<&String>),
) -> Result<String, PatchError> {
    let path = path.to_owned();
    elision::refuse((&path, line), content.lines(), old.map_or("", String::as_str))?;
    let Some(old) = old else { return Ok(content.to_owned()) };
    match whole {
        Whole::New => Err(PatchError::Exists { line, path }),
        Whole::Fenced if !has_ends_of(old, content) => Err(PatchError::Excerpt { line, path }),
        Whole::Marked | Whole::Fenced => Ok(Text::of(old).with_its_ends(content)),
    }
}

/// Whether two texts begin and end with the same lines, blank ones apart.
fn has_ends_of(old: &str, new: &str) -> bool {
    let ends = |text: &str| {
        let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        let first = lines.next().map(str::to_owned);
        let last = lines.next_back().map(str::to_owned);
        (first, last)
    };
    ends(old) == ends(new)
}

fn changed(
    (path, line): (&str, usize),
    hunks: &[Hunk],
    files: &Files,
) -> Result<String, PatchError> {
    let Some(old) = files.get(path) else { return new_file((path, line), hunks, files) };
    let text = Text::of(old);
    let mut splices = Vec::new();
    for hunk in hunks {
        let place = place(hunk, &text.lines).map_err(|miss| miss.at(hunk.line, path))?;
        let new = hunk.lines.iter().filter(|line| line.change == Change::Add);
        elision::refuse((path, hunk.line), new.map(|line| line.text.as_str()), old)?;
        splices.extend(spliced(hunk, &place));
    }
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let crossing = splices
        .windows(2)
        .find(|pair| pair[1].range.start < pair[0].range.end || pair[0].range == pair[1].range);
    if let Some([_, second]) = crossing {
        return Err(PatchError::Overlap { line: second.line, path: path.to_owned() });
    }
    let mut lines: Vec<String> = text.lines.iter().map(|line| (*line).to_owned()).collect();
    for splice in splices.into_iter().rev() {
        lines.splice(splice.range, splice.new);
    }
    Ok(text.with(&lines))
}

/// The one meaning that old lines of no lines can have.
fn new_file(
    (path, line): (&str, usize),
    hunks: &[Hunk],
    files: &Files,
) -> Result<String, PatchError> {
    match hunks {
        [hunk] if hunk.old().next().is_none() => {
            Ok(hunk.lines.iter().map(|line| format!("{}\n", line.text)).collect())
        }
        _ => Err(no_file((path, line), files)),
    }
}

/// Lines of a file for others.
struct Splice {
    /// Of the answer, from 1.
    line: usize,
    /// Lines of the file, from 0.
    range: Range<usize>,
    new: Vec<String>,
}

/// What a hunk changes, without the lines that it keeps.
fn spliced(hunk: &Hunk, place: &Place) -> Vec<Splice> {
    let mut splices: Vec<Splice> = Vec::new();
    let mut at = place.start;
    let mut is_open = false;
    for line in &hunk.lines[place.taken.clone()] {
        if line.change == Change::Keep {
            (at, is_open) = (at + 1, false);
            continue;
        }
        if !is_open {
            splices.push(Splice { line: hunk.line, range: at..at, new: Vec::new() });
            is_open = true;
        }
        let Some(splice) = splices.last_mut() else { continue };
        if line.change == Change::Remove {
            at += 1;
            splice.range.end = at;
        } else {
            splice.new.push(place.shifted(&line.text));
        }
    }
    splices
}

impl Miss {
    fn at(self, line: usize, path: &str) -> PatchError {
        let path = path.to_owned();
        match self {
            Self::Empty => PatchError::NoOldLines { line, path },
            Self::Nowhere(near) => PatchError::NoMatch { line, path, near },
            Self::Several(at) => PatchError::Ambiguous { line, path, at },
        }
    }
}

fn no_file((path, line): (&str, usize), files: &Files) -> PatchError {
    let known: Vec<&str> = files.keys().map(String::as_str).collect();
    let near =
        get_close_matches(path, &known, 1, PATH_LIKENESS).first().map(|near| (*near).to_owned());
    PatchError::NoFile { line, path: path.to_owned(), near }
}
