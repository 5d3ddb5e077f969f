//! The changes of `changes/<name>/`: a tree before, and the tree after.

use std::collections::BTreeMap;
use std::path::Path;

pub type Tree = BTreeMap<String, String>;

pub struct Change {
    pub name: String,
    pub before: Tree,
    pub after: Tree,
}

impl Change {
    /// Every file that differs: its path, what it was and what it is.
    pub fn files(&self) -> Vec<(&String, Option<&String>, Option<&String>)> {
        let paths: std::collections::BTreeSet<_> =
            self.before.keys().chain(self.after.keys()).collect();
        let sides =
            paths.into_iter().map(|path| (path, self.before.get(path), self.after.get(path)));
        sides.filter(|(_, before, after)| before != after).collect()
    }
}

pub fn all() -> Vec<Change> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patch_corpus/changes");
    let mut dirs: Vec<_> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    dirs.sort();
    let change = |dir: std::path::PathBuf| Change {
        name: dir.file_name().unwrap().to_str().unwrap().to_owned(),
        before: tree(&dir.join("before")),
        after: tree(&dir.join("after")),
    };
    dirs.into_iter().map(change).collect()
}

fn tree(root: &Path) -> Tree {
    let mut files = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}
