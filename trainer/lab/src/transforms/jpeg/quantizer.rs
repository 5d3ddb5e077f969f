//! How coarsely each coefficient is kept.

/// The standard's tables (ITU-T T.81, annex K), luma and chroma.
const LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// The steps of one kind of plane.
pub struct Quantizer {
    pub steps: [Step; 64],
}

/// Rounds one coefficient to a multiple of a step. Coefficients stand in scaled up by 8, as the forward
/// transform leaves them.
#[derive(Clone, Copy)]
pub struct Step {
    size: i16,
    half: u16,
    /// `(dividend + more) × reciprocal >> 16 >> shift` is `dividend / size` for all dividends below 2048:
    /// a coefficient is at most 1024.
    reciprocal: u16,
    more: u16,
    shift: u32,
}

impl Quantizer {
    /// Those of luma and of chroma.
    pub fn of_quality(quality: u8) -> [Self; 2] {
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        [LUMA, CHROMA].map(|table| Self {
            steps: table.map(|base| Step::of((u32::from(base) * percent + 50) / 100)),
        })
    }
}

impl Step {
    fn of(size: u32) -> Self {
        let size = size.clamp(1, 255);
        // The largest shift with which the reciprocal has 16 bits.
        let shift = (size - 1).checked_ilog2().unwrap_or(0);
        let exact = (1_u32 << (16 + shift)).div_ceil(size);
        // Of 1 it is one less than it should be, which one more in the dividend makes good.
        let reciprocal = exact.min(u32::from(u16::MAX)) as u16;
        Self {
            size: size as i16,
            half: 4 * size as u16,
            reciprocal,
            more: u16::from(size == 1),
            shift,
        }
    }

    /// The multiple of the step that is nearest to `coefficient / 8`, halves away from zero.
    #[inline(always)]
    pub fn round(self, coefficient: i16) -> i16 {
        let dividend = ((coefficient.unsigned_abs() + self.half) >> 3) + self.more;
        let high = (u32::from(dividend) * u32::from(self.reciprocal)) >> 16;
        let multiple = (high as u16 >> self.shift) as i16 * self.size;
        if coefficient < 0 { -multiple } else { multiple }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reciprocal_is_a_division() {
        for size in 1..=255 {
            let step = Step::of(size as u32);
            for coefficient in 0..=8192 {
                let exact = (coefficient + 4 * size) / (8 * size) * size;
                assert_eq!(step.round(coefficient), exact, "{coefficient} by {size}");
                assert_eq!(step.round(-coefficient), -exact, "-{coefficient} by {size}");
            }
        }
    }
}
