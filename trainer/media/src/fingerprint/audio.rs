//! What a sound is like: for each moment one word, which tells in which bands energy rises against
//! the next band and the moment before.
//!
//! # Source
//! Haitsma, Kalker 2002, *A Highly Robust Audio Fingerprinting System*: bands, frame length, hop and
//! the limit on the bit error rate.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use dfr_kernels::Spectrum;

/// Differing bits, as a share, below which two sounds are the same one.
const SAME: f64 = 0.35;
/// Bits of a word; there is one band more.
const BITS: usize = 32;
/// Edges of the bands, in hertz: what every codec keeps.
const BAND_EDGES: (f64, f64) = (300.0, 2000.0);
/// Length of a frame, in seconds.
const FRAME: f64 = 0.37;
/// Frames begin every 1 / 32 of a frame, so that where a copy was cut matters little.
const OVERLAP: usize = 32;
/// Words by which two sounds may be shifted against each other: about a second.
const MOST_SHIFT: i64 = 86;
/// Words, about a second, below which there is too little to compare.
const ENOUGH: usize = 86;
/// Root mean square of a frame, full scale being 1, below which it is silence.
const SILENCE: f64 = 1e-4;

/// Text of a word that is not there.
const SILENT: &str = "--------";

/// One word for each moment; none where it is silent or nothing came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound(pub Arc<[Option<u32>]>);

/// Text that is no [`Sound`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not words of 8 hex digits (or {SILENT})")]
pub struct NoSound;

impl Sound {
    /// The words of mono samples in -1..=1 at `rate` samples a second. None at all where the sound is
    /// shorter than a frame.
    pub fn of_samples(samples: &[f32], rate: u32) -> Self {
        let length = (FRAME * f64::from(rate)) as usize;
        let hertz = f64::from(rate) / length as f64;
        let bands: Vec<Option<[f64; BITS + 1]>> = spectra(samples, length)
            .into_iter()
            .map(|spectrum| spectrum.map(|powers| energies(&powers, hertz)))
            .collect();
        let word =
            |pair: &[Option<[f64; BITS + 1]>]| Some(word(pair[0].as_ref()?, pair[1].as_ref()?));
        Self(bands.windows(2).map(word).collect())
    }

    /// Whether both are the same sound where word `shift` of this one is the first of the other; no
    /// when there is too little to compare.
    pub fn alike(&self, other: &Self, shift: i64) -> bool {
        shift.abs() <= MOST_SHIFT && self.error_rate(other, shift).is_some_and(|rate| rate < SAME)
    }

    /// Words by which a sound is looked up, each with the first place where it stands: one in four,
    /// which a copy has too, and never 0, the word of a spectrum that stands still.
    ///
    /// # Source
    /// Haitsma, Kalker 2002: a copy is found by one word without an error.
    pub fn landmarks(&self) -> impl Iterator<Item = (u32, i64)> {
        let mut seen = std::collections::HashSet::new();
        let words = (0..).zip(self.0.iter()).filter_map(|(at, word)| Some(((*word)?, at)));
        words.filter(move |(word, _)| word % 4 == 1 && seen.insert(*word))
    }

    fn error_rate(&self, other: &Self, shift: i64) -> Option<f64> {
        let by = usize::try_from(shift.unsigned_abs()).ok()?;
        match shift {
            0.. => error_rate(self.0.get(by..)?, &other.0),
            _ => error_rate(&self.0, other.0.get(by..)?),
        }
    }
}

impl fmt::Display for Sound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|word| match word {
            Some(word) => write!(f, "{word:08x}"),
            None => f.write_str(SILENT),
        })
    }
}

impl FromStr for Sound {
    type Err = NoSound;

    fn from_str(text: &str) -> Result<Self, NoSound> {
        let word = |cell: &[u8]| match std::str::from_utf8(cell) {
            Ok(SILENT) => Ok(None),
            Ok(hex) if hex.len() == SILENT.len() => {
                u32::from_str_radix(hex, 16).map(Some).map_err(|_| NoSound)
            }
            _ => Err(NoSound),
        };
        text.as_bytes().chunks(SILENT.len()).map(word).collect::<Result<_, _>>().map(Self)
    }
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
#[path = "audio_tests.rs"]
mod tests;
