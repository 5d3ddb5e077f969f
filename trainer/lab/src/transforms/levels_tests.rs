use super::*;
use rand::SeedableRng as _;
use std::collections::BTreeMap;

const DRAWS: usize = 20_000;

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Jpeg(_) => "jpeg",
        Change::Blur(_) => "blur",
        Change::Noise(_) => "noise",
        Change::ColorShift(_) => "shift",
        Change::Contrast(_) => "contrast",
        Change::Flip => "flip",
    }
}

fn draws(level: u64) -> Vec<Vec<Change>> {
    let changes = Changes::level(level);
    let mut rng = ChaCha8Rng::seed_from_u64(level);
    (0..DRAWS).map(|_| changes.draw(&mut rng)).collect()
}

/// Within five standard errors of a share of all draws.
fn check_share(found: usize, share: f64, what: &str) {
    let error = (share * (1.0 - share) / DRAWS as f64).sqrt();
    let found = found as f64 / DRAWS as f64;
    assert!((found - share).abs() <= 5.0 * error, "{what}: {found}, not {share}");
}

#[test]
fn one_or_two_of_the_candidates_are_drawn_equally_often_in_any_order() {
    for (level, candidates) in [(1, 2), (2, 4), (3, 5)] {
        let (mut alone, mut anywhere) = (BTreeMap::new(), BTreeMap::new());
        let mut pairs = BTreeMap::new();
        for mut changes in draws(level) {
            changes.retain(|change| *change != Change::Flip);
            let kinds: Vec<_> = changes.iter().map(kind).collect();
            kinds.iter().for_each(|kind| *anywhere.entry(*kind).or_insert(0) += 1);
            match kinds[..] {
                [only] => *alone.entry(only).or_insert(0) += 1,
                [first, second] => {
                    assert_ne!(first, second);
                    *pairs.entry((first, second)).or_insert(0) += 1;
                }
                _ => panic!("{kinds:?}"),
            }
        }
        let n = f64::from(candidates);
        assert_eq!((alone.len(), anywhere.len()), (candidates as usize, candidates as usize));
        assert_eq!(pairs.len(), (candidates * (candidates - 1)) as usize);
        alone.iter().for_each(|(kind, &found)| check_share(found, 0.5 / n, kind));
        anywhere.iter().for_each(|(kind, &found)| check_share(found, 1.5 / n, kind));
        pairs.iter().for_each(|(pair, &found)| check_share(found, 0.5 / (n * (n - 1.0)), pair.1));
    }
}

#[test]
fn half_of_all_draws_mirror_and_they_do_so_last() {
    for level in 1..=3 {
        let flipped = draws(level).iter().filter(|changes| changes.contains(&Change::Flip)).count();
        check_share(flipped, 0.5, "flip");
        let last = |changes: &Vec<Change>| changes.iter().rev().skip(1).all(|c| *c != Change::Flip);
        assert!(draws(level).iter().all(last));
    }
}

#[test]
fn level_0_draws_nothing() {
    assert!(draws(0).iter().all(Vec::is_empty));
}

/// Smallest, largest and mean strength; of a shift each channel's offset.
fn strengths(level: u64, of: &str) -> (f64, f64, f64) {
    let all: Vec<f64> = draws(level)
        .iter()
        .flatten()
        .filter(|change| kind(change) == of)
        .flat_map(|change| match *change {
            Change::Jpeg(quality) => vec![f64::from(quality)],
            Change::Blur(sigma) => vec![sigma],
            Change::Noise(x) | Change::Contrast(x) => vec![f64::from(x)],
            Change::ColorShift(offsets) => offsets.map(f64::from).to_vec(),
            Change::Flip => vec![],
        })
        .collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    (
        all.iter().copied().fold(f64::MAX, f64::min),
        all.iter().copied().fold(f64::MIN, f64::max),
        mean,
    )
}

#[test]
fn every_strength_is_spread_over_its_range() {
    let ranges = [
        (1, "jpeg", 70.0, 95.0),
        (1, "blur", 0.3, 0.8),
        (2, "jpeg", 40.0, 75.0),
        (2, "blur", 0.5, 1.5),
        (2, "noise", 3.0, 10.0),
        (2, "shift", -15.0, 15.0),
        (3, "jpeg", 15.0, 45.0),
        (3, "blur", 1.0, 3.0),
        (3, "noise", 8.0, 25.0),
        (3, "shift", -30.0, 30.0),
        (3, "contrast", 0.5, 1.5),
    ];
    for (level, kind, low, high) in ranges {
        let (least, most, mean) = strengths(level, kind);
        let (width, middle) = (high - low, (low + high) / 2.0);
        assert!(least >= low && least < low + 0.05 * width, "{kind} at {level}: {least}");
        assert!(most <= high && most > high - 0.05 * width, "{kind} at {level}: {most}");
        assert!((mean - middle).abs() < 0.02 * width, "{kind} at {level}: {mean}");
    }
}

#[test]
fn every_change_changes_a_frame_and_keeps_its_size() {
    let before: Vec<u8> = (0..3 * 20 * 30).map(|at| (at * 7 % 251) as u8).collect();
    let changes = [
        Change::Jpeg(30),
        Change::Blur(1.0),
        Change::Noise(5.0),
        Change::ColorShift([5.0, -5.0, 0.0]),
        Change::Contrast(0.5),
        Change::Flip,
    ];
    for change in changes {
        let apply = || {
            let mut after = before.clone();
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            change.apply(&mut Frame::new(&mut after, 20, 30), &mut rng);
            after
        };
        assert_ne!(apply(), before, "{change:?}");
        assert_eq!(apply(), apply(), "{change:?}");
    }
}
