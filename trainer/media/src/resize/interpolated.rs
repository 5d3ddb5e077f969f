//! Bilinear between the four nearest pixels, in the numbers of OpenCV.
//!
//! # Source
//! OpenCV, `modules/imgproc/src/resize.cpp`, `INTER_LINEAR` of bytes: weights of 11 bits, rows before
//! columns, of which the lowest bits are dropped between.

/// 1 as a weight.
const ONE: f32 = 2048.0;

/// Two neighbours along one side, and their weights.
struct Between {
    near: [usize; 2],
    weights: [i32; 2],
}

/// `H W C` bytes of RGB of size `from` (width, height) at size `to`.
pub fn scale(rgb: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let [width, height] = from;
    let columns = between(width, to[0]);
    let across = |row: &[u8]| -> Vec<i32> { columns.iter().flat_map(|b| pixel(row, b)).collect() };
    let rows: Vec<Vec<i32>> = rgb.chunks(width * 3).map(across).collect();
    let down = |Between { near, weights }: &Between| -> Vec<u8> {
        let [above, below] = near.map(|y| &rows[y]);
        above.iter().zip(below).map(|(above, below)| mix([*above, *below], *weights)).collect()
    };
    between(height, to[1]).iter().flat_map(down).collect()
}

fn pixel(row: &[u8], Between { near, weights }: &Between) -> [i32; 3] {
    let level = |side: usize, c: usize| weights[side] * i32::from(row[near[side] * 3 + c]);
    [0, 1, 2].map(|c| level(0, c) + level(1, c))
}

fn mix(sums: [i32; 2], weights: [i32; 2]) -> u8 {
    let weighed = |side: usize| (weights[side] * (sums[side] >> 4)) >> 16;
    ((weighed(0) + weighed(1) + 2) >> 2).clamp(0, 255) as u8
}

fn between(pixels: usize, to: usize) -> Vec<Between> {
    let scale = pixels as f64 / to as f64;
    let last = (pixels - 1) as f32;
    let of = |at: usize| {
        let place = ((at as f64 + 0.5) * scale - 0.5) as f32;
        let first = place.floor();
        let share = place - first;
        let weights = [1.0 - share, share].map(|share| (share * ONE).round_ties_even() as i32);
        // Beyond an edge both are the pixel at the edge.
        Between { near: [first, first + 1.0].map(|x| x.clamp(0.0, last) as usize), weights }
    };
    (0..to).map(of).collect()
}
