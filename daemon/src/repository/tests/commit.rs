//! Candidates.

use super::*;
use crate::repository::text::TEXT_LIMIT;

#[test]
fn a_candidate_is_its_parent_with_some_files_changed() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let change = patch(&[
        ("run.sh", "#!/bin/bash\n"),
        ("src/a.rs", "fn a2() {}\n"),
        ("src/new/c.rs", "c\n"),
    ]);
    let id = repository.commit(&base, &change, ("a title\n\nwhy\n", 1_700_000_000_999)).unwrap();
    let changed = sandbox.git(&["diff-tree", "-r", "--no-renames", &base, &id]);
    let changed: Vec<Vec<&str>> =
        changed.lines().map(|line| line.split([' ', '\t']).collect()).collect();
    let shape: Vec<_> = changed.iter().map(|line| (line[0], line[1], line[4], line[5])).collect();
    assert_eq!(
        shape,
        [
            (":100755", "100755", "M", "run.sh"),
            (":100644", "100644", "M", "src/a.rs"),
            (":000000", "100644", "A", "src/new/c.rs"),
        ]
    );
    let format = "--format=%P|%an <%ae>|%cn <%ce>|%at %ct|%ai|%B";
    assert_eq!(
        sandbox.git(&["log", "-1", format, &id]),
        format!(
            "{base}|dfr-daemon <dfr-daemon@localhost>|dfr-daemon <dfr-daemon@localhost>|\
             1700000000 1700000000|2023-11-14 22:13:20 +0000|a title\n\nwhy"
        )
    );
    assert_eq!(sandbox.git(&["show", &format!("{id}:src/new/c.rs")]), "c");
}

#[test]
fn the_same_candidate_has_the_same_id() {
    let sandbox = Sandbox::new();
    let base = sandbox.open().base(None).unwrap();
    let change = patch(&[("src/a.rs", "1")]);
    let commit = |said| sandbox.open().commit(&base, &change, said).unwrap();
    let id = commit(("m", 1000));
    assert_eq!(commit(("m", 1999)), id);
    assert_ne!(commit(("m", 2000)), id);
    assert_ne!(commit(("n", 1000)), id);
}

/// A directory goes with its last file, as git has no empty ones.
#[test]
fn a_file_that_goes_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let gone = Patch { files: BTreeMap::from([("src/deep/b.rs".to_owned(), None)]) };
    let id = repository.commit(&base, &gone, ("m", 0)).unwrap();
    assert_eq!(sandbox.git(&["diff-tree", "-r", "--name-status", &base, &id]), "D\tsrc/deep/b.rs");
    assert!(!sandbox.git(&["ls-tree", "-rt", "--name-only", &id]).contains("src/deep"));
    assert_eq!(sandbox.git(&["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn nothing_but_files_is_replaced_or_gone_through() {
    let sandbox = Sandbox::new();
    let module = sandbox.git(&["rev-parse", "HEAD"]);
    let info = format!("160000,{module},src/module");
    sandbox.git(&["update-index", "--add", "--cacheinfo", &info]);
    sandbox.git(&["commit", "--quiet", "-m", "module"]);
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    for (path, blocker, what) in [
        ("src/link.rs", "src/link.rs", "symbolic link"),
        ("src/out/x.rs", "src/out", "symbolic link"),
        ("src/module", "src/module", "submodule"),
        ("src/module/x.rs", "src/module", "submodule"),
        ("src/deep", "src/deep", "directory"),
        ("src/a.rs/x.rs", "src/a.rs", "file"),
    ] {
        let error = repository.commit(&base, &patch(&[(path, "x")]), ("m", 0)).unwrap_err();
        let message = format!("{path:?} cannot be written: {blocker:?} is a {what}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn paths_that_git_itself_forbids_are_refused_here_too() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    for path in ["../x", "src/../../x", ".git/config", "src/.GIT/x", "/etc/x", "src//x", "a\0b", ""]
    {
        let done = repository.commit(&base, &patch(&[(path, "x")]), ("m", 0));
        assert!(done.is_err(), "{path:?} made {done:?}");
    }
}

#[test]
fn changes_are_those_against_the_first_parent() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let change = [("src/a.rs", "new\n"), ("src/c.rs", "c\n")];
    let id = repository.commit(&base, &patch(&change), ("m", 0)).unwrap();
    let (before, after) = repository.changes(&id).unwrap();
    assert_eq!(before, texts(&[("src/a.rs", "fn a() {}\n")]));
    assert_eq!(after, texts(&change));
    let (before, after) = repository.changes(&base).unwrap();
    assert!(before.is_empty());
    assert_eq!(after["src/latin.rs"], "// \u{fffd}\n");
}

#[test]
fn changes_that_are_large_are_told_by_their_size() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let large = ["x", "y"].map(|letter| letter.repeat(TEXT_LIMIT + 1));
    let whole = "z".repeat(TEXT_LIMIT);
    let paths = ["src/1.rs", "src/2.rs", "src/3.rs", "src/4.rs", "src/5.rs"];
    let mut change = paths.map(|path| (path, whole.as_str())).to_vec();
    change.push(("large.txt", &large[0]));
    let first = repository.commit(&base, &patch(&change), ("m", 0)).unwrap();
    let (_, after) = repository.changes(&first).unwrap();
    let is_told = |path: &str| after[path].ends_with(" bytes, too many to be shown\n");
    assert!(is_told("large.txt") && is_told("src/5.rs"), "{:?}", after["large.txt"]);
    assert!(paths[..4].iter().all(|path| after[*path] == whole));
    let change = [("large.txt", large[1].as_str())];
    let second = repository.commit(&first, &patch(&change), ("m", 0)).unwrap();
    let (before, after) = repository.changes(&second).unwrap();
    assert_ne!(before["large.txt"], after["large.txt"], "it is seen that it changed");
}
