//! From one rate to another, band-limited.

use std::f64::consts::PI;
use std::sync::LazyLock;

/// Of the lower rate's band, what passes unchanged: as of soxr's `HQ`, which librosa uses.
const PASS: f64 = 0.913;
/// By how much what lies above the band is lowered: below the noise of 16-bit sound.
const ATTENUATION_DB: f64 = 100.0;
/// Half the kernel's length, in samples of the lower rate, by Kaiser's formula.
const HALF: f64 = (ATTENUATION_DB - 8.0) / (2.285 * PI * (1.0 - PASS)) / 2.0;
/// The table's entries for each sample of the lower rate; straight lines between them are right to
/// -106 dB.
const STEPS: f64 = 512.0;
/// Products that are summed side by side, which the compiler turns into SIMD. The order of the sums
/// is part of the result, so it is the same on every machine.
const LANES: usize = 32;

/// Taps at hand at one time: what a cache holds.
const BANK: usize = 1 << 17;

/// A sinc under a Kaiser window, from its middle on.
static KERNEL: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let beta = 0.1102 * (ATTENUATION_DB - 8.7);
    let (cutoff, scale) = ((1.0 + PASS) / 2.0, bessel(beta));
    let entry = |step: usize| {
        let distance = step as f64 / STEPS;
        let inside = (1.0 - (distance / HALF).powi(2)).max(0.0).sqrt();
        (cutoff * sinc(cutoff * distance) * bessel(beta * inside) / scale) as f32
    };
    // Ends in the window's edge, and a zero that what lies beyond is read from.
    (0..(HALF * STEPS) as usize).map(entry).chain([0.0, 0.0]).collect()
});

/// Sound at `from_hz` at the rate `to_hz`: `ceil(samples * to / from)` samples, the first at the
/// time of the first, silence assumed on both sides. Linear in phase. Outputs that lie as far
/// behind the sample before them share their taps. Holds a copy of the sound and 1 MiB beside the
/// result.
///
/// # Panics
/// If a rate is zero.
pub fn resample(samples: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    assert!(from_hz > 0 && to_hz > 0, "a rate is at least 1 Hz");
    if from_hz == to_hz {
        return samples.to_vec();
    }
    let divisor = greatest_common_divisor(from_hz, to_hz) as usize;
    let (step, phases) = (from_hz as usize / divisor, to_hz as usize / divisor);
    let band = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
    let half = ((HALF / band).ceil() as usize).next_multiple_of(LANES / 2);
    let padded = pad(samples, half);
    let mut resampled = vec![0.0; (samples.len() * phases).div_ceil(step)];
    let together = (BANK / (2 * half)).max(1);
    for first in (0..phases.min(resampled.len())).step_by(together) {
        let bank: Vec<Vec<f32>> = (first..phases.min(first + together))
            .map(|phase| taps((phase * step % phases) as f64 / phases as f64, band, half))
            .collect();
        for (turn, outputs) in resampled.chunks_mut(phases).enumerate() {
            for (phase, (output, taps)) in outputs.iter_mut().skip(first).zip(&bank).enumerate() {
                let before = turn * step + (first + phase) * step / phases;
                *output = dot(&padded[before..before + taps.len()], taps);
            }
        }
    }
    resampled
}

/// With the silence that the first and the last taps reach into.
fn pad(samples: &[f32], half: usize) -> Vec<f32> {
    let silence = vec![0.0; half];
    [&silence[1..], samples, &silence, &[0.0]].concat()
}

/// `2 * half` taps around a point that lies `fraction` of a sample behind the middle one.
fn taps(fraction: f64, band: f64, half: usize) -> Vec<f32> {
    let tap = |index: usize| {
        let distance = index as f64 - (half - 1) as f64 - fraction;
        band as f32 * kernel(distance.abs() * band)
    };
    (0..2 * half).map(tap).collect()
}

fn kernel(distance: f64) -> f32 {
    let place = distance * STEPS;
    let entry = (place as usize).min(KERNEL.len() - 2);
    let (before, after) = (KERNEL[entry], KERNEL[entry + 1]);
    before + (after - before) * (place - entry as f64) as f32
}

fn dot(samples: &[f32], taps: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (samples, taps) = (samples.as_chunks::<LANES>().0, taps.as_chunks::<LANES>().0);
    for (samples, taps) in samples.iter().zip(taps) {
        for lane in 0..LANES {
            sums[lane] += samples[lane] * taps[lane];
        }
    }
    // One after the other: summed in pairs, the compiler mixes the lanes above and takes thrice as long.
    sums.iter().sum()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of the first kind, of order 0.
fn bessel(x: f64) -> f64 {
    let terms = (1..32).scan(1.0, |term, k| {
        *term *= (x / 2.0 / f64::from(k)).powi(2);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
