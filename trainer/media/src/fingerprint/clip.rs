//! Perceptual hashes of the first, middle and last frame of a clip; a picture is a clip of one frame.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

/// Bits in which a frame may differ from the same frame in another encoding.
pub const TOLERANCE: u32 = 4;
/// A frame is averaged to so many cells across and down.
const CELLS: usize = 32;
/// Frequencies that are compared, each way.
const LOW: usize = 8;
/// Root mean square, in grey levels, of what those frequencies hold. Below it a frame shows nothing
/// that could be compared: black, one colour, a plain ramp down. What an encoder leaves of noise in
/// one is far less, what pictures hold far more.
const FLAT: f64 = 1.0;
/// Word for a flat frame.
const FLAT_WORD: &str = "flat";

/// Hashes of the first, middle and last frame; none for a flat one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clip(pub [Option<u64>; 3]);

/// Text that is no [`Clip`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not three hashes of 16 hex digits (or {FLAT_WORD}): {0:?}")]
pub struct NoClip(String);

impl Clip {
    /// Of a record of shape `T 3 H W`, or `3 H W` of a picture, as it is stored.
    pub fn of_record(record: &[u8], shape: &[u64]) -> Self {
        let dims = |n: &u64| usize::try_from(*n).expect("in memory");
        let dims: Vec<usize> = shape.iter().map(dims).collect();
        let (frames, height, width) = match dims[..] {
            [frames, 3, height, width] => (frames, height, width),
            [3, height, width] => (1, height, width),
            _ => unreachable!("pictures have three colours"),
        };
        let size = 3 * height * width;
        let frame = |index: usize| &record[index * size..][..size];
        Self([0, frames / 2, frames - 1].map(|index| hash(&luma(frame(index), height, width))))
    }

    /// Whether both show the same: flat where the other is flat, else within [`TOLERANCE`]. Clips
    /// that are flat throughout are not comparable, and so never alike.
    pub fn alike(&self, other: &Self) -> bool {
        let same = |(a, b): (&Option<u64>, &Option<u64>)| match (a, b) {
            (Some(a), Some(b)) => (a ^ b).count_ones() <= TOLERANCE,
            (a, b) => a == b,
        };
        !self.is_flat() && self.0.iter().zip(&other.0).all(same)
    }

    /// Whether there is nothing to compare.
    pub fn is_flat(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// Three tab-separated words.
impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |hash: Option<u64>| hash.map_or(FLAT_WORD.to_owned(), |h| format!("{h:016x}"));
        f.write_str(&self.0.map(word).join("\t"))
    }
}

impl FromStr for Clip {
    type Err = NoClip;

    fn from_str(text: &str) -> Result<Self, NoClip> {
        let word = |word: &str| match word {
            FLAT_WORD => Some(None),
            _ => u64::from_str_radix(word, 16).ok().map(Some),
        };
        let words: Option<Vec<Option<u64>>> = text.split('\t').map(word).collect();
        words
            .and_then(|words| words.try_into().ok())
            .map(Self)
            .ok_or_else(|| NoClip(text.to_owned()))
    }
}

/// Mean brightness of [`CELLS`] × [`CELLS`] cells of a planar RGB frame.
fn luma(frame: &[u8], height: usize, width: usize) -> [[f64; CELLS]; CELLS] {
    /// Of red, green and blue (ITU-R BT.601).
    const WEIGHTS: [f64; 3] = [0.299, 0.587, 0.114];
    let mean = |y: usize, x: usize| {
        let (rows, columns) = (cell(y, height), cell(x, width));
        let count = (rows.len() * columns.len()) as f64;
        let plane = |(channel, weight): (usize, f64)| {
            let row = |row: usize| &frame[(channel * height + row) * width..][columns.clone()];
            let sum: u64 = rows.clone().flat_map(row).map(|level| u64::from(*level)).sum();
            weight * sum as f64
        };
        WEIGHTS.into_iter().enumerate().map(plane).sum::<f64>() / count
    };
    let mut cells = [[0.0; CELLS]; CELLS];
    for (y, row) in cells.iter_mut().enumerate() {
        for (x, cell) in row.iter_mut().enumerate() {
            *cell = mean(y, x);
        }
    }
    cells
}

/// The pixels of one cell; at least one where there are fewer pixels than cells.
fn cell(index: usize, pixels: usize) -> std::ops::Range<usize> {
    let from = index * pixels / CELLS;
    from..((index + 1) * pixels / CELLS).max(from + 1)
}

/// One bit for each low frequency of the cosine transform, without the mean across: its sign. None
/// for a flat frame.
///
/// The usual hash compares with their median instead. Against clips encoded again the signs change
/// less, and frames of different recordings stay as far apart.
///
/// # Source
/// Zauner 2010, *Implementation and Benchmarking of Perceptual Image Hash Functions*: the DCT hash.
fn hash(cells: &[[f64; CELLS]; CELLS]) -> Option<u64> {
    let across: Vec<Vec<f64>> =
        (1..=LOW).map(|u| cells.iter().map(|row| project(row, u)).collect()).collect();
    let spectrum = across.iter().flat_map(|column| (0..LOW).map(|v| project(column, v)));
    let (bits, energy) = spectrum.fold((0, 0.0), |(bits, energy), coefficient| {
        ((bits << 1) | u64::from(coefficient > 0.0), energy + coefficient * coefficient)
    });
    let level = (energy / (CELLS * CELLS) as f64).sqrt();
    (level >= FLAT).then_some(bits)
}

/// One coefficient of the orthonormal DCT-II.
fn project(values: &[f64], frequency: usize) -> f64 {
    let share = if frequency == 0 { 1.0 } else { 2.0 } / CELLS as f64;
    let step = PI * frequency as f64 / CELLS as f64;
    let wave = |(x, value): (usize, &f64)| value * (step * (x as f64 + 0.5)).cos();
    share.sqrt() * values.iter().enumerate().map(wave).sum::<f64>()
}

#[cfg(test)]
#[path = "clip_tests.rs"]
mod tests;
