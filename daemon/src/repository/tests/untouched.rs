//! What is the human's stays as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::export::listing;
use super::*;

const HOOKS: [&str; 6] = [
    "post-commit",
    "pre-commit",
    "commit-msg",
    "reference-transaction",
    "post-checkout",
    "post-index-change",
];

/// The checkout, the index, the configuration and HEAD, byte by byte.
fn belongings(sandbox: &Sandbox) -> BTreeMap<PathBuf, String> {
    let mut found = listing(sandbox.path());
    let theirs = [".git/index", ".git/config", ".git/HEAD", ".git/logs/HEAD", ".git/hooks"];
    found.retain(|path, _| {
        !path.starts_with(".git") || theirs.iter().any(|theirs| path.starts_with(theirs))
    });
    for path in [".git/index", ".git/config"] {
        let bytes = fs::read(sandbox.path().join(path)).unwrap();
        found.insert(path.into(), format!("{bytes:?}"));
    }
    found
}

/// A dirty and detached checkout, a conflicting index, hooks and a filter that leave traces.
fn disorder(sandbox: &Sandbox) -> PathBuf {
    let trace = sandbox.path().join(".git/trace");
    let script = format!("#!/bin/sh\necho ran >> '{}'\n", trace.display());
    for hook in HOOKS {
        let path = sandbox.path().join(".git/hooks").join(hook);
        fs::write(&path, &script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let clean = format!("echo ran >> '{}'; cat", trace.display());
    sandbox.git(&["config", "filter.trace.clean", &clean]);
    sandbox.git(&["config", "filter.trace.smudge", &clean]);
    sandbox.git(&["config", "core.fsmonitor", ".git/hooks/post-commit"]);
    sandbox.write(".git/info/attributes", "*.rs filter=trace\n");
    sandbox.git(&["checkout", "--quiet", "--detach"]);
    sandbox.write("src/a.rs", "staged");
    sandbox.git(&["add", "src/a.rs"]);
    sandbox.write("src/a.rs", "not staged");
    sandbox.write("untracked", "x");
    fs::remove_file(sandbox.path().join("src/deep/b.rs")).unwrap();
    // The commands above were run by a human: their traces do not count.
    fs::remove_file(&trace).unwrap();
    trace
}

#[test]
fn nothing_of_the_human_is_touched_and_no_hook_runs() {
    let sandbox = Sandbox::new();
    let trace = disorder(&sandbox);
    let before = belongings(&sandbox);

    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let branch = "autoresearch/t";
    repository.create_branch(branch, &base, "begin").unwrap();
    let next = candidate(&repository, &base, "candidate\n");
    repository.keep("t", 1, &next).unwrap();
    repository.move_branch(branch, (&base, &next), "candidate").unwrap();
    let out = TempDir::new().unwrap();
    repository.export(&next, out.path()).unwrap();
    repository.changes(&next).unwrap();
    repository.files(&next, &Scope::new(&["**".to_owned()]).unwrap()).unwrap();
    repository.move_branch(branch, (&next, &base), "discard").unwrap();

    assert!(!trace.exists(), "a hook or a filter ran");
    assert_eq!(belongings(&sandbox), before);
    assert_eq!(fs::read_to_string(out.path().join("src/a.rs")).unwrap(), "candidate\n");
    assert_eq!(fs::read_to_string(out.path().join("src/deep/b.rs")).unwrap(), "fn b() {}\n");
}
