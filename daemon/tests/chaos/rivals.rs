//! Others at the same session: two or fifty daemons at once, and a human who commits to its branch.

use std::collections::BTreeSet;
use std::time::Duration;

use dfr_contract::exit;
use dfr_daemon::experiment::Entry;
use nix::sys::signal::Signal::SIGTERM;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::contract::{none, tell};
use crate::environment::{Daemon, TestEnvironment, wait_until};
use crate::night::{Life, Night, told};
use crate::repository::locks;
use crate::{SEED, number};

/// Races, and commits of a human, when `RACES` asks for no other number.
const RACES: u32 = 20;
/// Daemons in the first race, and from then on in one of so many; in the others there are two.
const RIVALS: usize = 50;
const CROWDED: u32 = 20;
/// Commits of a human while one daemon lives, and answers that such a life may use up.
const COMMITS_A_LIFE: u32 = 5;
const ANSWERS_A_LIFE: usize = 130;
const BRANCH: &str = "refs/heads/autoresearch/t";

/// Starts so many at once; waits until all but one have given up, and gives that one.
fn race<'a>(environment: &'a TestEnvironment, rivals: usize, arguments: &[&str]) -> Daemon<'a> {
    let mut daemons: Vec<_> =
        (0..rivals).map(|_| environment.start(&mut environment.session(arguments))).collect();
    let mut left = Vec::new();
    wait_until("all but one to give up", || {
        left.extend(daemons.extract_if(.., Daemon::has_ended));
        daemons.len() <= 1
    });
    for daemon in left {
        let ended = daemon.wait();
        assert_eq!(ended.status.code(), Some(i32::from(exit::CONFIGURATION)), "{}", told(&ended));
        assert!(ended.err.contains("error: ") && ended.err.contains("hint: "), "{}", told(&ended));
    }
    daemons.pop().unwrap_or_else(|| panic!("nobody runs"))
}

#[test]
fn of_all_daemons_one_runs_and_the_others_say_why_they_do_not() {
    let environment = TestEnvironment::new();
    environment.edit("repo/lab/recipe.txt", ("mode = ok", "mode = hang"));
    environment.commit_all("hangs");
    let base = environment.git(&["rev-parse", "main"]);
    let (asked, mut refused) = (number("RACES"), 0);
    let races = asked.unwrap_or(RACES);
    for at in 0..races {
        // The one that runs is busy for as long as the others need.
        let arguments: &[&str] = if at == 0 { &["--budget-s", "600"] } else { &["--resume"] };
        let rivals = if at == 0 || at % CROWDED == 1 { RIVALS } else { 2 };
        let mut one = race(&environment, rivals, arguments);
        refused += rivals - 1;
        one.wait_for("its experiment", || !environment.trainers().is_empty());
        assert_eq!(environment.git(&["rev-parse", BRANCH]), base);
        assert!(locks(&environment).is_empty(), "{:?}", locks(&environment));
        one.signal(SIGTERM);
        one.wait().code(0);
        environment.wait_for_no_trainer();
    }
    if asked.is_some() {
        let counts = [
            ("races, each with one that ran", f64::from(races)),
            ("daemons that said why they do not run", refused as f64),
        ];
        tell("races", &counts, &[]);
    }
}

/// Commits on whatever the branch stands on, unless it moves at that very moment, in the way that
/// `git commit` does; a tree that runs, whatever the candidate's does. Gives the commit.
fn commit(environment: &TestEnvironment, number: usize) -> Option<String> {
    let tip = environment.git(&["rev-parse", BRANCH]);
    let message = format!("by hand {number}");
    let mine = environment.git(&["commit-tree", "main^{tree}", "-p", &tip, "-m", &message]);
    let mut update = environment.hermetic("git");
    update.args(["update-ref", "-m", "commit: by hand", BRANCH, &mine, &tip]);
    update.output().unwrap().status.success().then_some(mine)
}

fn is_ancestor(environment: &TestEnvironment, old: &str, new: &str) -> bool {
    let mut ask = environment.hermetic("git");
    ask.args(["merge-base", "--is-ancestor", old, new]).status().unwrap().success()
}

#[test]
fn a_human_who_commits_to_the_branch_loses_nothing() {
    let asked = number("RACES");
    let lives = asked.unwrap_or(RACES).div_ceil(COMMITS_A_LIFE);
    let mut night = Night::new(lives as usize * ANSWERS_A_LIFE);
    night.finish(1);
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    for _ in 0..lives {
        let rows = (night.rows() + 4).to_string();
        let mut session = night.session(&["--max-experiments", &rows]);
        let mut daemon = night.environment.start(&mut session);
        night.hears(&mut daemon, " ready ");
        let mut mine = Vec::new();
        for number in 0..COMMITS_A_LIFE as usize {
            std::thread::sleep(Duration::from_millis(rng.random_range(0..200)));
            mine.extend(commit(&night.environment, night.foreign.len() + number));
        }
        let ended = daemon.wait();
        assert!(ended.status.success(), "{}", told(&ended));
        night.foreign.extend(mine);
        night.look(Life::WHOLE);
    }
    let (environment, mine) = (&night.environment, &night.foreign);
    assert!(!mine.is_empty(), "no commit of a human met the daemon");
    let tip = environment.git(&["rev-parse", BRANCH]);
    for commit in mine {
        assert!(is_ancestor(environment, commit, &tip), "{commit} is lost from {tip}");
    }
    assert_never_forced(environment, mine);
    let snapshot = night.snapshot().unwrap().unwrap();
    let parents = snapshot.entries.iter().filter_map(|recorded| match &recorded.entry {
        Entry::Opened { parent, .. } => Some(parent),
        _ => None,
    });
    let adopted = parents.filter(|parent| mine.contains(*parent)).count();
    assert!(adopted > 0, "no experiment builds on any of {mine:?}");
    let counts = [
        ("commits of a human, none of them lost", mine.len() as f64),
        ("experiments that build on one", adopted as f64),
    ];
    let violations = night.end();
    if asked.is_some() {
        tell("human_commits", &counts, &violations);
    }
    none(&violations);
}

/// The branch never went from a human's commit to one that does not build on it.
#[track_caller]
fn assert_never_forced(environment: &TestEnvironment, mine: &BTreeSet<String>) {
    let log = environment.read(&format!("repo/.git/logs/{BRANCH}"));
    for line in log.lines() {
        let mut words = line.split(' ');
        let (from, to) = (words.next().unwrap(), words.next().unwrap());
        let kept = !mine.contains(from) || is_ancestor(environment, from, to);
        assert!(kept, "a human's commit was left: {line}");
    }
}
