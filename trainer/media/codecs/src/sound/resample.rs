//! From one rate to another, band-limited.

use std::f64::consts::PI;

/// Of the lower rate's band, what passes unchanged: as of soxr's `HQ`, which librosa uses.
const PASS: f64 = 0.913;
/// By how much what lies above the band is lowered: below the noise of 16-bit sound.
const ATTENUATION_DB: f64 = 100.0;
/// Entries of the window's table, between which it is a straight line to 1e-7.
const STEPS: usize = 4096;
/// Products that are summed side by side, which the compiler turns into SIMD.
const LANES: usize = 8;

/// Sound at `from_hz` at the rate `to_hz`: `ceil(samples * to / from)` samples, the first at the time
/// of the first, silence assumed on both sides. A Kaiser-windowed sinc, linear in phase; the sum over
/// its taps is the only memory beyond the result and a copy of the sound.
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
    let kernel = Kernel::new(from_hz, to_hz);
    let padded = kernel.pad(samples);
    let mut resampled = vec![0.0; (samples.len() * phases).div_ceil(step)];
    // Outputs whose distance to the sample before them is the same share their taps.
    for first in 0..phases.min(resampled.len()) {
        let taps = kernel.taps((first * step % phases) as f64 / phases as f64);
        let outputs = resampled.iter_mut().skip(first).step_by(phases);
        for (turn, output) in outputs.enumerate() {
            let before = first * step / phases + turn * step;
            *output = dot(&padded[before..before + taps.len()], &taps);
        }
    }
    resampled
}

struct Kernel {
    /// Cut-off over the Nyquist frequency of the source.
    cutoff: f64,
    /// Taps on either side.
    half: usize,
    window: Vec<f64>,
}

impl Kernel {
    fn new(from_hz: u32, to_hz: u32) -> Self {
        let band = (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
        // Kaiser's formulas for the length and the shape of a window.
        let taps = (ATTENUATION_DB - 8.0) / (2.285 * PI * (1.0 - PASS) * band);
        let beta = 0.1102 * (ATTENUATION_DB - 8.7);
        let at = |step: usize| (1.0 - (step as f64 / STEPS as f64).powi(2)).max(0.0).sqrt();
        let window = (0..=STEPS).map(|step| bessel(beta * at(step)) / bessel(beta)).collect();
        let half = ((taps / 2.0).ceil() as usize).next_multiple_of(LANES / 2);
        Self { cutoff: band * (1.0 + PASS) / 2.0, half, window }
    }

    /// With the silence that the first and the last taps reach into.
    fn pad(&self, samples: &[f32]) -> Vec<f32> {
        let silence = vec![0.0; self.half];
        [&silence[1..], samples, &silence, &[0.0]].concat()
    }

    /// `2 * half` taps around a point that lies `fraction` of a sample behind the middle one.
    fn taps(&self, fraction: f64) -> Vec<f32> {
        let tap = |index: usize| {
            let distance = index as f64 - (self.half - 1) as f64 - fraction;
            (self.cutoff * sinc(self.cutoff * distance) * self.weight(distance)) as f32
        };
        (0..2 * self.half).map(tap).collect()
    }

    fn weight(&self, distance: f64) -> f64 {
        let place = (distance.abs() / self.half as f64).min(1.0) * STEPS as f64;
        let step = (place as usize).min(STEPS - 1);
        let (before, after) = (self.window[step], self.window[step + 1]);
        before + (after - before) * (place - step as f64)
    }
}

fn dot(samples: &[f32], taps: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (samples, taps) = (samples.as_chunks::<LANES>().0, taps.as_chunks::<LANES>().0);
    for (samples, taps) in samples.iter().zip(taps) {
        for lane in 0..LANES {
            sums[lane] += samples[lane] * taps[lane];
        }
    }
    sums.iter().sum()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of the first kind, of order 0.
fn bessel(x: f64) -> f64 {
    let terms = (1..64).scan(1.0, |term, k| {
        *term *= (x / 2.0 / f64::from(k)).powi(2);
        Some(*term)
    });
    1.0 + terms.sum::<f64>()
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
