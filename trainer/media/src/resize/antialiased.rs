//! Bilinear over all that a new pixel covers, in the numbers of PIL.
//!
//! # Source
//! Pillow, `src/libImaging/Resample.c`: weights of 22 bits, rows before columns, rounded between.

/// Bits of a weight behind the point.
const BITS: u32 = 32 - 8 - 2;

/// The pixels that one new pixel covers along one side, and their weights.
struct Cover {
    from: usize,
    weights: Vec<i32>,
}

/// `H W C` bytes of RGB of size `from` (width, height) at size `to`.
pub fn scale(rgb: &[u8], from: [usize; 2], to: [usize; 2]) -> Vec<u8> {
    let [width, height] = from;
    let narrow = if to[0] == width { rgb.to_vec() } else { across(rgb, width, to[0]) };
    if to[1] == height { narrow } else { down(&narrow, [to[0], height], to[1]) }
}

fn across(rgb: &[u8], width: usize, to: usize) -> Vec<u8> {
    let covers = covers(width, to);
    let row = |row: &[u8]| -> Vec<u8> {
        let pixel = |cover: &Cover| [0, 1, 2].map(|c| sum(cover, &row[cover.from * 3 + c..], 3));
        covers.iter().flat_map(pixel).collect()
    };
    rgb.chunks(width * 3).flat_map(row).collect()
}

fn down(rgb: &[u8], [width, height]: [usize; 2], to: usize) -> Vec<u8> {
    let stride = width * 3;
    let row = |cover: &Cover| -> Vec<u8> {
        (0..stride).map(|x| sum(cover, &rgb[cover.from * stride + x..], stride)).collect()
    };
    covers(height, to).iter().flat_map(row).collect()
}

/// Of every `step`-th byte.
fn sum(cover: &Cover, bytes: &[u8], step: usize) -> u8 {
    let levels = bytes.iter().step_by(step);
    let weighed =
        cover.weights.iter().zip(levels).map(|(weight, level)| weight * i32::from(*level));
    let sum = weighed.sum::<i32>() + (1 << (BITS - 1));
    (sum >> BITS).clamp(0, 255) as u8
}

fn covers(pixels: usize, to: usize) -> Vec<Cover> {
    let scale = pixels as f64 / to as f64;
    // Half the width of the triangle.
    let support = scale.max(1.0);
    let cover = |at: usize| {
        let centre = (at as f64 + 0.5) * scale;
        // Casts cut towards zero, and below it.
        let from = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(pixels);
        let height = |x: usize| 1.0 - ((x as f64 - centre + 0.5) / support).abs();
        let heights: Vec<f64> = (from..end).map(|x| height(x).max(0.0)).collect();
        let sum: f64 = heights.iter().sum();
        let fixed = |height: &f64| (height / sum * f64::from(1 << BITS) + 0.5) as i32;
        Cover { from, weights: heights.iter().map(fixed).collect() }
    };
    (0..to).map(cover).collect()
}
