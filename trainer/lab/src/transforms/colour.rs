//! Changes of colour.

use multiversion::multiversion;

use super::frame::Frame;

/// Adds to each channel its own offset, in grey levels; rounds down and clips.
pub fn shift(frame: &mut Frame, offsets: [f32; 3]) {
    for (plane, offset) in frame.planes().into_iter().zip(offsets) {
        // A whole number minus a fraction rounds down by one, so the fraction can be dropped first.
        add(plane, offset.floor().clamp(-255.0, 255.0) as i16);
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn add(plane: &mut [u8], offset: i16) {
    for pixel in plane {
        *pixel = (i16::from(*pixel) + offset).clamp(0, 255) as u8;
    }
}

/// Brings every value `factor` times as far from the mean of its channel; rounds down and clips.
/// `factor` is in 0..=100.
pub fn contrast(frame: &mut Frame, factor: f32) {
    for plane in frame.planes() {
        stretch(plane, factor.clamp(0.0, 100.0));
    }
}

/// In 1/65536 of a grey level.
#[multiversion(targets("x86_64+avx2"))]
fn stretch(plane: &mut [u8], factor: f32) {
    let sum: u64 = plane.iter().map(|&pixel| u64::from(pixel)).sum();
    let mean = sum as f64 / plane.len() as f64;
    let gain = (f64::from(factor) * 65536.0).round();
    let (offset, gain) = ((mean * (65536.0 - gain)).round() as i32, gain as i32);
    for pixel in plane {
        *pixel = ((i32::from(*pixel) * gain + offset) >> 16).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels() -> Vec<u8> {
        (0..3 * 40 * 50).map(|at| ((at * 37) ^ (at >> 4)) as u8).collect()
    }

    #[test]
    fn a_shift_rounds_down_and_clips_each_channel() {
        let (before, mut after) = (pixels(), pixels());
        let offsets = [-17.3_f32, 0.0, 29.7];
        shift(&mut Frame::new(&mut after, 40, 50), offsets);
        for (at, (&before, &after)) in before.iter().zip(&after).enumerate() {
            let exact = f32::from(before) + offsets[at / 2000];
            assert_eq!(after, exact.clamp(0.0, 255.0) as u8, "{before}");
        }
    }

    #[test]
    fn contrast_is_around_the_mean_of_each_channel() {
        for factor in [0.0_f32, 0.5, 0.9, 1.0, 1.5] {
            let (before, mut after) = (pixels(), pixels());
            contrast(&mut Frame::new(&mut after, 40, 50), factor);
            for (before, after) in before.chunks(2000).zip(after.chunks(2000)) {
                let mean = before.iter().copied().map(f64::from).sum::<f64>() / 2000.0;
                for (&before, &after) in before.iter().zip(after) {
                    let exact = (f64::from(before) - mean) * f64::from(factor) + mean;
                    let near = [-0.01, 0.01].map(|by| (exact + by).clamp(0.0, 255.0) as u8);
                    assert!(near.contains(&after), "{before} to {after}, not {exact}");
                }
            }
        }
    }
}
