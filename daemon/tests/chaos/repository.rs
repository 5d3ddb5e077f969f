//! What git says of the session's repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::environment::TestEnvironment;

/// References by name.
pub struct Git<'a> {
    environment: &'a TestEnvironment,
    pub refs: BTreeMap<String, String>,
    /// Commits of a human.
    pub foreign: &'a BTreeSet<String>,
}

/// A lock by what tells it from a later one of the same name: inode and time of change.
pub type Lock = (PathBuf, u64, i64, i64);

impl<'a> Git<'a> {
    pub fn read(environment: &'a TestEnvironment, foreign: &'a BTreeSet<String>) -> Self {
        let told = environment.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
        Self { environment, refs: told.lines().filter_map(pair).collect(), foreign }
    }

    /// Every candidate that is kept reachable for an experiment.
    pub fn kept(&self, experiment: u32) -> impl Iterator<Item = &String> {
        let newest = format!("refs/dfr/t/exp/{experiment}");
        let earlier = format!("{newest}.");
        let of = move |name: &str| name == newest || name.starts_with(&earlier);
        self.refs.iter().filter(move |(name, _)| of(name)).map(|(_, commit)| commit)
    }

    /// The first parent of every commit that the branch or a candidate leads to; none of a root.
    pub fn first_parents(&self) -> BTreeMap<String, Option<String>> {
        let ours = ["--glob=refs/heads/autoresearch/*", "--glob=refs/dfr/t/*"];
        let told = self.environment.git(&["rev-list", "--parents", ours[0], ours[1]]);
        let commit = |line: &str| {
            let mut ids = line.split(' ').map(str::to_owned);
            ids.next().map(|commit| (commit, ids.next()))
        };
        told.lines().filter_map(commit).collect()
    }
}

/// What `git fsck --strict` has to say; nothing when all is well.
pub fn fsck(environment: &TestEnvironment) -> String {
    let mut check = environment.hermetic("git");
    let output =
        check.args(["fsck", "--strict", "--no-dangling", "--no-progress"]).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    match output.status.success() {
        true => String::new(),
        false => format!("{}: {}", output.status, String::from_utf8_lossy(&told)),
    }
}

/// Lock files in `.git`, those of objects left out: objects have none.
pub fn locks(environment: &TestEnvironment) -> BTreeSet<Lock> {
    let git = environment.path("repo/.git");
    let mut open = vec![git.clone()];
    let mut found = BTreeSet::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path != git.join("objects") => open.push(path),
                true => {}
                false => found.extend(lock(&path)),
            }
        }
    }
    found
}

fn lock(path: &Path) -> Option<Lock> {
    let is_lock = path.extension().is_some_and(|extension| extension == "lock");
    let made = is_lock.then(|| path.metadata().ok()).flatten()?;
    Some((path.to_owned(), made.ino(), made.ctime(), made.ctime_nsec()))
}
