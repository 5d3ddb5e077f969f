//! Value noise on a lattice, and near-normal grain. Pure.

use rand::Rng;

/// A field of smooth noise, the same for ever for one seed.
#[derive(Clone, Copy)]
pub struct Lattice {
    seed: u32,
}

impl Lattice {
    /// A field drawn at random.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self { seed: rng.next_u32() }
    }

    /// Sum of `octaves` of smooth noise, each twice as fine and half as strong; in 0..=1.
    pub fn fractal(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut total, mut scale) = (0.0, 1.0, 0.0, 1.0);
        for octave in 0..octaves {
            // Each octave from another place, so that their lattices do not line up.
            let shift = octave as f32 * 17.3;
            sum += weight * self.smooth(x * scale + shift, y * scale - shift);
            total += weight;
            weight *= 0.5;
            scale *= 2.0;
        }
        sum / total
    }

    fn smooth(self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (fade(x - left), fade(y - top));
        let (i, j) = (left as i32, top as i32);
        let row = |j| lerp(self.corner(i, j), self.corner(i + 1, j), across);
        lerp(row(j), row(j + 1), down)
    }

    fn corner(self, i: i32, j: i32) -> f32 {
        let mut h = self.seed ^ (i as u32).wrapping_mul(0x9E37_79B1);
        h = (h ^ (h >> 15)).wrapping_add((j as u32).wrapping_mul(0x85EB_CA77));
        h = (h ^ (h >> 13)).wrapping_mul(0xC2B2_AE3D);
        h = (h ^ (h >> 16)).wrapping_mul(0x27D4_EB2F);
        (h >> 8) as f32 / (1 << 24) as f32
    }
}

/// `a` at 0, `b` at 1.
pub fn lerp(a: f32, b: f32, at: f32) -> f32 {
    a + (b - a) * at
}

/// 0 below 0, 1 above 1, smooth between.
pub fn fade(at: f32) -> f32 {
    let at = at.clamp(0.0, 1.0);
    at * at * (3.0 - 2.0 * at)
}

/// A near-normal draw with mean 0 and deviation 1: the sum of the four bytes of one word.
pub fn grain(rng: &mut impl Rng) -> f32 {
    /// Deviation of the sum of four bytes, each with variance (256² - 1) / 12.
    const DEVIATION: f32 = 147.8;
    let sum: u32 = rng.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
    (sum as f32 - 510.0) / DEVIATION
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn grain_has_mean_0_and_deviation_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f32> = (0..40_000).map(|_| grain(&mut rng)).collect();
        let mean = draws.iter().sum::<f32>() / 40_000.0;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f32>() / 40_000.0;
        assert!(mean.abs() < 0.025 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }

    #[test]
    fn noise_is_continuous_and_not_flat() {
        let lattice = Lattice::draw(&mut ChaCha8Rng::seed_from_u64(2));
        let at = |i: i32| lattice.fractal(i as f32 * 0.01, 3.7, 3);
        let steps = (-500..500).map(|i| (at(i + 1) - at(i)).abs()).fold(0.0, f32::max);
        let values: Vec<f32> = (-500..500).map(at).collect();
        let span = values.iter().copied().fold(f32::MIN, f32::max)
            - values.iter().copied().fold(f32::MAX, f32::min);
        assert!(steps < 0.05 && span > 0.3 && span <= 1.0, "{steps} {span}");
    }
}
