//! Locks and references that a killed process or a power cut left.

use std::fs;
use std::time::Duration;

use super::*;

const TAG: &str = "video-mar14";
const BRANCH: &str = "autoresearch/video-mar14";

/// A session with one experiment, its branch on the candidate.
fn session() -> (Sandbox, Repository, String) {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let next = candidate(&repository, &base, "1");
    repository.create_branch(BRANCH, &base, "begin").unwrap();
    repository.keep(TAG, 3, &next).unwrap();
    repository.move_branch(BRANCH, (&base, &next), "experiment 3").unwrap();
    (sandbox, repository, next)
}

#[test]
fn only_our_own_stale_locks_are_removed() {
    let (sandbox, repository, next) = session();
    assert_eq!(repository.clear_own_locks(TAG).unwrap(), Locks::default());
    let git = sandbox.path().join(".git");
    let plant = |name: &str| {
        let path = git.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        path.canonicalize().unwrap()
    };
    let ours = ["refs/dfr/video-mar14/exp/3.lock", "refs/heads/autoresearch/video-mar14.lock"];
    let ours = ours.map(plant);
    let foreign = ["HEAD.lock", "index.lock", "packed-refs.lock"].map(plant);
    let others = [
        "refs/heads/main.lock",
        "refs/heads/autoresearch/video-mar15.lock",
        "refs/dfr/video-mar15/exp/3.lock",
    ];
    let others = others.map(plant);
    let found = repository.clear_own_locks(TAG).unwrap();
    let canonical = |paths: &[PathBuf]| -> Vec<PathBuf> {
        paths
            .iter()
            .map(|p| p.parent().unwrap().canonicalize().unwrap().join(p.file_name().unwrap()))
            .collect()
    };
    assert_eq!(canonical(&found.removed), ours);
    assert_eq!(canonical(&found.foreign), foreign);
    assert!(ours.iter().all(|lock| !lock.exists()));
    assert!(foreign.iter().chain(&others).all(|lock| lock.exists()));
    let base = repository.base(None).unwrap();
    repository.move_branch(BRANCH, (&next, &base), "goes on").unwrap();
}

#[test]
fn a_lock_that_goes_or_changes_hands_is_somebody_at_work() {
    let (sandbox, repository, _) = session();
    let lock = sandbox.path().join(format!(".git/refs/heads/{BRANCH}.lock"));
    for again in [false, true] {
        fs::write(&lock, "").unwrap();
        let found = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                fs::remove_file(&lock).unwrap();
                if again {
                    fs::write(&lock, "another").unwrap();
                }
            });
            repository.clear_own_locks(TAG).unwrap()
        });
        assert_eq!(found, Locks::default());
        assert_eq!(lock.exists(), again);
    }
}

#[test]
fn references_that_hold_no_commit_are_removed_and_can_be_put_back() {
    let (sandbox, repository, next) = session();
    assert_eq!(repository.mend_own_refs(TAG).unwrap(), Vec::<String>::new());
    let names = ["refs/dfr/video-mar14/exp/3", "refs/heads/autoresearch/video-mar14"];
    for torn in [String::new(), next[..17].to_owned(), "\0".repeat(41), format!("{next}garbage")] {
        for name in names {
            fs::write(sandbox.path().join(".git").join(name), &torn).unwrap();
        }
        let main = sandbox.git(&["rev-parse", "main"]);
        assert_eq!(repository.mend_own_refs(TAG).unwrap(), names);
        assert_eq!(repository.branch_tip(BRANCH).unwrap(), None);
        repository.create_branch(BRANCH, &next, "put back").unwrap();
        repository.keep(TAG, 3, &next).unwrap();
        assert_eq!(sandbox.git(&["rev-parse", BRANCH, "main"]), format!("{next}\n{main}"));
        assert_eq!(sandbox.git(&["fsck", "--strict"]), "");
    }
}
