//! Procedural sounds of six kinds. Pure: the same generator gives the same samples.

use std::f32::consts::TAU;

use rand::{Rng, RngExt as _};

use crate::sample::noise::{self, Lattice};
use crate::sample::tone::root_mean_square;

/// Samples per second of what is made here.
pub const RATE: u32 = 16_000;
/// Of the microphone, over the sound.
const FLOOR: std::ops::Range<f32> = 0.001..0.01;
/// Root mean square of a sound, full scale being 1.
const LEVEL: std::ops::Range<f32> = 0.03..0.12;

/// What a sound is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A voice: pulses through wandering formants, in syllables.
    Speech,
    /// Plucked notes with overtones.
    Melody,
    /// Noise whose pitch and strength wander.
    Wind,
    /// Short sweeps.
    Birds,
    /// A rough hum of many harmonics.
    Engine,
    /// Drops on a roof: short noises that fade.
    Rain,
}

impl Kind {
    /// All of them; one pair of data sets each.
    pub const ALL: [Self; 6] =
        [Self::Speech, Self::Melody, Self::Wind, Self::Birds, Self::Engine, Self::Rain];

    /// The word in names of data sets and recordings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Melody => "melody",
            Self::Wind => "wind",
            Self::Birds => "birds",
            Self::Engine => "engine",
            Self::Rain => "rain",
        }
    }
}

/// Renders so many samples of `kind`, as a microphone gives them.
pub fn render(kind: Kind, samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut sound = match kind {
        Kind::Speech => speech(samples, rng),
        Kind::Melody => melody(samples, rng),
        Kind::Wind => wind(samples, rng),
        Kind::Birds => birds(samples, rng),
        Kind::Engine => engine(samples, rng),
        Kind::Rain => rain(samples, rng),
    };
    // What falls between two notes is no silence either.
    let floor = root_mean_square(&sound) * rng.random_range(FLOOR) + f32::MIN_POSITIVE;
    sound.iter_mut().for_each(|sample| *sample += floor * noise::grain(rng));
    let factor = rng.random_range(LEVEL) / root_mean_square(&sound);
    sound.iter_mut().for_each(|sample| *sample *= factor);
    sound
}

fn seconds(at: usize) -> f32 {
    at as f32 / RATE as f32
}

/// A smooth curve between two values that turns about `rate` times a second.
fn wander<R: Rng>(
    rng: &mut R,
    range: std::ops::Range<f32>,
    rate: f32,
) -> impl Fn(f32) -> f32 + use<R> {
    let lattice = Lattice::draw(rng);
    move |t| range.start + (range.end - range.start) * lattice.fractal(t * rate, 0.5, 2)
}

/// Angles of an oscillator whose frequency, in hertz, changes with time.
fn angles(samples: usize, hertz: impl Fn(f32) -> f32) -> Vec<f32> {
    let turns = (0..samples).scan(0.0_f64, |turns, at| {
        *turns = (*turns + f64::from(hertz(seconds(at))) / f64::from(RATE)).fract();
        Some(TAU * *turns as f32)
    });
    turns.collect()
}

/// Harmonics of `pitch`. `spectrum` gives for a time how loud the harmonic of a number and frequency
/// is.
fn harmonics<S: Fn(u32, f32) -> f32>(
    samples: usize,
    pitch: impl Fn(f32) -> f32,
    spectrum: impl Fn(f32) -> S,
) -> Vec<f32> {
    /// Beyond it nothing is sung or hums.
    const HIGHEST: f32 = 5000.0;
    let angles = angles(samples, &pitch);
    let sample = |(at, angle): (usize, &f32)| -> f32 {
        let (base, loud) = (pitch(seconds(at)), spectrum(seconds(at)));
        let count = (HIGHEST / base) as u32;
        (1..=count).map(|n| loud(n, n as f32 * base) * (n as f32 * angle).sin()).sum()
    };
    angles.iter().enumerate().map(sample).collect()
}

fn speech(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let base = rng.random_range(90.0..220.0);
    let pitch = wander(rng, base * 0.8..base * 1.3, 2.0);
    let formants =
        [300.0..900.0, 900.0..2300.0, 2400.0..3400.0].map(|range| wander(rng, range, 4.0));
    let syllables = wander(rng, -0.6..1.4, 5.0);
    let resonance = |hertz: f32, centre: f32| 1.0 / (1.0 + ((hertz - centre) / 120.0).powi(2));
    harmonics(samples, pitch, |t| {
        let (open, centres) =
            (syllables(t).max(0.0), formants.each_ref().map(|formant| formant(t)));
        move |_, hertz| {
            let throat: f32 = centres.iter().map(|centre| resonance(hertz, *centre)).sum();
            open * (throat + 0.02) / (1.0 + hertz / 500.0)
        }
    })
}

