//! What the ledger tells must make the commit that it names.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::experiment::{Idea, Notes, Usage};
use crate::patch::Patch;

const REPLY: &str =
    "HYPOTHESIS: two is more\nDESCRIPTION: two\n\na.txt\n<<<<<<< FILE\n2\n>>>>>>> FILE\n";
const AT_MS: i64 = 1_773_500_000_000;

/// A repository with one commit.
fn base(place: &Path) -> (Repository, String) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(place).args(["-c", "user.name=h", "-c", "user.email=h@localhost"]);
        assert!(git.args(arguments).status().unwrap().success());
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(place.join("a.txt"), "1\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "base"]);
    let repository = Repository::open(place).unwrap();
    let base = repository.base(None).unwrap();
    (repository, base)
}

/// The entries of a first experiment that got this commit for this answer.
fn told(base: &str, answer: Option<&str>, commit: &str) -> Vec<Recorded> {
    let proposer = "scripted".to_owned();
    let opened = Entry::Opened { parent: base.to_owned(), proposer, purpose: Purpose::Candidate };
    let answered = answer.map(|text| Entry::Answered {
        text: text.to_owned(),
        problem: None,
        proposer: "scripted".to_owned(),
        usage: Usage::default(),
        cost_usd: 0.0,
    });
    let proposed = Entry::Proposed {
        hypothesis: "two is more".to_owned(),
        description: "two".to_owned(),
        notes: Notes::default(),
        idea: Idea::default(),
        usage: Usage::default(),
    };
    let committed = Entry::Committed { commit: commit.to_owned() };
    let entries = std::iter::once(opened).chain(answered).chain([proposed, committed]);
    let recorded = |(id, entry)| Recorded { id, experiment: 0, at_ms: AT_MS, entry };
    (1..).zip(entries).map(recorded).collect()
}

fn restored(answer: Option<&str>, commit: &str) -> (Restored, Option<String>) {
    let place = tempfile::tempdir().unwrap();
    let (repository, base) = base(place.path());
    let scope = Scope::new(&["*.txt".to_owned()]).unwrap();
    let candidates = Candidates { repository: &repository, scope: &scope, tag: "t" };
    let restored = candidates.restore(&told(&base, answer, commit)).unwrap();
    (restored, repository.kept("t", 0).unwrap())
}

#[test]
fn another_commit_than_the_recorded_one_is_named_and_not_kept() {
    let recorded = "1".repeat(40);
    let (restored, kept) = restored(Some(REPLY), &recorded);
    let [lost] = &restored.lost[..] else { panic!("{restored:?}") };
    let (before, made) = lost.split_once(" makes ").unwrap();
    assert_eq!(before, format!("experiment 0: {recorded} cannot be made: what the ledger tells"));
    assert!(made.len() == 40 && made != recorded, "{made}");
    assert_eq!(kept, None);
}

#[test]
fn an_answer_that_is_not_in_the_ledger_makes_nothing() {
    for answer in [None, Some("I have no idea.")] {
        let (restored, kept) = restored(answer, &"1".repeat(40));
        assert_eq!((restored.made, restored.there, restored.lost.len()), (0, 0, 1));
        assert!(restored.lost[0].contains("cannot be made: "), "{restored:?}");
        assert_eq!(kept, None);
    }
}

#[test]
fn a_commit_that_is_there_stays_whatever_its_answer_would_make() {
    let place = tempfile::tempdir().unwrap();
    let (repository, base) = base(place.path());
    let scope = Scope::new(&["*.txt".to_owned()]).unwrap();
    let patch = Patch { files: BTreeMap::from([("a.txt".to_owned(), Some("3\n".to_owned()))]) };
    let commit = repository.commit(&base, &patch, ("by an older version", 0)).unwrap();
    let candidates = Candidates { repository: &repository, scope: &scope, tag: "t" };
    let entries = told(&base, Some(REPLY), &commit);
    for references in [1, 0] {
        let restored = candidates.restore(&entries).unwrap();
        assert_eq!((restored.there, restored.references, restored.lost), (1, references, vec![]));
        assert_eq!(repository.kept("t", 0).unwrap().as_ref(), Some(&commit));
    }
}
