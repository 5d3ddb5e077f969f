//! Blocks of 8 × 8 through the cosine transform, rounding, and back.
//!
//! # Source
//! libjpeg-turbo's `jfdctint.c` and `jidctint.c`, in their order of operations: every rounding counts.

use multiversion::multiversion;

use super::cosine::{Pass, forward, inverse};
use super::quantizer::Quantizer;

/// Blocks that are worked on side by side.
const LANES: usize = 16;

/// A number of every block, for each of the 64 places in it.
type Lanes = [[i16; LANES]; 64];

/// All blocks of a plane of whole blocks, `stride` wide.
#[multiversion(targets("x86_64+avx2"))]
pub fn round_trip(plane: &mut [u8], stride: usize, quantizer: &Quantizer) {
    let across = stride / 8;
    let blocks = plane.len() / 64;
    let corner = |block: usize| block / across * 8 * stride + block % across * 8;
    let mut lanes = [[0; LANES]; 64];
    for first in (0..blocks).step_by(LANES) {
        let count = LANES.min(blocks - first);
        if count < LANES {
            // What is left of other blocks are pixels again, for which 16 bits may be too few.
            lanes = [[0; LANES]; 64];
        }
        for lane in 0..count {
            load(&plane[corner(first + lane)..], stride, &mut lanes, lane);
        }
        through(&mut lanes, quantizer);
        for lane in 0..count {
            store(&lanes, lane, &mut plane[corner(first + lane)..], stride);
        }
    }
}

#[inline(always)]
fn load(from: &[u8], stride: usize, lanes: &mut Lanes, lane: usize) {
    for (row, pixels) in from.chunks(stride).take(8).enumerate() {
        for (column, &pixel) in pixels[..8].iter().enumerate() {
            lanes[8 * row + column][lane] = i16::from(pixel) - 128;
        }
    }
}

#[inline(always)]
fn store(lanes: &Lanes, lane: usize, to: &mut [u8], stride: usize) {
    for (row, pixels) in to.chunks_mut(stride).take(8).enumerate() {
        for (column, pixel) in pixels[..8].iter_mut().enumerate() {
            *pixel = lanes[8 * row + column][lane] as u8;
        }
    }
}

#[inline(always)]
fn through(lanes: &mut Lanes, quantizer: &Quantizer) {
    (0..8).for_each(|row| along(lanes, [8 * row, 1], |x| forward(x, Pass::First)));
    (0..8).for_each(|column| along(lanes, [column, 8], |x| forward(x, Pass::Second)));
    for (place, step) in lanes.iter_mut().zip(&quantizer.steps) {
        place.iter_mut().for_each(|coefficient| *coefficient = step.round(*coefficient));
    }
    (0..8).for_each(|column| along(lanes, [column, 8], |x| inverse(x, Pass::First)));
    (0..8).for_each(|row| along(lanes, [8 * row, 1], |x| inverse(x, Pass::Second)));
    for place in lanes {
        place.iter_mut().for_each(|pixel| *pixel = (*pixel + 128).clamp(0, 255));
    }
}

/// A transform of the eight places from `start` at distance `step`, in every block.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "a lane is a column of `lanes`")]
fn along(lanes: &mut Lanes, [start, step]: [usize; 2], transform: impl Fn([i16; 8]) -> [i16; 8]) {
    for lane in 0..LANES {
        let result = transform(std::array::from_fn(|i| lanes[start + i * step][lane]));
        for (i, value) in result.into_iter().enumerate() {
            lanes[start + i * step][lane] = value;
        }
    }
}