fn engine(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    /// More than there are below the highest frequency.
    const HARMONICS: usize = 100;
    let base = rng.random_range(60.0..140.0);
    let body: Vec<f32> = (0..HARMONICS).map(|_| rng.random_range(0.0..1.0)).collect();
    let rough = wander(rng, 0.4..1.0, 30.0);
    let pitch = wander(rng, base * 0.9..base * 1.2, 1.5);
    harmonics(samples, pitch, |t| {
        let (rough, body) = (rough(t), &body);
        move |n, hertz| rough * body[n as usize] / (1.0 + (hertz / 300.0).powi(2))
    })
}

/// Adds to `sound` from a moment on what `shape` says of the seconds since then, for so many of them.
fn strike(sound: &mut [f32], start: f32, length: f32, mut shape: impl FnMut(f32) -> f32) {
    let from = (start * RATE as f32) as usize;
    let struck = sound.iter_mut().skip(from).take((length * RATE as f32) as usize);
    struck.enumerate().for_each(|(at, sample)| *sample += shape(seconds(at)));
}

/// Moments, about `each` seconds apart, from the beginning to the end.
fn moments(samples: usize, each: f32, rng: &mut impl Rng) -> Vec<f32> {
    let mut moments = vec![0.0];
    while moments[moments.len() - 1] < seconds(samples) {
        moments.push(moments[moments.len() - 1] + each * rng.random_range(0.5..1.5));
    }
    moments
}

fn melody(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut sound = vec![0.0; samples];
    let (key, bright) = (rng.random_range(110.0..330.0_f32), rng.random_range(0.3..0.8_f32));
    for start in moments(samples, 0.18, rng) {
        let hertz = key * (f32::from(rng.random_range(0..25_u8)) / 12.0).exp2();
        let (loud, fade) = (rng.random_range(0.3..1.0), rng.random_range(3.0..10.0));
        strike(&mut sound, start, 0.8, |t| {
            let tone = |n: i32| bright.powi(n) * (TAU * hertz * n as f32 * t).sin();
            loud * noise::fade(t * 200.0) * (-fade * t).exp() * (1..=6).map(tone).sum::<f32>()
        });
    }
    sound
}

fn birds(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut sound: Vec<f32> = wind(samples, rng).iter().map(|sample| sample * 0.1).collect();
    for start in moments(samples, 0.25, rng) {
        let (from, to) = (rng.random_range(1200.0..4500.0_f32), rng.random_range(1200.0..4500.0));
        let (length, loud) = (rng.random_range(0.05..0.2_f32), rng.random_range(0.3..1.0_f32));
        strike(&mut sound, start, length, |t| {
            let turns = from * t + (to - from) * t * t / (2.0 * length);
            loud * (TAU * turns).sin() * (TAU / 2.0 * t / length).sin()
        });
    }
    sound
}

/// Noise through a filter that wanders.
fn wind(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let (cut, strength) = (wander(rng, 100.0..900.0, 1.0), wander(rng, 0.2..1.0, 2.0));
    let noise: Vec<f32> = (0..samples).map(|_| noise::grain(rng)).collect();
    let blown = muffle(&noise, cut);
    blown.iter().enumerate().map(|(at, sample)| strength(seconds(at)) * sample).collect()
}

/// Drops on a roof.
fn rain(samples: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut sound = vec![0.0; samples];
    for start in moments(samples, 0.02, rng) {
        let (fade, loud) = (rng.random_range(80.0..600.0_f32), rng.random_range(0.1..1.0_f32));
        strike(&mut sound, start, 0.05, |t| loud * (-fade * t).exp() * noise::grain(rng));
    }
    let roof = wander(rng, 300.0..1500.0, 0.5);
    muffle(&sound, roof)
}

/// Takes away what is above a frequency, in hertz: two filters of one pole each.
fn muffle(sound: &[f32], cut: impl Fn(f32) -> f32) -> Vec<f32> {
    let muffled = sound.iter().enumerate().scan([0.0; 2], |[first, second], (at, sample)| {
        let share = 1.0 - (-TAU * cut(seconds(at)) / RATE as f32).exp();
        *first += share * (sample - *first);
        *second += share * (*first - *second);
        Some(*second)
    });
    muffled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn rendered(kind: Kind, seed: u64) -> Vec<f32> {
        render(kind, RATE as usize, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn the_same_seed_gives_the_same_sound_and_another_seed_another() {
        for kind in Kind::ALL {
            assert!(rendered(kind, 1) == rendered(kind, 1), "{kind:?}");
            assert!(rendered(kind, 1) != rendered(kind, 2), "{kind:?}");
        }
    }

    #[test]
    fn every_sound_is_heard_and_rarely_clipped() {
        for kind in Kind::ALL {
            for seed in 0..4 {
                let sound = rendered(kind, seed);
                let clipped = sound.iter().filter(|sample| sample.abs() >= 1.0).count();
                let level = root_mean_square(&sound);
                assert!(clipped < sound.len() / 1000, "{kind:?} {seed}: {clipped} clipped");
                assert!(
                    (LEVEL.start * 0.99..LEVEL.end * 1.01).contains(&level),
                    "{kind:?} {level}"
                );
            }
        }
    }
}
