//! Gaussian noise.

use rand::Rng;

use super::frame::Frame;
use super::normal::Normal;

/// Noise is added in 1/64 of a grey level.
const FRACTION_BITS: u32 = 6;

/// Adds to every value of a frame a draw from N(0, `sigma`²), rounds down and clips. `sigma` is in grey
/// levels, at most 60.
pub fn add_noise(frame: &mut Frame, sigma: f32, rng: &mut impl Rng) {
    let scale = f32::from(1_u8 << FRACTION_BITS);
    let mut normal = Normal::new(sigma.clamp(0.0, 60.0) * scale, rng);
    for pixels in frame.pixels().chunks_mut(4) {
        for (pixel, noise) in pixels.iter_mut().zip(normal.four()) {
            let sum = (i16::from(*pixel) << FRACTION_BITS) + noise;
            *pixel = (sum >> FRACTION_BITS).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    fn noisy(grey: u8, sigma: f32, seed: u64) -> Vec<f64> {
        let mut pixels = vec![grey; 3 * 200 * 300];
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        add_noise(&mut Frame::new(&mut pixels, 200, 300), sigma, &mut rng);
        pixels.into_iter().map(f64::from).collect()
    }

    fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let count = values.len() as f64;
        values.sum::<f64>() / count
    }

    /// 180 000 draws: five standard errors of mean, variance, tail and correlation.
    #[test]
    fn the_noise_is_gaussian_and_independent() {
        for sigma in [3.0_f32, 10.0, 25.0] {
            // Rounding down takes half a level, and adds 1/12 to the variance.
            let draws: Vec<f64> = noisy(128, sigma, 1).iter().map(|x| x - 127.5).collect();
            let (n, s) = (draws.len() as f64, f64::from(sigma));
            let average = mean(draws.iter().copied());
            assert!(average.abs() < 5.0 * s / n.sqrt(), "mean {average} at {sigma}");
            let variance = mean(draws.iter().map(|x| x * x)) - 1.0 / 12.0;
            assert!(
                (variance / s / s - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
                "{variance} at {sigma}"
            );
            let kurtosis = mean(draws.iter().map(|x| x.powi(4))) / (variance + 1.0 / 12.0).powi(2);
            assert!(
                (kurtosis - 3.0).abs() < 5.0 * (24.0 / n).sqrt() + 0.02,
                "{kurtosis} at {sigma}"
            );
            for lag in [1, 2, 3, 4, 300, 60_000] {
                let products = draws.iter().zip(&draws[lag..]).map(|(x, y)| x * y);
                let correlation = mean(products.collect::<Vec<_>>().into_iter()) / variance;
                assert!(correlation.abs() < 5.0 / (n - 60_000.0).sqrt(), "{correlation} at {lag}");
            }
        }
    }

    #[test]
    fn it_follows_from_the_generator_and_clips() {
        assert_eq!(noisy(128, 10.0, 1), noisy(128, 10.0, 1));
        assert_ne!(noisy(128, 10.0, 1), noisy(128, 10.0, 2));
        assert!(noisy(250, 60.0, 1).contains(&255.0) && noisy(5, 60.0, 1).contains(&0.0));
        assert_eq!(noisy(77, 0.0, 1), vec![77.0; 3 * 200 * 300]);
    }
}
