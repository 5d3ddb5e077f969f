//! Commits as files.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use super::*;

/// Every path below a directory: what it is and holds, without following links.
pub(super) fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let what = if meta.is_dir() {
                left.push(path.clone());
                "directory".to_owned()
            } else if meta.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else {
                let executable = meta.permissions().mode() & 0o100 != 0;
                format!("{executable} {:?}", String::from_utf8_lossy(&fs::read(&path).unwrap()))
            };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), what);
        }
    }
    found
}

fn expected(a: &str) -> BTreeMap<PathBuf, String> {
    let file = |text: &str| format!("false {text:?}");
    [
        ("data.bin", file("\u{1}")),
        ("run.sh", "true \"#!/bin/sh\\n\"".to_owned()),
        ("src", "directory".to_owned()),
        ("src/a.rs", file(a)),
        ("src/deep", "directory".to_owned()),
        ("src/deep/b.rs", file("fn b() {}\n")),
        ("src/latin.rs", file("// \u{fffd}\n")),
    ]
    .map(|(path, what)| (PathBuf::from(path), what))
    .into()
}

fn inode_and_time(path: &Path) -> (u64, i64, i64) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

#[test]
fn an_export_is_the_commit_without_links() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let out = TempDir::new().unwrap();
    let dir = out.path().join("new/tree");
    let done = repository.export(&base, &dir).unwrap();
    let skipped = ["src/link.rs: symbolic link", "src/out: symbolic link"].map(ToOwned::to_owned);
    assert_eq!(done, Exported { written: 5, removed: 0, skipped: skipped.into() });
    assert_eq!(listing(&dir), expected("fn a() {}\n"));
}

#[test]
fn directories_that_lost_their_rights_get_them_back() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let out = TempDir::new().unwrap();
    repository.export(&base, out.path()).unwrap();
    let mode = |path: &str| fs::metadata(out.path().join(path)).unwrap().permissions().mode();
    fs::create_dir_all(out.path().join("src/left/deep")).unwrap();
    for path in ["src/left/deep", "src/left", "src/deep", "src", ""] {
        fs::set_permissions(out.path().join(path), fs::Permissions::from_mode(0o000)).unwrap();
    }
    let done = repository.export(&base, out.path()).unwrap();
    assert_eq!((done.written, done.removed), (0, 1));
    assert_eq!(listing(out.path()), expected("fn a() {}\n"));
    for path in ["", "src", "src/deep"] {
        assert_eq!(mode(path) & 0o700, 0o700, "{path:?}");
    }
}

#[test]
fn only_what_differs_is_written_again() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let next = candidate(&repository, &base, "1");
    let out = TempDir::new().unwrap();
    repository.export(&base, out.path()).unwrap();
    let kept = inode_and_time(&out.path().join("src/deep/b.rs"));
    let changed = inode_and_time(&out.path().join("src/a.rs"));
    for (commit, content, written) in [(&next, "1", 1), (&next, "1", 0), (&base, "fn a() {}\n", 1)]
    {
        let done = repository.export(commit, out.path()).unwrap();
        assert_eq!((done.written, done.removed), (written, 0));
        assert_eq!(listing(out.path()), expected(content));
    }
    assert_eq!(inode_and_time(&out.path().join("src/deep/b.rs")), kept);
    assert_ne!(inode_and_time(&out.path().join("src/a.rs")), changed);
}

/// Does harm to an exported tree.
type Spoil<'a> = &'a dyn Fn(&Path);

#[test]
fn whatever_is_in_the_directory_is_put_right() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let out = TempDir::new().unwrap();
    let dir = out.path().join("tree");
    let outside = out.path().join("outside");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::write(outside.join("precious"), "precious").unwrap();
    fs::write(outside.join("deep/b.rs"), "precious").unwrap();
    let whole = listing(&outside);
    let spoil: [(&str, Spoil<'_>); 9] = [
        ("torn", &|dir| fs::write(dir.join("src/a.rs"), "fn").unwrap()),
        ("same size", &|dir| fs::write(dir.join("src/a.rs"), "fn b() {}\n").unwrap()),
        ("extra", &|dir| fs::write(dir.join("src/build.rs"), "x").unwrap()),
        ("extra directory", &|dir| fs::create_dir_all(dir.join(".cargo/deep")).unwrap()),
        ("mode", &|dir| {
            fs::set_permissions(dir.join("run.sh"), fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("linked file", &|dir| {
            fs::remove_file(dir.join("src/a.rs")).unwrap();
            symlink(outside.join("precious"), dir.join("src/a.rs")).unwrap();
        }),
        ("linked directory", &|dir| {
            fs::remove_dir_all(dir.join("src/deep")).unwrap();
            symlink(outside.join("deep"), dir.join("src/deep")).unwrap();
        }),
        ("hard link", &|dir| {
            fs::remove_file(dir.join("src/a.rs")).unwrap();
            fs::hard_link(outside.join("precious"), dir.join("src/a.rs")).unwrap();
        }),
        ("directory for a file and file for a directory", &|dir| {
            fs::remove_file(dir.join("src/a.rs")).unwrap();
            fs::create_dir_all(dir.join("src/a.rs/x")).unwrap();
            fs::remove_dir_all(dir.join("src/deep")).unwrap();
            fs::write(dir.join("src/deep"), "x").unwrap();
        }),
    ];
    for (name, spoil) in spoil {
        repository.export(&base, &dir).unwrap();
        spoil(&dir);
        assert_ne!(listing(&dir), expected("fn a() {}\n"), "{name}");
        repository.export(&base, &dir).unwrap();
        assert_eq!(listing(&dir), expected("fn a() {}\n"), "{name}");
        assert_eq!(listing(&outside), whole, "{name}");
    }
}

#[test]
fn a_directory_that_cannot_be_one_is_named() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    sandbox.write("file", "");
    let dir = sandbox.path().join("file/tree");
    let message = repository.export(&base, &dir).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot export to {}", dir.display())), "{message}");
}
