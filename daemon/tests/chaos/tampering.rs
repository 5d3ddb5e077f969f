//! Checks that the contract can be broken: a rule that never finds anything would pass for ever.

use std::fs;

use dfr_daemon::experiment::{Entry, Purpose};

use crate::contract::{Rule, none};
use crate::night::{Life, Night};

/// Breaks something in a session of three rows, and gives the rules that were found broken.
fn tampered(with: impl Fn(&Night)) -> Vec<Rule> {
    let mut night = Night::new(20);
    night.finish(3);
    assert!(night.violations.is_empty(), "{:?}", night.violations);
    with(&night);
    night.look(Life::WHOLE);
    night.look_closely();
    let mut rules: Vec<_> = night.end().into_iter().map(|violation| violation.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn every_rule_that_looks_at_what_is_left_can_be_broken() {
    let table = "repo/state/t/results.tsv";
    let cut = |night: &Night| {
        let text = night.environment.read(table);
        night.environment.write(table, text.trim_end().rsplit_once('\n').unwrap().0);
    };
    assert_eq!(tampered(cut), [Rule::Table]);
    let elsewhere = |night: &Night| {
        night.environment.git(&["commit", "--quiet", "--allow-empty", "-m", "else"]);
        night.environment.git(&["update-ref", "refs/heads/autoresearch/t", "main"]);
    };
    assert_eq!(tampered(elsewhere), [Rule::Branch]);
    let forgotten = |night: &Night| {
        night.environment.git(&["update-ref", "-d", "refs/dfr/t/exp/2"]);
    };
    assert_eq!(tampered(forgotten), [Rule::Unreachable]);
    let lost = |night: &Night| {
        // What was made from it keeps it in reach as well.
        for experiment in ["refs/dfr/t/exp/1", "refs/dfr/t/exp/2"] {
            night.environment.git(&["update-ref", "-d", experiment]);
        }
        night.environment.git(&["update-ref", "refs/heads/autoresearch/t", "main"]);
    };
    assert_eq!(tampered(lost), [Rule::Branch, Rule::Unreachable, Rule::Chain]);
    let no_ledger = |night: &Night| fs::remove_dir_all(night.environment.state()).unwrap();
    assert_eq!(tampered(no_ledger), [Rule::Lost]);
    let run_again = |night: &Night| {
        night.environment.read("runs.txt");
    };
    assert_eq!(tampered(run_again), [Rule::Run]);
    let broken = |night: &Night| {
        let commit = night.environment.git(&["rev-parse", "refs/dfr/t/exp/2"]);
        let tree = night.environment.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
        let object = format!("repo/.git/objects/{}/{}", &tree[..2], &tree[2..]);
        fs::remove_file(night.environment.path(&object)).unwrap();
    };
    assert_eq!(tampered(broken), [Rule::Fsck]);
}

#[test]
fn a_lock_that_outlives_a_restart_is_found() {
    let mut night = Night::new(20);
    night.finish(2);
    night.environment.write("repo/.git/refs/heads/other.lock", "");
    night.look(Life { daemon_kills: 1, ..Life::default() });
    assert!(night.violations.is_empty(), "{:?}", night.violations);
    night.look(Life::WHOLE);
    let rules: Vec<_> = night.end().into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, [Rule::Lock]);
}

/// Else the attacks would meet nothing of it.
#[test]
fn a_night_looks_hears_measures_its_noise_and_certifies() {
    let mut night = Night::measuring_by_turn(20, 1);
    night.finish(1);
    night.finish(4);
    let entries = night.snapshot().unwrap().unwrap().entries;
    let has = |wanted: fn(&Entry) -> bool| entries.iter().any(|recorded| wanted(&recorded.entry));
    assert!(has(|entry| matches!(entry, Entry::Looked)));
    assert!(has(|entry| matches!(entry, Entry::Directed { .. })));
    assert!(has(|entry| matches!(entry, Entry::Opened { purpose: Purpose::Noise, .. })));
    assert!(has(|entry| matches!(entry, Entry::Opened { purpose: Purpose::Certify, .. })));
    none(&night.end());
}
