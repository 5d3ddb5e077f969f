//! Kills at random moments: of the daemon, of its trainer, of both in either order.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGKILL;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::contract::{Rule, Violation, counted, none};
use crate::night::{Life, Night, told};
use crate::report::{row, tell};
use crate::{SEED, number};

/// Kills of one session; then it is finished, and another begins.
const KILLS_A_NIGHT: u32 = 100;
/// Kills between two looks at what takes longer to look at.
const CLOSE_LOOK: u32 = 25;
/// Kills of the short form.
const SHORT: u32 = 12;
/// Answers that one session can use up: a few for every life.
const ANSWERS: usize = 4000;
/// Longest time from the start, or from being ready, to the kill.
const STARTING_MS: u64 = 80;
const WORKING_MS: u64 = 250;

#[derive(Default)]
struct Totals {
    kills: u32,
    rows: usize,
    violations: Vec<Violation>,
}

#[test]
fn kills_at_random_moments_lose_nothing() {
    let kills = number("KILLS");
    let begun = Instant::now();
    let mut totals = Totals::default();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    while totals.kills < kills.unwrap_or(SHORT) {
        let left = kills.unwrap_or(SHORT) - totals.kills;
        night(&mut rng, left.min(KILLS_A_NIGHT), &mut totals);
        let (done, rows, broken) = (totals.kills, totals.rows, totals.violations.len());
        println!("{done} kills, {rows} rows, {broken} violations, {:.0?}", begun.elapsed());
    }
    if kills.is_some() {
        let mut rows = vec![
            row("kills", f64::from(totals.kills), "kills", None),
            row("experiments decided between them", totals.rows as f64, "rows", None),
            row("time", begun.elapsed().as_secs_f64(), "s", None),
        ];
        rows.extend(counted(&totals.violations));
        tell("chaos", &rows);
    }
    none(&totals.violations);
}

/// One session, killed so many times and then finished.
fn night(rng: &mut ChaCha8Rng, kills: u32, totals: &mut Totals) {
    let mut night = Night::new(ANSWERS);
    night.finish(1);
    for kill in 1..=kills {
        life(&mut night, rng);
        if kill % CLOSE_LOOK == 0 {
            night.look_closely();
        }
    }
    let rows = night.rows();
    night.finish(rows + 1);
    totals.kills += kills;
    totals.rows += rows + 1;
    totals.violations.append(&mut night.end());
}

/// Starts the daemon and kills it: while it starts, or while it works; alone, after its trainer, or
/// before it.
fn life(night: &mut Night, rng: &mut ChaCha8Rng) {
    let mut life = Life { daemon_kills: 1, ..Life::default() };
    let mut session = night.session(&[]);
    let mut daemon = night.environment.start(&mut session);
    if rng.random_bool(0.2) {
        pause(rng, STARTING_MS);
    } else {
        night.hears(&mut daemon, " ready ");
        pause(rng, WORKING_MS);
    }
    match rng.random_range(0..4) {
        0 => {
            life.trainer_kills += night.kill_trainer();
            pause(rng, STARTING_MS);
            daemon.signal(SIGKILL);
        }
        1 => {
            daemon.signal(SIGKILL);
            night.kill_trainer();
        }
        _ => daemon.signal(SIGKILL),
    }
    let ended = daemon.wait();
    life.was_ready = ended.err.contains(" ready ");
    let was_killed = ended.status.code().is_none();
    night.demand(was_killed, Rule::GoesOn, || told(&ended));
    night.look(life);
}

fn pause(rng: &mut ChaCha8Rng, most_ms: u64) {
    std::thread::sleep(Duration::from_micros(rng.random_range(0..most_ms * 1000)));
}
