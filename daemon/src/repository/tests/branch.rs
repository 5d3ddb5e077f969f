//! Branches and kept candidates.

use std::collections::BTreeMap;
use std::fs;

use super::*;

const BRANCH: &str = "autoresearch/video-mar14";

#[test]
fn a_branch_is_made_once_moves_from_where_it_stands_and_tells_git_why() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    assert_eq!(repository.branch_tip(BRANCH).unwrap(), None);
    repository.create_branch(BRANCH, &base, "session video-mar14").unwrap();
    let next = candidate(&repository, &base, "1");
    repository.move_branch(BRANCH, (&base, &next), "experiment 1: candidate").unwrap();
    repository.move_branch(BRANCH, (&next, &base), "experiment 1: discard").unwrap();
    assert_eq!(repository.branch_tip(BRANCH).unwrap(), Some(base.clone()));

    assert_eq!(sandbox.git(&["rev-parse", BRANCH]), base);
    let reflog = sandbox.git(&["reflog", "show", "--format=%gs", BRANCH]);
    assert_eq!(reflog, "experiment 1: discard\nexperiment 1: candidate\nsession video-mar14");
    assert_eq!(sandbox.git(&["fsck", "--strict"]), "");
}

#[test]
fn a_branch_is_checked_out_when_head_names_it() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    repository.create_branch(BRANCH, &repository.base(None).unwrap(), "begin").unwrap();
    assert!(!repository.is_checked_out(BRANCH) && repository.is_checked_out("main"));
    sandbox.git(&["checkout", "--quiet", BRANCH]);
    assert!(repository.is_checked_out(BRANCH) && !repository.is_checked_out("main"));
    sandbox.git(&["checkout", "--quiet", "--detach"]);
    assert!(!repository.is_checked_out(BRANCH) && !repository.is_checked_out("missing"));
}

#[test]
fn a_branch_that_exists_is_refused_and_left() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    repository.create_branch(BRANCH, &base, "begin").unwrap();
    let next = candidate(&repository, &base, "1");
    sandbox.git(&["pack-refs", "--all"]);
    let error = repository.create_branch(BRANCH, &next, "begin").unwrap_err();
    assert!(matches!(&error, RepositoryError::BranchExists { tip, .. } if *tip == base), "{error}");
    assert!(error.to_string().contains("--resume"));
    assert_eq!(repository.branch_tip(BRANCH).unwrap(), Some(base));
}

#[test]
fn a_branch_that_somebody_moved_stays_where_they_put_it() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    repository.create_branch(BRANCH, &base, "begin").unwrap();
    let (ours, theirs) = (candidate(&repository, &base, "1"), candidate(&repository, &base, "2"));
    sandbox.git(&["update-ref", &format!("refs/heads/{BRANCH}"), &theirs]);
    let error = repository.move_branch(BRANCH, (&base, &ours), "x").unwrap_err();
    let RepositoryError::Moved { expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((expected, found), (Some(base.clone()), Some(theirs)));

    sandbox.git(&["branch", "-D", BRANCH]);
    let error = repository.move_branch(BRANCH, (&base, &ours), "x").unwrap_err();
    assert!(matches!(error, RepositoryError::Moved { found: None, .. }), "{error}");
    assert_eq!(repository.branch_tip(BRANCH).unwrap(), None);
}

#[test]
fn a_stale_lock_is_waited_for_named_and_left() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    repository.create_branch(BRANCH, &base, "begin").unwrap();
    let next = candidate(&repository, &base, "1");
    let lock = sandbox.path().join(format!(".git/refs/heads/{BRANCH}.lock"));
    fs::write(&lock, "").unwrap();
    let error = repository.move_branch(BRANCH, (&base, &next), "x").unwrap_err();
    let RepositoryError::Locked { path } = error else { panic!("{error}") };
    assert_eq!(path.canonicalize().unwrap(), lock.canonicalize().unwrap());
    assert_eq!(repository.branch_tip(BRANCH).unwrap().as_ref(), Some(&base));
    fs::remove_file(&lock).unwrap();
    repository.move_branch(BRANCH, (&base, &next), "x").unwrap();
}

#[test]
fn a_branch_below_another_branch_is_an_error_not_a_loss() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    sandbox.git(&["branch", "autoresearch"]);
    for _ in ["loose", "packed"] {
        assert!(repository.create_branch(BRANCH, &base, "begin").is_err());
        sandbox.git(&["pack-refs", "--all"]);
    }
    assert_eq!(sandbox.git(&["rev-parse", "autoresearch"]), base);
}

