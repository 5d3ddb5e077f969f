//! A directory's files as text.

use std::collections::BTreeMap;
use std::path::Path;

/// Contents by path.
pub type Tree = BTreeMap<String, String>;

/// Every file below a directory, which need not be there, by its path in it.
pub fn tree(root: &Path) -> Tree {
    let mut files = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
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
