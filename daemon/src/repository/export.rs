//! A commit as files in a directory, for building.
//!
//! Whatever the directory holds is compared with the commit by content, so nothing about earlier
//! exports needs to be remembered or believed. A file that is right already is not written: it
//! keeps its modification time, and a build system sees no change.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, FileType, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use git2::{ObjectType, Oid, Tree};

use super::Repository;
use super::error::{Doing as _, RepositoryError};
use super::tree::{Kind, kind};

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files written because they were missing or different.
    pub written: usize,
    /// Things removed because the commit does not have them, a directory counting as one.
    pub removed: usize,
    /// Entries of the commit that are never written, with what they are.
    pub skipped: Vec<String>,
}

impl Repository {
    /// Makes `dir` hold exactly the regular files of a commit. Symbolic links and submodules of
    /// the commit are left out; links found in `dir` are replaced, never followed.
    ///
    /// # Errors
    /// An unknown commit, an unreadable object, a directory that cannot be written. An export
    /// that failed halfway is put right by the next.
    pub fn export(&self, commit: &str, dir: &Path) -> Result<Exported, RepositoryError> {
        let tree = self.commit_at(commit)?.tree().doing(|| format!("read the tree of {commit}"))?;
        DirBuilder::new().recursive(true).create(dir).map_err(RepositoryError::export(dir))?;
        let mut export = Export { git: &self.git, done: Exported::default() };
        export.directory(&tree, (dir, Path::new("")))?;
        Ok(export.done)
    }
}

struct Export<'a> {
    git: &'a git2::Repository,
    done: Exported,
}

enum Wanted {
    Directory(Oid),
    File { id: Oid, executable: bool },
}

impl Wanted {
    fn is(&self, found: FileType) -> bool {
        match self {
            Self::Directory(_) => found.is_dir(),
            Self::File { .. } => found.is_file(),
        }
    }
}

impl Export<'_> {
    /// One directory, which exists: where it is, and its path in the commit.
    fn directory(
        &mut self,
        tree: &Tree<'_>,
        (dir, inside): (&Path, &Path),
    ) -> Result<(), RepositoryError> {
        let wanted = self.wanted(tree, inside);
        self.clear(dir, &wanted).map_err(RepositoryError::export(dir))?;
        for (name, wanted) in &wanted {
            let (path, inside) = (dir.join(name), inside.join(name));
            match wanted {
                Wanted::Directory(id) => {
                    let tree = self.git.find_tree(*id).doing(|| format!("read {inside:?}"))?;
                    ensure_directory(&path).map_err(RepositoryError::export(&path))?;
                    self.directory(&tree, (&path, &inside))?;
                }
                Wanted::File { id, executable } => {
                    let mode = if *executable { 0o755 } else { 0o644 };
                    self.file((&path, &inside), (*id, mode))?;
                }
            }
        }
        Ok(())
    }

    fn wanted(&mut self, tree: &Tree<'_>, inside: &Path) -> BTreeMap<OsString, Wanted> {
        let mut wanted = BTreeMap::new();
        for entry in tree {
            let name = OsStr::from_bytes(entry.name_bytes());
            let wish = match kind(&entry) {
                _ if !is_plain(entry.name_bytes()) => Err("unsafe name"),
                Kind::File { executable } => Ok(Wanted::File { id: entry.id(), executable }),
                Kind::Directory => Ok(Wanted::Directory(entry.id())),
                other => Err(other.as_str()),
            };
            match wish {
                Ok(wish) => {
                    wanted.insert(name.to_owned(), wish);
                }
                Err(what) => {
                    self.done.skipped.push(format!("{}: {what}", inside.join(name).display()));
                }
            }
        }
        wanted
    }

    /// Removes what the commit does not have, or has as something else.
    fn clear(&mut self, dir: &Path, wanted: &BTreeMap<OsString, Wanted>) -> io::Result<()> {
        give_back_rights(dir)?;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let found = entry.file_type()?;
            if wanted.get(&entry.file_name()).is_some_and(|wanted| wanted.is(found)) {
                continue;
            }
            if found.is_dir() {
                remove_tree(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
            self.done.removed += 1;
        }
        Ok(())
    }

    fn file(
        &mut self,
        (path, inside): (&Path, &Path),
        (id, mode): (Oid, u32),
    ) -> Result<(), RepositoryError> {
        if holds(path, id) {
            return set_mode(path, mode).map_err(RepositoryError::export(path));
        }
        let blob = self.git.find_blob(id).doing(|| format!("read {inside:?}"))?;
        replace(path, blob.content(), mode).map_err(RepositoryError::export(path))?;
        self.done.written += 1;
        Ok(())
    }
}

/// A candidate's process may have taken the rights to a directory away, which bind all but root.
fn give_back_rights(dir: &Path) -> io::Result<()> {
    let found = fs::metadata(dir)?.permissions().mode();
    if found & 0o700 == 0o700 {
        return Ok(());
    }
    fs::set_permissions(dir, Permissions::from_mode(found | 0o700))
}

fn remove_tree(dir: &Path) -> io::Result<()> {
    give_back_rights_below(dir)?;
    fs::remove_dir_all(dir)
}

/// A candidate decides how deep it goes: no stack would be enough for a walk that calls itself.
fn give_back_rights_below(dir: &Path) -> io::Result<()> {
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        give_back_rights(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}

fn ensure_directory(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Whether a regular file with the content of a blob is there; what cannot be read is replaced.
fn holds(path: &Path, id: Oid) -> bool {
    Oid::hash_file(ObjectType::Blob, path).is_ok_and(|found| found == id)
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?.permissions().mode();
    if (found & 0o100 == 0) == (mode & 0o100 == 0) {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// A new file in place of the old: a hard link to the old one keeps the old content.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

/// A name that stays in its directory and is nobody's own.
fn is_plain(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..")
        && !name.contains(&b'/')
        && !name.eq_ignore_ascii_case(b".git")
}
