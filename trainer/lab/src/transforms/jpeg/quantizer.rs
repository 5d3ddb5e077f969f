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

/// Coefficients stand in scaled up by 8, as the forward transform leaves them.
const SCALE: u32 = 8;
/// Bits of the largest dividend: a coefficient is at most `8 × 8 × 128` and half a step is added.
const DIVIDEND_BITS: u32 = 15;

/// The steps of one kind of plane.
pub struct Quantizer {
    pub steps: [Step; 64],
}

/// Rounds one coefficient to a multiple of a step.
#[derive(Clone, Copy)]
pub struct Step {
    size: i32,
    half: u32,
    /// `dividend × reciprocal >> shift` is the exact quotient for all dividends of `DIVIDEND_BITS`.
    reciprocal: u32,
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
        let divisor = size * SCALE;
        let shift = DIVIDEND_BITS + u32::BITS - (divisor - 1).leading_zeros();
        let reciprocal = (1_u64 << shift).div_ceil(u64::from(divisor));
        let reciprocal = u32::try_from(reciprocal).expect("at most 17 bits");
        Self { size: size as i32, half: divisor / 2, reciprocal, shift }
    }

    /// The multiple of the step that is nearest to `coefficient / 8`, halves away from zero.
    #[inline(always)]
    pub fn round(self, coefficient: i32) -> i32 {
        let dividend = coefficient.unsigned_abs() + self.half;
        let multiple = ((dividend * self.reciprocal) >> self.shift) as i32 * self.size;
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
