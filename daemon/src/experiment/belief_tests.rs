use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::*;

const NOISE: f64 = 0.004;

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

#[test]
fn chances_of_every_world_add_up_and_effects_grow() {
    assert_eq!(WORLD.len(), WORLDS);
    for world in WORLD.iter() {
        let sum: f64 = world.iter().sum();
        assert!((sum - 1.0).abs() < 1e-9 && world.iter().all(|chance| *chance >= 0.0), "{sum}");
    }
    assert!(EFFECT.windows(2).all(|pair| pair[0] < pair[1]));
    assert!((EFFECT[ON_A_SIDE], EFFECT[ON_A_SIDE + 1]) == (0.0, SMALLEST));
}

#[test]
fn what_is_kept_is_believed_to_be_worse_than_it_scored() {
    let mut belief = Belief::new(0.8, NOISE);
    let effect = belief.effect(0.81, 1);
    assert!(effect.mean > 0.0 && effect.mean < 0.01, "{effect:?}");
    belief.take_in(0.81, 1, true);
    let Estimate { mean, variance } = belief.incumbent();
    assert!(mean > 0.8 && mean < 0.81, "{mean}");
    assert!(variance < NOISE * NOISE, "{variance}");
}

/// Noise may be next to nothing, and a baseline may not have learned yet.
#[test]
fn a_leap_or_a_fall_beyond_all_effects_is_believed_for_what_it_is() {
    for (score, helps) in [(0.9, 1.0), (0.101, 1.0), (0.099, 0.0), (0.01, 0.0)] {
        let mut belief = Belief::new(0.1, 1e-5);
        let effect = belief.effect(score, 1);
        assert!((effect.helps - helps).abs() < 1e-6, "{score}: {effect:?}");
        assert!((effect.mean - (score - 0.1)).abs() < 1e-4, "{score}: {effect:?}");
        belief.take_in(score, 1, helps > 0.5);
        let incumbent = if helps > 0.5 { score } else { 0.1 };
        assert!((belief.incumbent().mean - incumbent).abs() < 1e-4, "{belief:?}");
    }
}

#[test]
fn two_runs_say_more_than_one_of_the_same_mean() {
    let belief = Belief::new(0.8, NOISE);
    let (one, two) = (belief.effect(0.806, 1), belief.effect(0.806, 2));
    assert!(two.helps > one.helps && two.mean > one.mean, "{one:?} {two:?}");
}

/// An incumbent that was lucky by two standard deviations: ideas that do nothing score lower than it.
#[test]
fn discards_tell_that_an_incumbent_was_lucky() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (truth, lucky) = (0.8, 0.8 + 2.0 * NOISE);
    let mut belief = Belief::new(lucky, NOISE);
    for _ in 0..100 {
        belief.take_in(truth + 0.0005 * normal(&mut rng) + NOISE * normal(&mut rng), 1, false);
    }
    let mean = belief.incumbent().mean;
    assert!((mean - truth).abs() < (lucky - mean).abs(), "{mean}");
}

#[test]
fn measured_again_it_is_the_mean_of_its_scores() {
    let mut belief = Belief::new(0.80, NOISE);
    for score in [0.81, 0.79, 0.82] {
        belief.measured_again(score);
    }
    let Estimate { mean, variance } = belief.incumbent();
    assert!((mean - 0.805).abs() < 1e-12, "{mean}");
    assert!((variance - NOISE * NOISE / 4.0).abs() < 1e-15, "{variance}");
}

/// Only differences in units of the noise matter.
#[test]
fn scores_on_another_scale_are_believed_alike() {
    let (mut one, mut other) = (Belief::new(0.8, 0.004), Belief::new(-3.0, 0.4));
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for n in 0..20 {
        let difference = normal(&mut rng);
        one.take_in(0.8 + 0.004 * difference, 1, n % 3 == 0);
        other.take_in(-3.0 + 0.4 * difference, 1, n % 3 == 0);
    }
    let (one, other) = (one.incumbent(), other.incumbent());
    assert!(((one.mean - 0.8) / 0.004 - (other.mean + 3.0) / 0.4).abs() < 1e-6);
    assert!((one.variance / 0.004f64.powi(2) - other.variance / 0.4f64.powi(2)).abs() < 1e-6);
}

/// Whatever is scored, nothing that is believed is not a number.
#[test]
fn absurd_scores_leave_a_belief() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut belief = Belief::new(0.8, NOISE);
    for _ in 0..200 {
        let score = 10f64.powi(rng.random_range(-3..6)) * normal(&mut rng);
        belief.take_in(score, 1, rng.random_bool(0.3));
        let Estimate { mean, variance } = belief.incumbent();
        assert!(mean.is_finite() && variance.is_finite() && variance > 0.0, "{mean} {variance}");
        let helps = belief.effect(score, 1).helps;
        assert!((0.0..=1.0).contains(&helps), "{helps}");
    }
}
