//! Hostile candidates, built and run for real through the real daemon: none gains anything when runs
//! are sealed, and with the sandbox off those that should, do.
//!
//! `REDTEAM=all` (`make redteam`) tries every attack in both tiers, with a small repository that may be
//! edited as a whole, with one in which time counts, and with this repository's own trainer; otherwise
//! eight of them are tried. `REDTEAM=tcp` tries those with such a name. `make controls` measures what is
//! at chance with this repository's own trainer.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with other suites")]
#[path = "../chaos/ledger.rs"]
mod ledger;
#[expect(dead_code, reason = "shared with other suites")]
#[path = "../support/report.rs"]
mod report;

mod attacks;
mod canaries;
mod controls;
mod ground;
mod lab;
mod listeners;
mod pack;
mod table;
mod timed;
mod tree;
mod trial;
mod verdict;

use attacks::{Attack, Open};
use dfr_daemon::tier::Tier;
use ground::{Ground, Room, Seal};
use verdict::Seen;

/// Seed of every random draw.
const SEED: u64 = 20_260_314;
/// What an attacker brings along.
const KIT: &str = include_str!("attacker/kit.rs");
/// Fewer would say little about what the suite can find.
const FEWEST_GAINS: usize = 12;

/// The long form that is asked for.
fn asked() -> Option<String> {
    std::env::var("REDTEAM").ok()
}

/// The attacks that are asked for.
fn chosen() -> Vec<Attack> {
    match asked().as_deref() {
        None => attacks::short(),
        Some("all" | "controls") => attacks::all(),
        Some(part) => {
            let named = |attack: &Attack| attack.name.contains(part);
            let chosen: Vec<_> = attacks::all().into_iter().filter(named).collect();
            assert!(!chosen.is_empty(), "no attack has {part:?} in its name");
            chosen
        }
    }
}

/// Tries attacks one after the other in one session.
fn try_all(room: Room, seal: Seal, attacks: &[Attack]) -> Vec<Seen> {
    let tried = |attack: &&Attack| {
        let is_here = attack.rooms.contains(&room);
        is_here && (seal != Seal::Off || attack.open != Open::Untried)
    };
    let mut here: Vec<_> = attacks.iter().filter(tried).collect();
    here.sort_by_key(|attack| attack.spoils);
    if here.is_empty() {
        return Vec::new();
    }
    let ground = Ground::new(room, seal, room.contents());
    let one = |attack: &Attack| {
        let seen = ground.attack(attack);
        println!("{}", table::line(&seen));
        seen
    };
    here.into_iter().map(one).collect()
}

#[test]
fn with_the_sandbox_off_what_should_succeed_does() {
    let attacks = chosen();
    let seen: Vec<_> =
        rooms().iter().flat_map(|room| try_all(*room, Seal::Off, &attacks)).collect();
    table::tell("redteam_unsealed", &seen);
    table::all_hold(&seen);
    let gained = seen.iter().filter(|seen| !seen.gains.is_empty()).count();
    assert!(asked().as_deref() != Some("all") || gained >= FEWEST_GAINS, "only {gained} gained");
}

#[test]
fn hostile_candidates_gain_nothing() {
    let mut seen = Vec::new();
    for room in rooms() {
        for seal in seals() {
            seen.extend(try_all(*room, seal, &chosen()));
        }
    }
    table::tell("redteam", &seen);
    table::all_hold(&seen);
}

/// The small one, every day; all of them in a long form.
fn rooms() -> &'static [Room] {
    let all = &[Room::Tree, Room::Timed, Room::Lab];
    if asked().is_some() { all } else { &all[..1] }
}

/// The best tier there is, every day; each of them in a long form.
fn seals() -> Vec<Seal> {
    match asked() {
        None => vec![Seal::Sealed(None)],
        Some(_) => [Tier::Full, Tier::Container].map(|tier| Seal::Sealed(Some(tier))).into(),
    }
}

#[test]
fn what_cannot_be_known_is_at_chance() {
    let room = if asked().is_some() { Room::Lab } else { Room::Tree };
    controls::tell(&controls::measure(room, Seal::Sealed(None)));
}
