//! Chroma to half the resolution and back.

/// The mean of two by two pixels; halves are rounded down and up in turn.
#[inline(always)]
pub fn halve([top, bottom]: [&[u8]; 2], to: &mut [u8]) {
    let pairs = top.chunks_exact(2).zip(bottom.chunks_exact(2));
    for (column, (to, (top, bottom))) in to.iter_mut().zip(pairs).enumerate() {
        let sum = [top[0], top[1], bottom[0], bottom[1]].map(u16::from).iter().sum::<u16>();
        *to = ((sum + 1 + (column as u16 & 1)) >> 2) as u8;
    }
}

/// One row of twice as many pixels, from the nearest row and the one next to it: each pixel takes three
/// quarters of the nearer and one of the farther sample, in both directions. `sums` has two more than
/// a row.
#[inline(always)]
pub fn double([near, next]: [&[u8]; 2], sums: &mut [u16], to: &mut [u8]) {
    let columns = near.len();
    for (sum, (&near, &next)) in sums[1..].iter_mut().zip(near.iter().zip(next)) {
        *sum = 3 * u16::from(near) + u16::from(next);
    }
    (sums[0], sums[columns + 1]) = (sums[1], sums[columns]);
    let (left, here, right) = (&sums[..columns], &sums[1..=columns], &sums[2..columns + 2]);
    let sides = left.iter().zip(here).zip(right);
    for (to, ((&left, &here), &right)) in to.chunks_exact_mut(2).zip(sides) {
        to[0] = ((3 * here + left + 8) >> 4) as u8;
        to[1] = ((3 * here + right + 7) >> 4) as u8;
    }
}
