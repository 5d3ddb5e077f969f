//! Trees as git stores them.

use git2::{Oid, Tree, TreeEntry};

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File { executable: bool },
    Directory,
    Link,
    Submodule,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Directory => "directory",
            Self::Link => "symbolic link",
            Self::Submodule => "submodule",
        }
    }
}

pub(super) fn kind(entry: &TreeEntry<'_>) -> Kind {
    let mode = entry.filemode();
    match mode & 0o170_000 {
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Link,
        0o160_000 => Kind::Submodule,
        _ => Kind::File { executable: mode & 0o111 != 0 },
    }
}

/// A regular file of a commit.
pub(super) struct TreeFile {
    pub(super) path: String,
    pub(super) id: Oid,
}

/// All regular files whose paths are UTF-8.
pub(super) fn files(git: &git2::Repository, root: &Tree<'_>) -> Result<Vec<TreeFile>, git2::Error> {
    let mut files = Vec::new();
    let mut left = vec![(String::new(), root.id())];
    while let Some((prefix, id)) = left.pop() {
        for entry in &git.find_tree(id)? {
            let Ok(name) = entry.name() else { continue };
            let path = format!("{prefix}{name}");
            match kind(&entry) {
                Kind::File { .. } => files.push(TreeFile { path, id: entry.id() }),
                Kind::Directory => left.push((path + "/", entry.id())),
                Kind::Link | Kind::Submodule => {}
            }
        }
    }
    Ok(files)
}