#[test]
fn every_candidate_stays_reachable_also_those_before_a_repair() {
    let sandbox = Sandbox::new();
    let repository = sandbox.open();
    let base = repository.base(None).unwrap();
    let tries: Vec<String> =
        ["1", "2", "3"].iter().map(|text| candidate(&repository, &base, text)).collect();
    assert_eq!(repository.kept("t", 5).unwrap(), None);
    for commit in &tries {
        // Twice, as after a crash in between.
        repository.keep("t", 5, commit).unwrap();
        repository.keep("t", 5, commit).unwrap();
        assert_eq!(repository.kept("t", 5).unwrap().as_ref(), Some(commit));
    }
    assert!(tries.iter().all(|commit| repository.is_kept("t", 5, commit).unwrap()));
    assert!(!repository.is_kept("t", 5, &base).unwrap());
    assert!(!repository.is_kept("t", 4, &tries[0]).unwrap());
    let refs = sandbox.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/dfr"]);
    assert_eq!(
        refs,
        format!(
            "refs/dfr/t/exp/5 {}\nrefs/dfr/t/exp/5.1 {}\nrefs/dfr/t/exp/5.2 {}",
            tries[2], tries[0], tries[1]
        )
    );
    sandbox.git(&["gc", "--quiet", "--prune=now"]);
    assert_eq!(sandbox.git(&["fsck", "--strict"]), "");
    assert_eq!(sandbox.open().read(&tries[0], "src/a.rs").unwrap().as_deref(), Some("1"));
}

#[test]
fn references_of_candidates_are_put_back_where_keeping_left_them() {
    for order in [&[0usize][..], &[0, 1, 2], &[0, 0, 1], &[0, 1, 0], &[0, 1, 0, 2, 1]] {
        let sandbox = Sandbox::new();
        let repository = sandbox.open();
        let base = repository.base(None).unwrap();
        let tries = ["1", "2", "3"].map(|text| candidate(&repository, &base, text));
        let commits: Vec<String> = order.iter().map(|at| tries[*at].clone()).collect();
        for commit in &commits {
            repository.keep("t", 5, commit).unwrap();
        }
        let list = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/dfr"];
        let before = sandbox.git(&list);
        assert_eq!(repository.keep_again("t", 5, &commits).unwrap(), 0, "{order:?}");
        for line in before.lines() {
            sandbox.git(&["update-ref", "-d", line.split(' ').next().unwrap()]);
        }
        let written = repository.keep_again("t", 5, &commits).unwrap();
        assert_eq!(sandbox.git(&list), before, "{order:?}");
        assert_eq!(written as usize, before.lines().count(), "{order:?}");
    }
}

/// Moves the branch onto its own commits until it has succeeded `times` times.
fn move_often(dir: &Path, times: usize, name: &str) -> Vec<(String, String)> {
    let repository = Repository::open(dir).unwrap();
    let mut moves = Vec::new();
    while moves.len() < times {
        let from = repository.branch_tip(BRANCH).unwrap().unwrap();
        let to = candidate(&repository, &from, &format!("{name} {}", moves.len()));
        match repository.move_branch(BRANCH, (&from, &to), name) {
            Ok(()) => moves.push((from, to)),
            Err(RepositoryError::Moved { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    moves
}

/// The same with git's own plumbing.
fn git_moves_often(dir: &Path, times: usize) -> Vec<(String, String)> {
    let reference = format!("refs/heads/{BRANCH}");
    let mut moves = Vec::new();
    while moves.len() < times {
        let from = git(dir, &["rev-parse", &reference]);
        let text = format!("git {}", moves.len());
        let tree = format!("{from}^{{tree}}");
        let to = git(dir, &["commit-tree", &tree, "-p", &from, "-m", &text]);
        let done = Command::new("git")
            .current_dir(dir)
            .args(["update-ref", &reference, &to, &from])
            .output()
            .unwrap();
        if done.status.success() {
            moves.push((from, to));
        }
    }
    moves
}

#[test]
fn in_a_race_no_move_undoes_another() {
    let sandbox = Sandbox::new();
    let base = sandbox.open().base(None).unwrap();
    sandbox.open().create_branch(BRANCH, &base, "begin").unwrap();
    let dir = sandbox.path();
    let moves = std::thread::scope(|scope| {
        let ours = ["a", "b"].map(|name| scope.spawn(move || move_often(dir, 20, name)));
        let theirs = scope.spawn(|| git_moves_often(dir, 20));
        let mut moves = theirs.join().unwrap();
        for thread in ours {
            moves.extend(thread.join().unwrap());
        }
        moves
    });
    let next: BTreeMap<String, String> = moves.iter().cloned().collect();
    assert_eq!(next.len(), moves.len(), "two moves from one commit");
    let mut at = base;
    let mut steps = 0;
    while let Some(to) = next.get(&at) {
        at.clone_from(to);
        steps += 1;
    }
    assert_eq!(steps, moves.len());
    assert_eq!(sandbox.git(&["rev-parse", BRANCH]), at);
    assert_eq!(sandbox.git(&["rev-list", "--count", BRANCH]), (steps + 1).to_string());
}
