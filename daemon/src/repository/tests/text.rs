//! Looking around in a repository that holds a file too large for it.

use std::ops::ControlFlow;

use super::*;
use crate::repository::text::TEXT_LIMIT;

/// A commit with a large text whose object is damaged after its beginning: whoever reads
/// it comes to no end.
fn with_a_large_file(sandbox: &Sandbox) -> String {
    sandbox.write("data.csv", &"words\n".repeat(TEXT_LIMIT / 6 + 1));
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "--quiet", "-m", "data"]);
    let id = sandbox.git(&["rev-parse", "HEAD:data.csv"]);
    let object = sandbox.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    let mut bytes = std::fs::read(&object).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xff);
    std::fs::remove_file(&object).unwrap();
    std::fs::write(&object, bytes).unwrap();
    sandbox.git(&["rev-parse", "HEAD"])
}

#[test]
fn files_are_visited_by_path_until_it_is_enough_and_no_large_one_is_read() {
    let sandbox = Sandbox::new();
    let commit = with_a_large_file(&sandbox);
    let repository = sandbox.open();
    let seen = |most: usize| {
        let mut seen = Vec::new();
        let visit = |path: &str, text: &Text| {
            seen.push((path.to_owned(), *text == Text::Large));
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        repository.visit(&commit, visit).unwrap();
        seen
    };
    let all = [
        ("data.bin", false),
        ("data.csv", true),
        ("run.sh", false),
        ("src/a.rs", false),
        ("src/deep/b.rs", false),
    ];
    let all = all.map(|(path, is_large)| (path.to_owned(), is_large));
    assert_eq!(seen(9), all);
    assert_eq!(seen(2), all[..2]);
}

#[test]
fn one_file_is_looked_at_unless_it_is_large_or_none() {
    let sandbox = Sandbox::new();
    let commit = with_a_large_file(&sandbox);
    let look = |path| sandbox.open().look_at(&commit, path).unwrap();
    assert_eq!(look("src/a.rs"), Some(Text::Whole("fn a() {}\n".to_owned())));
    assert_eq!(look("data.csv"), Some(Text::Large));
    for path in ["src", "src/none.rs", "src/link.rs", "src/latin.rs"] {
        assert_eq!(look(path), None, "{path}");
    }
}
