//! Gaussian blur.

use multiversion::multiversion;

use super::frame::Frame;

/// Blurs a frame; `sigma` in pixels, above 0. Pixels beyond the border mirror those inside, without the
/// border itself.
///
/// # Source
/// OpenCV's `GaussianBlur` of bytes with a kernel of `int(6 sigma + 1) | 1`, byte for byte.
pub fn blur(frame: &mut Frame, sigma: f64) {
    let half = half_kernel(sigma);
    let (height, width) = (frame.height(), frame.width());
    let mut sums = vec![0; height * width];
    for plane in frame.planes() {
        across(plane, width, &half, &mut sums);
        down(&sums, width, &half, plane);
    }
}

/// The middle of the kernel and what follows to its right, in 1/256. The kernel adds up to 256: what
/// rounding leaves of one weight is carried on to the next, and the rest goes to the middle.
fn half_kernel(sigma: f64) -> Vec<u16> {
    let reach = ((6.0 * sigma + 1.0) as usize | 1) / 2;
    let raw = |at: usize| (-0.125 / (sigma * sigma) * (4 * at * at) as f64).exp();
    let tail: f64 = (1..=reach).rev().map(raw).sum();
    let scale = 1.0 / (2.0 * tail + 1.0);
    let mut carried = 0.0;
    let mut half: Vec<u16> = (1..=reach)
        .rev()
        .map(|at| {
            let exact = raw(at) * scale * 256.0 + carried;
            carried = exact - exact.round_ties_even();
            exact.round_ties_even() as u16
        })
        .collect();
    half.push(256 - 2 * half.iter().sum::<u16>());
    half.reverse();
    half
}

/// Index of what stands at `at - reach` in a line that is mirrored at both ends.
fn mirrored(at: usize, reach: usize, length: usize) -> usize {
    let period = (2 * length - 2).max(1);
    let at = (at + reach * period - reach) % period;
    at.min(period - at).min(length - 1)
}

#[multiversion(targets("x86_64+avx2"))]
fn across(plane: &[u8], width: usize, half: &[u16], sums: &mut [u16]) {
    let reach = half.len() - 1;
    let mut line = vec![0_u16; width + 2 * reach];
    for (row, sums) in plane.chunks_exact(width).zip(sums.chunks_exact_mut(width)) {
        for (to, &pixel) in line[reach..].iter_mut().zip(row) {
            *to = u16::from(pixel);
        }
        for at in 0..reach {
            line[at] = u16::from(row[mirrored(at, reach, width)]);
            let end = width + reach + at;
            line[end] = u16::from(row[mirrored(end, reach, width)]);
        }
        weigh(&line, half, sums);
    }
}

/// At most `256 × 255`, which 16 bits hold.
#[inline(always)]
fn weigh(line: &[u16], half: &[u16], sums: &mut [u16]) {
    let (reach, width) = (half.len() - 1, sums.len());
    for (sum, &pixel) in sums.iter_mut().zip(&line[reach..]) {
        *sum = half[0] * pixel;
    }
    for (distance, &weight) in half.iter().enumerate().skip(1) {
        let left = &line[reach - distance..][..width];
        let right = &line[reach + distance..][..width];
        for (sum, (&left, &right)) in sums.iter_mut().zip(left.iter().zip(right)) {
            *sum += weight * (left + right);
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn down(sums: &[u16], width: usize, half: &[u16], plane: &mut [u8]) {
    let (reach, height) = (half.len() - 1, plane.len() / width);
    let row_at = |at: usize| &sums[mirrored(at, reach, height) * width..][..width];
    let mut totals = vec![0_u32; width];
    for (row, pixels) in plane.chunks_exact_mut(width).enumerate() {
        for (total, &sum) in totals.iter_mut().zip(row_at(row + reach)) {
            *total = (1 << 15) + u32::from(half[0]) * u32::from(sum);
        }
        for (distance, &weight) in half.iter().enumerate().skip(1) {
            let above = row_at(row + reach - distance);
            let below = row_at(row + reach + distance);
            for (total, (&above, &below)) in totals.iter_mut().zip(above.iter().zip(below)) {
                *total += u32::from(weight) * (u32::from(above) + u32::from(below));
            }
        }
        for (pixel, &total) in pixels.iter_mut().zip(&totals) {
            *pixel = (total >> 16) as u8;
        }
    }
}
