//! Augmentation by level: which changes of a frame may be drawn, and how strong they are.
//!
//! # Source
//! dfresearch's `apply_random_augmentations`, level by level.

use std::ops::{Range, RangeInclusive};

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::frame::Frame;
use super::{blur, colour, flip, jpeg, noise};

/// A kind of change and the range of its strength, from which a draw is uniform.
#[derive(Clone, Debug)]
pub enum Candidate {
    /// Quality, 1 (worst) to 100.
    Jpeg(RangeInclusive<u8>),
    /// Standard deviation in pixels.
    Blur(Range<f64>),
    /// Standard deviation in grey levels.
    Noise(Range<f32>),
    /// Largest offset of a channel in grey levels; each channel's own is drawn up to it.
    ColorShift(Range<f32>),
    /// Factor of the distance from a channel's mean.
    Contrast(Range<f32>),
}

/// A change that was drawn. Noise alone draws again, for every pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// At this quality.
    Jpeg(u8),
    /// With this standard deviation in pixels.
    Blur(f64),
    /// With this standard deviation in grey levels.
    Noise(f32),
    /// By these offsets in grey levels.
    ColorShift([f32; 3]),
    /// By this factor.
    Contrast(f32),
    /// Left and right swapped.
    Flip,
}

/// How the changes of one frame or clip are drawn.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Of these one or more are drawn, each once at most.
    pub candidates: Vec<Candidate>,
    /// At most so many.
    pub most: usize,
    /// How often the result is mirrored, in 0..=1.
    pub flip_probability: f64,
}

impl Changes {
    /// Those of a level: 0 is none, 1 mild, 3 and above the strongest.
    pub fn level(level: u64) -> Self {
        use Candidate::{Blur, ColorShift, Contrast, Jpeg, Noise};
        let candidates = match level {
            0 => vec![],
            1 => vec![Jpeg(70..=95), Blur(0.3..0.8)],
            2 => vec![Jpeg(40..=75), Blur(0.5..1.5), Noise(3.0..10.0), ColorShift(5.0..15.0)],
            _ => vec![
                Jpeg(15..=45),
                Blur(1.0..3.0),
                Noise(8.0..25.0),
                ColorShift(10.0..30.0),
                Contrast(0.5..1.5),
            ],
        };
        Self { candidates, most: 2, flip_probability: if level == 0 { 0.0 } else { 0.5 } }
    }

    /// Draws changes, in the order in which they are to be applied.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Change> {
        let most = self.most.min(self.candidates.len());
        let count = if most == 0 { 0 } else { rng.random_range(1..=most) };
        let drawn: Vec<&Candidate> = self.candidates.sample(rng, count).collect();
        let mut changes: Vec<Change> = drawn.into_iter().map(|kind| kind.draw(rng)).collect();
        if rng.random::<f64>() < self.flip_probability {
            changes.push(Change::Flip);
        }
        changes
    }
}

impl Candidate {
    fn draw(&self, rng: &mut ChaCha8Rng) -> Change {
        match self {
            Self::Jpeg(quality) => Change::Jpeg(rng.random_range(quality.clone())),
            Self::Blur(sigma) => Change::Blur(rng.random_range(sigma.clone())),
            Self::Noise(sigma) => Change::Noise(rng.random_range(sigma.clone())),
            Self::Contrast(factor) => Change::Contrast(rng.random_range(factor.clone())),
            Self::ColorShift(largest) => {
                let largest = rng.random_range(largest.clone());
                Change::ColorShift(std::array::from_fn(|_| rng.random_range(-largest..=largest)))
            }
        }
    }
}

impl Change {
    /// Changes a frame.
    pub fn apply(self, frame: &mut Frame, rng: &mut ChaCha8Rng) {
        match self {
            Self::Jpeg(quality) => jpeg::round_trip(frame, quality),
            Self::Blur(sigma) => blur::blur(frame, sigma),
            Self::Noise(sigma) => noise::add_noise(frame, sigma, rng),
            Self::ColorShift(offsets) => colour::shift(frame, offsets),
            Self::Contrast(factor) => colour::contrast(frame, factor),
            Self::Flip => flip::flip(frame),
        }
    }
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
