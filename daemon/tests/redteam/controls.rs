//! Controls: what cannot be known cannot be scored. A constant and a trainer on shuffled labels are at
//! chance, and the same trainer on labels as they are is far from it.

use crate::attacks::{Attack, CONSTANT};
use crate::ground::{Ground, Room, Seal};
use crate::pack::{Contents, Signal};
use crate::report::{self, Goal, Row};

/// A score on shuffled labels is further from nothing once in ten thousand times.
const STANDARD_ERRORS: f64 = 4.0;
/// Honest work on labels as they are.
const TELLING_MCC: f64 = 0.3;

/// Matthews correlations of honest work, and of a constant, on data that is or is not shuffled.
pub fn measure(room: Room, seal: Seal) -> Vec<Row> {
    let telling = match room {
        Room::Tree => Contents { records: [64, 2000, 64], signal: Signal::FirstByte },
        Room::Lab => Contents { records: [32, 400, 40], signal: Signal::Brightness },
        Room::Timed => room.contents(),
    };
    let shuffled = Contents { signal: Signal::Shuffled, ..telling };
    let chance = STANDARD_ERRORS / (telling.records[1] as f64).sqrt();
    let name = |what: &str| format!("{room:?} {}: mcc of {what}", seal.as_str()).to_lowercase();
    let row = |what: &str, mcc, goal| Row::new(name(what), mcc, "mcc", goal);
    let [honest, constant] = correlations(&Ground::new(room, seal, telling));
    let [fooled, _] = correlations(&Ground::new(room, seal, shuffled));
    vec![
        row("honest work", honest, Goal::AtLeast(TELLING_MCC)),
        row("a constant, away from 0", constant.abs(), Goal::AtMost(0.0)),
        row("shuffled labels, away from 0", fooled.abs(), Goal::AtMost(chance)),
    ]
}

/// Of the baseline, and of a candidate that answers the same to everything.
fn correlations(ground: &Ground) -> [f64; 2] {
    let constant: &Attack = &CONSTANT;
    let seen = ground.attack(constant);
    let rows = ground.ledger().history.rows;
    assert_eq!(rows.len(), 2, "{seen:#?}");
    [0, 1].map(|at| rows[at].metrics["mcc"])
}

/// Prints the figures, writes them down, and fails unless all are as they should be.
#[track_caller]
pub fn tell(rows: &[Row]) {
    report::write("controls", rows);
    println!("{}", report::table(rows));
    assert!(rows.iter().all(|row| row.holds() == Some(true)), "{rows:#?}");
}
