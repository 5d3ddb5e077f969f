//! The cosine transform of eight numbers, in 13-bit fixed point (Loeffler, Ligtenberg, Moschytz).
//!
//! What stands in 16 bits stays in 16 bits: processors multiply twice as many of those at a time. The
//! coefficients of pixels, rounded to multiples of at most 255, keep every sum below within them.

const BITS: u32 = 13;
/// Bits that the first pass keeps beyond the point.
const EXTRA_BITS: u32 = 2;

const F0_298: i16 = 2446;
const F0_390: i16 = 3196;
const F0_541: i16 = 4433;
const F0_765: i16 = 6270;
const F0_899: i16 = 7373;
const F1_175: i16 = 9633;
const F1_501: i16 = 12299;
const F1_847: i16 = 15137;
const F1_961: i16 = 16069;
const F2_053: i16 = 16819;
const F2_562: i16 = 20995;
const F3_072: i16 = 25172;

/// Which of the two passes over a block.
#[derive(Clone, Copy)]
pub enum Pass {
    /// Leaves extra bits.
    First,
    /// Takes them away.
    Second,
}

#[inline(always)]
fn times(value: i16, constant: i16) -> i32 {
    i32::from(value) * i32::from(constant)
}

#[inline(always)]
fn rounded(value: i32, bits: u32) -> i16 {
    ((value + (1 << (bits - 1))) >> bits) as i16
}

/// Pixels to coefficients; both passes together scale up by 8.
#[inline(always)]
pub fn forward(x: [i16; 8], pass: Pass) -> [i16; 8] {
    let [s07, s16, s25, s34] = [x[0] + x[7], x[1] + x[6], x[2] + x[5], x[3] + x[4]];
    let [d07, d16, d25, d34] = [x[0] - x[7], x[1] - x[6], x[2] - x[5], x[3] - x[4]];
    let (e0, e3, e1, e2) = (s07 + s34, s07 - s34, s16 + s25, s16 - s25);
    let z = times(e2 + e3, F0_541);
    let (two, six) = (z + times(e3, F0_765), z - times(e2, F1_847));
    let [seven, five, three, one] = odd([d34, d25, d16, d07]);
    let whole = |value: i16| match pass {
        Pass::First => value << EXTRA_BITS,
        Pass::Second => (value + (1 << (EXTRA_BITS - 1))) >> EXTRA_BITS,
    };
    let fine = |value| match pass {
        Pass::First => rounded(value, BITS - EXTRA_BITS),
        Pass::Second => rounded(value, BITS + EXTRA_BITS),
    };
    let (zero, four) = (whole(e0 + e1), whole(e0 - e1));
    [zero, fine(one), fine(two), fine(three), four, fine(five), fine(six), fine(seven)]
}

/// Coefficients to pixels; both passes together scale down by 8.
#[inline(always)]
pub fn inverse(x: [i16; 8], pass: Pass) -> [i16; 8] {
    let z = times(x[2] + x[6], F0_541);
    let (low, high) = (z - times(x[6], F1_847), z + times(x[2], F0_765));
    let sum = i32::from(x[0] + x[4]) << BITS;
    let difference = i32::from(x[0] - x[4]) << BITS;
    let even = [sum + high, difference + low, difference - low, sum - high];
    let odd = odd([x[7], x[5], x[3], x[1]]);
    let bits = match pass {
        Pass::First => BITS - EXTRA_BITS,
        Pass::Second => BITS + EXTRA_BITS + 3,
    };
    std::array::from_fn(|i| {
        let mirror = i.min(7 - i);
        let odd = odd[3 - mirror];
        rounded(if i < 4 { even[mirror] + odd } else { even[mirror] - odd }, bits)
    })
}

/// The odd half of either transform.
#[inline(always)]
fn odd(t: [i16; 4]) -> [i32; 4] {
    let (t02, t13) = (t[0] + t[2], t[1] + t[3]);
    let z5 = times(t02, F1_175) + times(t13, F1_175);
    let z1 = -times(t[0] + t[3], F0_899);
    let z2 = -times(t[1] + t[2], F2_562);
    let z3 = z5 - times(t02, F1_961);
    let z4 = z5 - times(t13, F0_390);
    [
        times(t[0], F0_298) + z1 + z3,
        times(t[1], F2_053) + z2 + z4,
        times(t[2], F3_072) + z2 + z3,
        times(t[3], F1_501) + z1 + z4,
    ]
}
