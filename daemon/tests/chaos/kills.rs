//! Kills at random moments: of the daemon, of its trainer, of both in either order.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::SIGKILL;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::contract::{Rule, Violation, none, tell};
use crate::environment::Daemon;
use crate::night::{Life, Night, told};
use crate::workers::each;
use crate::{SEED, number};

/// Kills of one session, and of one of the short form; then it is finished, and another begins.
const KILLS_A_NIGHT: u32 = 100;
const KILLS_A_SHORT_NIGHT: u32 = 6;
/// Kills between two looks at what takes longer to look at.
const CLOSE_LOOK: u32 = 25;
/// Kills of the short form.
const SHORT: u32 = 12;
/// Answers that one session can use up: a few for every life.
const ANSWERS: usize = 4000;
/// Longest time from the start, or from being ready, to the kill.
const STARTING_MS: u64 = 80;
const WORKING_MS: u64 = 200;
/// The same for one life in so many, so that experiments get on.
const PATIENT: (u32, u64) = (6, 1500);

#[derive(Default)]
struct Totals {
    kills: u32,
    rows: usize,
    violations: Vec<Violation>,
}

#[test]
fn kills_at_random_moments_lose_nothing() {
    let asked = number("KILLS");
    let kills = asked.unwrap_or(SHORT);
    let most = if asked.is_some() { KILLS_A_NIGHT } else { KILLS_A_SHORT_NIGHT };
    let begun = Instant::now();
    let totals = Mutex::new(Totals::default());
    let nights = (0..kills.div_ceil(most)).map(|n| (u64::from(n), most.min(kills - n * most)));
    let workers = std::thread::available_parallelism().unwrap().get();
    each(nights.collect(), workers, |(number, kills)| {
        let done = night(number, kills);
        let mut totals = totals.lock().unwrap();
        totals.add(done);
        println!("night {number}: {totals}, {:.0?}", begun.elapsed());
    });
    let totals = totals.into_inner().unwrap();
    if asked.is_some() {
        let counts =
            [("kills", f64::from(totals.kills)), ("experiments decided", totals.rows as f64)];
        tell("chaos", &counts, &totals.violations);
    }
    none(&totals.violations);
}

impl Totals {
    fn add(&mut self, mut more: Self) {
        self.kills += more.kills;
        self.rows += more.rows;
        self.violations.append(&mut more.violations);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, rows, violations } = self;
        write!(f, "{kills} kills, {rows} rows, {} violations", violations.len())
    }
}

/// One session, killed so many times and then finished.
fn night(number: u64, kills: u32) -> Totals {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + number);
    let mut night = Night::measuring_by_turn(ANSWERS, usize::try_from(number).unwrap());
    night.finish(1);
    let mut done = 0;
    // Of lives that end by themselves one is enough to fail, and they tell nothing more.
    while done < kills && !night.is_stuck() {
        life(&mut night, &mut rng);
        done += 1;
        if done % CLOSE_LOOK == 0 {
            night.look_closely();
        }
    }
    night.finish(night.rows() + 1);
    Totals { kills: done, rows: night.rows(), violations: night.end() }
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
        let (of, long_ms) = PATIENT;
        let is_patient = rng.random_ratio(1, of);
        pause(rng, if is_patient { long_ms } else { WORKING_MS });
    }
    match rng.random_range(0..4) {
        0 => {
            life.trainer_kills += night.kill_trainer();
            pause(rng, STARTING_MS);
            strike(&mut daemon);
        }
        1 => {
            strike(&mut daemon);
            night.kill_trainer();
        }
        _ => strike(&mut daemon),
    }
    let ended = daemon.wait();
    life.was_ready = ended.err.contains(" ready ");
    let was_killed = ended.status.code().is_none();
    night.demand(was_killed, Rule::GoesOn, || told(&ended));
    night.look(life);
}

fn strike(daemon: &mut Daemon<'_>) {
    if !daemon.has_ended() {
        daemon.signal(SIGKILL);
    }
}

fn pause(rng: &mut ChaCha8Rng, most_ms: u64) {
    std::thread::sleep(Duration::from_micros(rng.random_range(0..most_ms * 1000)));
}
