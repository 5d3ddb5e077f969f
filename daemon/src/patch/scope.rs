//! Which paths a proposal may write.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// No path of a source tree comes near it; some file systems end soon after.
const PATH_BYTES: usize = 400;

/// Linux's `NAME_MAX`: a longer name can be committed, but never written to a disk.
const NAME_BYTES: usize = 255;

/// The editable paths of a task.
#[derive(Clone, Debug)]
pub struct Scope {
    globs: Vec<String>,
    set: GlobSet,
}

/// A glob that is none.
#[derive(Debug, thiserror::Error)]
#[error("editable path {glob:?} is not a glob: {source}")]
pub struct ScopeError {
    /// As given.
    pub glob: String,
    /// What is wrong with it.
    pub source: globset::Error,
}

/// Why a path may not be written.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathFault {
    /// Nothing or too much.
    #[error("a path has 1 to {PATH_BYTES} bytes")]
    Length,
    /// A name that no file system takes.
    #[error("each name in it has at most {NAME_BYTES} bytes")]
    Name,
    /// Bytes that programs disagree about.
    #[error("it has a backslash or a control character; separate directories with `/`")]
    Character,
    /// Not below the repository.
    #[error("it must be relative to the repository, without a leading `/`")]
    Absolute,
    /// Not in its shortest form.
    #[error("it has an empty, `.` or `..` component; write it in full, without them")]
    NotNormal,
    /// Git's own files.
    #[error("git keeps its own files there")]
    Git,
    /// Fine, but not editable.
    #[error("it matches no editable path")]
    NoGlob,
}

impl Scope {
    /// `*` stays within a directory, `**` crosses directories.
    ///
    /// # Errors
    /// The first pattern that is no glob.
    pub fn new(globs: &[String]) -> Result<Self, ScopeError> {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            set.add(built.map_err(|source| ScopeError { glob: glob.clone(), source })?);
        }
        let set = set.build().map_err(|source| ScopeError { glob: globs.join(", "), source })?;
        Ok(Self { globs: globs.to_vec(), set })
    }

    /// Whether a proposal may write this path.
    pub fn contains(&self, path: &str) -> bool {
        self.check(path).is_ok()
    }

    /// Like [`Scope::contains`], with the reason.
    ///
    /// # Errors
    /// Why the path may not be written.
    pub fn check(&self, path: &str) -> Result<(), PathFault> {
        if path.is_empty() || path.len() > PATH_BYTES {
            return Err(PathFault::Length);
        }
        if path.split('/').any(|part| part.len() > NAME_BYTES) {
            return Err(PathFault::Name);
        }
        if path.contains(|c: char| c == '\\' || c.is_control()) {
            return Err(PathFault::Character);
        }
        if path.starts_with('/') {
            return Err(PathFault::Absolute);
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(PathFault::NotNormal);
        }
        if path.split('/').any(is_git) {
            return Err(PathFault::Git);
        }
        if self.set.is_match(path) { Ok(()) } else { Err(PathFault::NoGlob) }
    }

    /// The globs, for people and prompts.
    pub fn globs(&self) -> &[String] {
        &self.globs
    }
}

/// `.git` as some file system may read it: in any case, with its DOS name, with trailing dots,
/// spaces or a stream name.
fn is_git(part: &str) -> bool {
    let part = part.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    part.eq_ignore_ascii_case(".git") || part.eq_ignore_ascii_case("git~1")
}
