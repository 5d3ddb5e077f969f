//! Answers as models give them: every change in every form, plain and with the faults
//! that are seen in the wild. What applies must be the change, to the byte; what cannot be applied
//! by a careful person must be refused.
//!
//! `PATCH_MUTATIONS=100000` mutates that many of them instead of the suite's share.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod changes;
mod faults;
mod forms;
mod mutations;
#[path = "../support/tree.rs"]
mod tree;

use std::collections::BTreeMap;

use changes::Change;
use dfr_daemon::patch::{Scope, apply, parse};
use faults::Fault;
use forms::Form;
use tree::Tree;

/// How a reply of the corpus came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    AtFirst,
    Repaired,
    Refused,
    Wrong,
}

/// One reply: a change, its form, and what is wrong with it.
struct Case<'a> {
    change: &'a Change,
    form: Form,
    fault: Fault,
    reply: String,
}

fn scope() -> Scope {
    Scope::new(&["src/**/*".to_owned()]).unwrap()
}

fn cases(changes: &[Change]) -> Vec<Case<'_>> {
    let mut cases = Vec::new();
    for change in changes {
        for form in Form::ALL {
            for fault in Fault::ALL {
                let reply = faults::reply(change, form, fault);
                cases.extend(reply.map(|reply| Case { change, form, fault, reply }));
            }
        }
    }
    cases
}

/// The whole tree that an answer makes of the one before.
fn made(change: &Change, reply: &str) -> Result<Tree, String> {
    let patch = parse(reply).and_then(|proposal| apply(&proposal, &change.before, &scope()));
    let mut files = change.before.clone();
    for (path, content) in patch.map_err(|error| error.to_string())?.files {
        match content {
            Some(content) => files.insert(path, content),
            None => files.remove(&path),
        };
    }
    Ok(files)
}

impl Case<'_> {
    /// A repair turn is answered as its last one asks, with whole files.
    fn outcome(&self) -> Outcome {
        match made(self.change, &self.reply) {
            Ok(made) if made == self.change.after => Outcome::AtFirst,
            Ok(_) => Outcome::Wrong,
            Err(_) => {
                let repair = faults::reply(self.change, Form::Whole, Fault::Prose).unwrap();
                match made(self.change, &repair) {
                    Ok(made) if made == self.change.after => Outcome::Repaired,
                    Ok(_) => Outcome::Wrong,
                    Err(_) => Outcome::Refused,
                }
            }
        }
    }
}

#[test]
fn what_applies_is_what_was_asked_for() {
    let changes = changes::all();
    let cases = cases(&changes);
    let mut table: BTreeMap<(Form, bool), BTreeMap<Outcome, usize>> = BTreeMap::new();
    for case in &cases {
        let outcome = case.outcome();
        *table
            .entry((case.form, case.fault.can_be_applied()))
            .or_default()
            .entry(outcome)
            .or_default() += 1;
        if outcome == Outcome::Wrong || outcome != Outcome::AtFirst && case.fault.can_be_applied() {
            let Case { change, form, fault, reply } = case;
            let why =
                made(change, reply).map(|_| "something else".to_owned()).unwrap_or_else(|why| why);
            println!("{outcome:?}: {} as {form:?} with {fault:?}: {why}", change.name);
        }
    }
    let count = |outcomes: &[Outcome]| -> usize {
        let applicable = table.iter().filter(|((_, can_be_applied), _)| *can_be_applied);
        let counts = applicable.flat_map(|(_, counts)| counts);
        counts.filter(|(outcome, _)| outcomes.contains(outcome)).map(|(_, count)| count).sum()
    };
    let all = count(&[Outcome::AtFirst, Outcome::Repaired, Outcome::Refused, Outcome::Wrong]);
    let (first, repaired) =
        (count(&[Outcome::AtFirst]), count(&[Outcome::AtFirst, Outcome::Repaired]));
    let wrong: usize = table
        .values()
        .flatten()
        .filter(|(outcome, _)| **outcome == Outcome::Wrong)
        .map(|(_, count)| count)
        .sum();
    println!("replies: {}, of which a careful person can apply {all}", cases.len());
    for ((form, can_be_applied), counts) in &table {
        println!(
            "  {form:?}, {}: {counts:?}",
            if *can_be_applied { "applicable" } else { "hopeless" }
        );
    }
    println!("applied at the first try: {first} of {all} = {:.2} %", percent(first, all));
    println!("after a repair turn: {repaired} of {all} = {:.2} %", percent(repaired, all));
    println!("applied wrongly: {wrong}");
    assert!(all >= 150, "{all} applicable replies");
    assert_eq!(wrong, 0);
    assert!(percent(first, all) >= 97.0, "{first} of {all}");
    assert!(percent(repaired, all) >= 99.5, "{repaired} of {all}");
}

fn percent(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all as f64
}
