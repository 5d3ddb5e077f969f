//! Answers as files: `input/` with `reply.txt` must give `expected/`, or exactly `error.txt`.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

use std::path::Path;

use dfr_daemon::patch::{Scope, apply, parse};

#[path = "support/tree.rs"]
mod tree;

use tree::{Tree, tree};

/// The whole tree afterwards, or the message.
fn outcome(scenario: &Path) -> Result<Tree, String> {
    let scope = Scope::new(&["src/**/*.rs".to_owned()]).unwrap();
    let mut files = tree(&scenario.join("input"));
    let base = files.clone().into_iter().filter(|(path, _)| scope.contains(path)).collect();
    let reply = std::fs::read_to_string(scenario.join("reply.txt")).unwrap();
    let patch = parse(&reply).and_then(|proposal| apply(&proposal, &base, &scope));
    for (path, content) in patch.map_err(|error| error.to_string())?.files {
        match content {
            Some(content) => files.insert(path, content),
            None => files.remove(&path),
        };
    }
    Ok(files)
}

#[test]
fn every_scenario_ends_as_its_folder_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patch_scenarios");
    let scenarios = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut count = 0;
    for scenario in scenarios.filter(|path| path.is_dir()) {
        let expected = match std::fs::read_to_string(scenario.join("error.txt")) {
            Ok(message) => Err(message.trim_end().to_owned()),
            Err(_) => Ok(tree(&scenario.join("expected"))),
        };
        assert_eq!(outcome(&scenario), expected, "{}", scenario.display());
        count += 1;
    }
    assert!(count >= 20, "{count} scenarios");
}
