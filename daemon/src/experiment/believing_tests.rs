use super::*;
use crate::sample::{self, tried};

fn history(rows: &[(Purpose, Verdict, f64)]) -> History {
    let all: Vec<_> = rows.iter().map(|(_, verdict, score)| tried(*verdict, *score, "x")).collect();
    let mut history = sample::history(&all);
    let first = history.rows[0].commit.clone();
    for (row, (purpose, ..)) in history.rows.iter_mut().zip(rows) {
        row.purpose = *purpose;
        if matches!(purpose, Noise | Control) {
            row.commit.clone_from(&first);
        }
    }
    history
}

use Purpose::{Baseline, Candidate, Control, Noise};
use Verdict::{Discard, Keep};

#[test]
fn the_noise_is_that_of_one_recipe_alone() {
    assert_eq!(run_to_run(&history(&[(Baseline, Keep, 0.5)]), "sn34_score"), None);
    let rows = [
        (Baseline, Keep, 0.50),
        (Noise, Discard, 0.52),
        (Noise, Discard, 0.48),
        (Candidate, Keep, 0.9),
    ];
    let noise = run_to_run(&history(&rows), "sn34_score").unwrap();
    assert!((noise - 0.02).abs() < 1e-12, "{noise}");
    let same = [(Baseline, Keep, 0.5), (Noise, Discard, 0.5)];
    assert_eq!(run_to_run(&history(&same), "sn34_score"), Some(LEAST_NOISE));
}

#[test]
fn what_is_believed_does_not_depend_on_when_it_was_asked() {
    let rows = [
        (Baseline, Keep, 0.50),
        (Noise, Discard, 0.52),
        (Noise, Discard, 0.48),
        (Candidate, Discard, 0.47),
        (Candidate, Keep, 0.56),
        (Candidate, Discard, 0.55),
    ];
    let all = history(&rows);
    let mut at_once = Believing::default();
    at_once.follow(&all, "sn34_score");
    let mut by_turns = Believing::default();
    for n in 1..=rows.len() {
        by_turns.follow(&history(&rows[..n]), "sn34_score");
    }
    assert_eq!(at_once.now(), by_turns.now());
    let incumbent = at_once.now().unwrap().incumbent();
    assert!(incumbent.mean > 0.5 && incumbent.mean < 0.56, "{incumbent:?}");
}
