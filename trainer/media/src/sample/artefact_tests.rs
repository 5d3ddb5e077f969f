use super::*;
use crate::sample::clips::STRENGTH;
use crate::sample::scene::SIDE;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

fn layer(seed: u64) -> Layer {
    Layer::draw([SIDE; 2], &STRENGTH, &mut ChaCha8Rng::seed_from_u64(seed))
}

/// Dark on the left, bright on the right; two frames.
fn frames() -> Vec<Frame> {
    let row = (0..SIDE).map(|x| [if x < SIDE / 2 { 50.0 } else { 200.0 }; 3]);
    let frame: Frame = std::iter::repeat_with(|| row.clone()).take(SIDE).flatten().collect();
    vec![frame.clone(), frame]
}

/// What a trace adds to the first frame.
fn residual(layer: &Layer, trace: Trace) -> Vec<f32> {
    let mut traced = frames();
    layer.apply(&mut traced, trace);
    traced[0].iter().zip(&frames()[0]).map(|(after, before)| after[1] - before[1]).collect()
}

fn root_mean_square(values: &[f32]) -> f32 {
    (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt()
}

/// Correlation of the bright half with itself, moved across by `lag`.
fn correlation(residual: &[f32], lag: usize) -> f32 {
    let inside = |i: &usize| (SIDE / 2 + 8..SIDE - 8).contains(&(i % SIDE));
    let places: Vec<usize> = (0..SIDE * SIDE).filter(inside).collect();
    let product = |lag: usize| places.iter().map(|i| residual[*i] * residual[i + lag]).sum::<f32>();
    product(lag) / product(0)
}

#[test]
fn both_traces_have_the_energy_of_the_gain() {
    for seed in 0..8 {
        let layer = layer(seed);
        for trace in [Trace::Sensor, Trace::Upsampling] {
            let energy = root_mean_square(&residual(&layer, trace));
            assert!((energy / layer.gain - 1.0).abs() < 1e-3, "{trace:?} {energy}");
        }
    }
}

#[test]
fn only_upsampling_repeats_with_the_stride() {
    for seed in 0..8 {
        let layer = layer(seed);
        let upsampling = correlation(&residual(&layer, Trace::Upsampling), layer.stride);
        let sensor = correlation(&residual(&layer, Trace::Sensor), layer.stride);
        assert!(upsampling > 0.95 && sensor.abs() < 0.1, "{upsampling} {sensor}");
    }
}

#[test]
fn both_traces_scale_with_brightness() {
    let layer = layer(1);
    for trace in [Trace::Sensor, Trace::Upsampling] {
        let residual = residual(&layer, trace);
        let half = |bright: bool| -> Vec<f32> {
            let inside = |(i, _): &(usize, &f32)| (i % SIDE >= SIDE / 2) == bright;
            residual.iter().enumerate().filter(inside).map(|(_, v)| *v).collect()
        };
        let ratio = root_mean_square(&half(true)) / root_mean_square(&half(false));
        assert!((3.5..4.5).contains(&ratio), "{trace:?} {ratio}");
    }
}

#[test]
fn a_kernel_that_the_stride_does_not_divide_overlaps_unevenly() {
    assert_eq!(overlap(&[1.0; 3], 2), [2.0, 1.0]);
    assert_eq!(overlap(&[1.0; 5], 4), [2.0, 1.0, 1.0, 1.0]);
    assert_eq!(overlap(&[1.0; 4], 2), [2.0, 2.0]);
}

#[test]
fn an_even_upsampling_of_a_flat_picture_is_flat() {
    let flat = vec![[100.0; 3]; SIDE * SIDE];
    let layer = layer(2);
    assert!(layer.brightness(&flat).iter().all(|level| (level - 100.0).abs() < 1e-3));
}

#[test]
fn a_picture_need_not_be_square() {
    let size = [36, 24];
    let strength = Strength { strides: [3, 4], gain: 1.0..2.0 };
    for seed in 0..4 {
        let layer = Layer::draw(size, &strength, &mut ChaCha8Rng::seed_from_u64(seed));
        let mut picture = vec![vec![[100.0; 3]; 36 * 24]];
        layer.apply(&mut picture, Trace::Upsampling);
        let at = |x: usize, y: usize| picture[0][y * 36 + x][0];
        let repeats = (at(1, 2) - at(1 + layer.stride, 2)).abs() < 1e-3;
        assert!(repeats && (at(5, 1) - at(5, 1 + layer.stride)).abs() < 1e-3, "seed {seed}");
        assert!((0..36).any(|x| (at(x, 0) - 100.0).abs() > 0.1), "seed {seed}");
    }
}
