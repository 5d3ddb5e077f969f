//! What a sound is like: for each moment one word, which tells in which bands energy rises against
//! the next band and the moment before.
//!
//! # Source
//! Haitsma, Kalker 2002, *A Highly Robust Audio Fingerprinting System*: bands, frame length, hop and
//! the limit on the bit error rate.

use dfr_kernels::Spectrum;

/// Differing bits, as a share, below which two sounds are the same one.
pub const SAME: f64 = 0.35;
/// Bits of a word; there is one band more.
const BITS: usize = 32;
/// Edges of the bands, in hertz: what every codec keeps.
const BAND_EDGES: (f64, f64) = (300.0, 2000.0);
/// Length of a frame, in seconds.
const FRAME: f64 = 0.37;
/// Frames begin every 1 / 32 of a frame, so that where a copy was cut matters little.
const OVERLAP: usize = 32;
/// Words by which two sounds may be shifted against each other: about a second.
const MOST_SHIFT: usize = 86;
/// Words, about a second, below which there is too little to compare.
const ENOUGH: usize = 86;
/// Root mean square of a frame, full scale being 1, below which it is silence.
const SILENCE: f64 = 1e-4;

/// One word for each moment; none where it is silent or nothing came before.
pub type Words = Vec<Option<u32>>;

/// The words of mono samples in -1..=1 at `rate` samples a second. None at all where the sound is
/// shorter than a frame.
pub fn words(samples: &[f32], rate: u32) -> Words {
    let length = (FRAME * f64::from(rate)) as usize;
    let bands: Vec<Option<[f64; BITS + 1]>> = spectra(samples, length)
        .into_iter()
        .map(|spectrum| spectrum.map(|powers| energies(&powers, f64::from(rate) / length as f64)))
        .collect();
    let word = |pair: &[Option<[f64; BITS + 1]>]| Some(word(pair[0].as_ref()?, pair[1].as_ref()?));
    bands.windows(2).map(word).collect()
}

/// Least share of differing bits over all shifts; none when there is too little to compare.
pub fn distance(one: &[Option<u32>], other: &[Option<u32>]) -> Option<f64> {
    let later = |shift: usize| error_rate(one.get(shift..)?, other);
    let earlier = |shift: usize| error_rate(one, other.get(shift..)?);
    let rates = (0..=MOST_SHIFT).flat_map(|shift| [later(shift), earlier(shift)]);
    rates.flatten().min_by(f64::total_cmp)
}

/// Share of differing bits of the words that both have.
fn error_rate(one: &[Option<u32>], other: &[Option<u32>]) -> Option<f64> {
    let both = one.iter().zip(other).filter_map(|(a, b)| Some((*a)? ^ (*b)?));
    let (words, bits) =
        both.fold((0_usize, 0_u32), |(words, bits), word| (words + 1, bits + word.count_ones()));
    (words >= ENOUGH).then(|| f64::from(bits) / (words * BITS) as f64)
}

/// Power spectra of overlapping frames; none for a silent one.
fn spectra(samples: &[f32], length: usize) -> Vec<Option<Vec<f64>>> {
    if length < OVERLAP || samples.len() < length {
        return Vec::new();
    }
    let spectrum = Spectrum::new(length);
    let powers = |frame: &[f32]| {
        let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        ((energy / length as f64).sqrt() >= SILENCE).then(|| spectrum.powers(frame))
    };
    samples.windows(length).step_by(length / OVERLAP).map(powers).collect()
}

/// Logarithm of the energy in each band, the bands being equally wide to the ear. `hertz` is the
/// distance of two powers.
fn energies(powers: &[f64], hertz: f64) -> [f64; BITS + 1] {
    let (low, high) = BAND_EDGES;
    let edge = |band: usize| {
        let frequency = low * (high / low).powf(band as f64 / (BITS + 1) as f64);
        ((frequency / hertz) as usize).min(powers.len() - 1)
    };
    let mut energies = [0.0; BITS + 1];
    for (band, energy) in energies.iter_mut().enumerate() {
        let from = edge(band);
        let sum: f64 = powers[from..edge(band + 1).max(from + 1)].iter().sum();
        *energy = sum.max(f64::MIN_POSITIVE).ln();
    }
    energies
}

fn word(before: &[f64; BITS + 1], now: &[f64; BITS + 1]) -> u32 {
    let rises = |band: usize| now[band] - now[band + 1] > before[band] - before[band + 1];
    (0..BITS).fold(0, |word, band| (word << 1) | u32::from(rises(band)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    const RATE: u32 = 8000;

    /// Four seconds of notes that come and go, with overtones.
    fn melody(seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let notes: Vec<(f64, f64, f64)> = (0..60)
            .map(|_| {
                (
                    rng.random_range(0.0..4.0),
                    rng.random_range(150.0..1200.0),
                    rng.random_range(0.05..0.3),
                )
            })
            .collect();
        let sample = |at: u32| {
            let t = f64::from(at) / f64::from(RATE);
            let heard = |(start, _, length): &&(f64, f64, f64)| (t - start).abs() < 4.0 * length;
            let tone = |(start, hertz, length): &(f64, f64, f64)| {
                let rise = (-((t - start) / length).powi(2)).exp();
                let overtone = |n: f64| (std::f64::consts::TAU * hertz * n * t).sin() / n;
                rise * (1..=4).map(|n| overtone(f64::from(n))).sum::<f64>()
            };
            (0.05 * notes.iter().filter(heard).map(tone).sum::<f64>()) as f32
        };
        (0..4 * RATE).map(sample).collect()
    }

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn a_louder_a_noisy_and_a_shifted_copy_are_the_same_sound() {
        for seed in 0..2 {
            let original = melody(seed);
            let known = words(&original, RATE);
            let to = |copy: &[f32]| distance(&known, &words(copy, RATE)).unwrap();
            let quieter: Vec<f32> = original.iter().map(|s| s * 0.2).collect();
            assert!(to(&quieter) < 0.001, "seed {seed}");
            let mut rng = ChaCha8Rng::seed_from_u64(seed + 100);
            // 20 dB below the sound; uniform noise of amplitude a has a root mean square of a / √3.
            let amplitude = 3.0_f32.sqrt() * rms(&original) / 10.0;
            let noisy: Vec<f32> =
                original.iter().map(|s| s + rng.random_range(-amplitude..amplitude)).collect();
            let noise = to(&noisy);
            assert!(noise < SAME, "seed {seed}: {noise}");
            for cut in [40, 3210] {
                let shift = to(&original[cut..]);
                assert!(shift < SAME, "seed {seed}, {cut} samples: {shift}");
            }
        }
    }

    #[test]
    fn other_sounds_differ_in_about_half_of_the_bits() {
        let sounds: Vec<Words> = (0..5).map(|seed| words(&melody(seed), RATE)).collect();
        for (i, one) in sounds.iter().enumerate() {
            for other in &sounds[..i] {
                let distance = distance(one, other).unwrap();
                assert!((SAME + 0.03..0.6).contains(&distance), "{distance}");
            }
        }
    }

    #[test]
    fn silence_and_short_sounds_are_not_comparable() {
        let silence = words(&vec![0.0; 4 * RATE as usize], RATE);
        assert!(!silence.is_empty() && silence.iter().all(Option::is_none));
        assert_eq!(distance(&silence, &silence), None);
        let short = words(&melody(1)[..RATE as usize], RATE);
        assert_eq!(distance(&short, &short), None);
        assert!(words(&[0.1; 100], RATE).is_empty() && words(&[], RATE).is_empty());
    }
}
