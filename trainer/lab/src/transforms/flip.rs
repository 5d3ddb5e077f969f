//! Mirroring.

use super::frame::Frame;

/// Swaps left and right.
pub fn flip(frame: &mut Frame) {
    let width = frame.width();
    frame.pixels().chunks_exact_mut(width).for_each(<[u8]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_reversed() {
        let mut pixels: Vec<u8> = (0..18).collect();
        flip(&mut Frame::new(&mut pixels, 2, 3));
        assert_eq!(pixels, [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9, 14, 13, 12, 17, 16, 15]);
    }
}
