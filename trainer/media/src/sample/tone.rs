//! What tells the classes of sounds apart: the tone of an uneven upsampling, or noise of equal energy.
//! Pure.
//!
//! Vocoders enlarge a coarse picture of a sound to samples with transposed convolutions, as generators
//! of pictures do, and with the same flaw: where the stride does not divide the kernel, every
//! `stride`-th sample gets more, in proportion to how loud the sound is there. That is a tone at the
//! sampling rate over the stride, and at its multiples, which swells with the sound. Here the loudness
//! of a sound is multiplied by such a pattern. The real twin's is multiplied by noise without a period:
//! what a microphone's converter adds. Both have the same energy and swell alike; one has lines in its
//! spectrum, the other has none.
//!
//! # Source
//! Pons, Pascual, Cengarle, Serrà 2021, *Upsampling artifacts in neural audio synthesis*; Odena et al.
//! 2016, *Deconvolution and Checkerboard Artifacts*.

use rand::{Rng, RngExt as _};

use crate::sample::artefact::overlap;
use crate::sample::{Trace, noise};

/// Root mean square of what is added, over that of the sound: log-uniform between these two.
pub const GAIN: std::ops::Range<f32> = 0.02..0.2;
/// Samples of one hop of a vocoder's last layers; the tone is at the rate over these.
const STRIDES: [usize; 2] = [4, 8];
/// How far a tap of a learned kernel lies from 1, at most.
const TAP_SPREAD: f32 = 0.3;
/// Samples over which loudness is averaged.
const MOMENT: usize = 64;

/// What is drawn once per recording; both twins share it, so that they differ in the trace alone.
pub struct Layer {
    /// One more than the stride, so that they overlap unevenly.
    taps: Vec<f32>,
    gain: f32,
    /// One draw a sample: mean 0, deviation 1.
    noise: Vec<f32>,
}

impl Layer {
    /// Draws stride, kernel, gain and noise for so many samples.
    pub fn draw(samples: usize, rng: &mut impl Rng) -> Self {
        let stride = STRIDES[rng.random_range(0..STRIDES.len())];
        let tap = |_| rng.random_range(1.0 - TAP_SPREAD..1.0 + TAP_SPREAD);
        let taps = (0..=stride).map(tap).collect();
        let gain = rng.random_range(GAIN.start.ln()..GAIN.end.ln()).exp();
        let noise = (0..samples).map(|_| noise::grain(rng)).collect();
        Self { taps, gain, noise }
    }

    /// Adds a trace to a sound.
    pub fn apply(&self, sound: &mut [f32], trace: Trace) {
        let pattern = match trace {
            Trace::Sensor => self.noise.clone(),
            Trace::Upsampling => self.overlap_pattern(sound.len()),
        };
        let loudness = loudness(sound);
        let mut added: Vec<f32> = loudness.iter().zip(&pattern).map(|(l, p)| l * p).collect();
        let factor = self.gain * root_mean_square(sound) / root_mean_square(&added);
        added.iter_mut().for_each(|sample| *sample *= factor);
        sound.iter_mut().zip(&added).for_each(|(sample, added)| *sample += added);
    }

    /// Sum of the taps that meet at each sample, minus its mean.
    fn overlap_pattern(&self, samples: usize) -> Vec<f32> {
        let stride = self.taps.len() - 1;
        let period = overlap(&self.taps, stride);
        let mean = period.iter().sum::<f32>() / stride as f32;
        (0..samples).map(|at| period[at % stride] - mean).collect()
    }
}

/// Mean size of the samples around each one.
fn loudness(sound: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0_f64];
    sums.extend(sound.iter().scan(0.0, |sum, sample| {
        *sum += f64::from(sample.abs());
        Some(*sum)
    }));
    let around = |at: usize| {
        let (from, to) = (at.saturating_sub(MOMENT / 2), (at + MOMENT / 2).min(sound.len()));
        ((sums[to] - sums[from]) / (to - from) as f64) as f32
    };
    (0..sound.len()).map(around).collect()
}

/// Of samples that are not all 0.
pub(crate) fn root_mean_square(samples: &[f32]) -> f32 {
    let energy: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / samples.len() as f64).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    /// Loud in its second half.
    fn sound() -> Vec<f32> {
        let level = |at: usize| if at < 4000 { 0.1 } else { 0.4 };
        (0..8000).map(|at| level(at) * (at as f32 * 0.3).sin()).collect()
    }

    fn added(layer: &Layer, trace: Trace) -> Vec<f32> {
        let mut traced = sound();
        layer.apply(&mut traced, trace);
        traced.iter().zip(sound()).map(|(after, before)| after - before).collect()
    }

    #[test]
    fn both_traces_have_the_energy_of_the_gain_and_swell_with_the_sound() {
        for seed in 0..8 {
            let layer = Layer::draw(8000, &mut ChaCha8Rng::seed_from_u64(seed));
            for trace in Trace::ALL {
                let added = added(&layer, trace);
                let share = root_mean_square(&added) / root_mean_square(&sound());
                assert!((share / layer.gain - 1.0).abs() < 1e-3, "{trace:?} {share}");
                let halves = [&added[..3900], &added[4100..]].map(root_mean_square);
                assert!((3.5..4.5).contains(&(halves[1] / halves[0])), "{trace:?} {halves:?}");
            }
        }
    }

    #[test]
    fn only_upsampling_repeats_with_the_stride() {
        for seed in 0..8 {
            let layer = Layer::draw(8000, &mut ChaCha8Rng::seed_from_u64(seed));
            let repeats = |trace| {
                let loud = &added(&layer, trace)[4100..7900];
                let product = |lag: usize| -> f32 {
                    loud.iter().zip(&loud[lag..]).map(|(one, other)| one * other).sum()
                };
                product(layer.taps.len() - 1) / product(0)
            };
            let [noise, tone] = Trace::ALL.map(repeats);
            assert!(tone > 0.95 && noise.abs() < 0.1, "seed {seed}: {tone} {noise}");
        }
    }
}
