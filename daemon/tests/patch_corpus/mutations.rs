//! Replies with something done to them: whatever that is, nothing panics, nothing leaves the scope,
//! and either all edits apply or none.

use dfr_daemon::patch::{PatchError, Proposal, apply, parse};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::changes::{self, Change};
use crate::tree::Tree;
use crate::{cases, scope};

/// How many replies are mutated if nothing else is said.
const MUTATIONS: u64 = 2_000;

#[test]
fn a_mutated_reply_is_all_or_nothing() {
    let wanted = std::env::var("PATCH_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let changes = changes::all();
    let cases = cases(&changes);
    let (mut applied, mut refused) = (0, 0);
    for seed in 0..wanted {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let case = cases.choose(&mut rng).unwrap();
        let reply = mutated(&case.reply, &mut rng);
        match parse(&reply).and_then(|proposal| checked(&proposal, case.change)) {
            Ok(()) => applied += 1,
            Err(_) => refused += 1,
        }
    }
    println!(
        "mutated replies: {wanted}; applied whole: {applied}, refused: {refused}; applied in part or out of scope: 0"
    );
    assert!(applied > 0 && refused > 0);
}

/// All edits at once must do what one after the other does, or fail where one of them fails.
fn checked(proposal: &Proposal, change: &Change) -> Result<(), PatchError> {
    let mut files = change.before.clone();
    let one_by_one = proposal.edits.iter().try_for_each(|edit| {
        let alone = Proposal { edits: vec![edit.clone()], ..proposal.clone() };
        match apply(&alone, &files, &scope()) {
            Ok(patch) => {
                take(&mut files, patch.files);
                Ok(())
            }
            Err(PatchError::NoChange) => Ok(()),
            Err(error) => Err(error),
        }
    });
    let patch = match (apply(proposal, &change.before, &scope()), one_by_one) {
        (Ok(patch), Ok(())) => patch,
        (Err(PatchError::NoChange), Ok(())) => {
            assert_eq!(files, change.before);
            return Err(PatchError::NoChange);
        }
        (Err(error), Err(same)) => {
            assert_eq!(error, same);
            return Err(error);
        }
        (whole, parts) => panic!("at once: {whole:?}; one by one: {parts:?}"),
    };
    assert!(patch.files.keys().all(|path| scope().contains(path)));
    let mut whole = change.before.clone();
    take(&mut whole, patch.files);
    assert_eq!(whole, files);
    Ok(())
}

fn take(files: &mut Tree, changed: impl IntoIterator<Item = (String, Option<String>)>) {
    for (path, content) in changed {
        match content {
            Some(content) => files.insert(path, content),
            None => files.remove(&path),
        };
    }
}

/// Some lines gone, doubled, swapped or cut, some letters others.
fn mutated(reply: &str, rng: &mut ChaCha8Rng) -> String {
    let mut lines: Vec<String> = reply.split('\n').map(str::to_owned).collect();
    for _ in 0..rng.random_range(1..6) {
        let (at, other) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
        match rng.random_range(0..7) {
            0 if lines.len() > 1 => drop(lines.remove(at)),
            1 => lines.insert(other, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines.truncate(at + 1),
            4 => lines[at] = letters(&lines[at], rng),
            5 => lines[at] = lines[at].trim().to_owned(),
            _ => lines[at].insert(0, *[' ', '+', '-', '@', '<', '\t'].choose(rng).unwrap()),
        }
    }
    lines.join("\n")
}

fn letters(line: &str, rng: &mut ChaCha8Rng) -> String {
    let mut letters: Vec<char> = line.chars().collect();
    let at = rng.random_range(0..=letters.len());
    match letters.get_mut(at) {
        Some(letter) if rng.random() => *letter = rng.random(),
        _ => letters.insert(at, rng.random()),
    }
    letters.into_iter().collect()
}
