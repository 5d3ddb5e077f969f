//! Augmentation of sound, on records of 16-bit samples.

use dfr_harness::record::{Record, RecordTransform};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::normal::Normal;

/// Changes loudness, moves a sound in time, and adds noise. Zeros change nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoundAugmentation {
    /// Largest gain and largest loss, in decibel.
    pub gain_db: f32,
    /// Largest shift either way, as a fraction of the record; what goes out at one end comes in at the
    /// other.
    pub shift: f64,
    /// Loudest noise, as a fraction of full scale (its standard deviation).
    pub noise: f32,
}

impl SoundAugmentation {
    /// What does it; nothing where nothing is changed.
    pub fn transform(self) -> Option<Box<dyn RecordTransform>> {
        let Self { gain_db, shift, noise } = self;
        let none = gain_db == 0.0 && shift == 0.0 && noise == 0.0;
        (!none).then(|| Box::new(self) as _)
    }
}

impl RecordTransform for SoundAugmentation {
    /// # Panics
    /// If the record is no sound.
    fn apply(&self, record: Record, rng: &mut ChaCha8Rng) {
        let Record::Sound(samples) = record else {
            panic!("SoundAugmentation changes sound, not this record");
        };
        let gain = 10_f32.powf(self.gain_db * rng.random_range(-1.0..=1.0) / 20.0);
        let by = (self.shift.clamp(0.0, 1.0) * rng.random::<f64>() * samples.len() as f64) as usize;
        let mut normal = Normal::new(self.noise * rng.random::<f32>() * 32768.0, rng);
        if rng.random() {
            samples.rotate_left(by);
        } else {
            samples.rotate_right(by);
        }
        for samples in samples.chunks_mut(4) {
            for (sample, noise) in samples.iter_mut().zip(normal.four()) {
                // Clips: a float beyond the range becomes its end.
                *sample = (f32::from(*sample) * gain + f32::from(noise)).round() as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    const NONE: SoundAugmentation = SoundAugmentation { gain_db: 0.0, shift: 0.0, noise: 0.0 };

    fn before() -> Vec<i16> {
        (0..8000).map(|at| ((f64::from(at) * 0.05).sin() * 8000.0) as i16).collect()
    }

    fn after(augmentation: SoundAugmentation, seed: u64) -> Vec<i16> {
        let mut samples = before();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        augmentation.apply(Record::Sound(&mut samples), &mut rng);
        samples
    }

    fn deviation(samples: impl Iterator<Item = f64> + Clone) -> f64 {
        let n = samples.clone().count() as f64;
        let mean = samples.clone().sum::<f64>() / n;
        (samples.map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt()
    }

    #[test]
    fn zeros_change_nothing() {
        assert_eq!(after(NONE, 1), before());
    }

    #[test]
    fn the_gain_is_spread_over_its_range() {
        let loudness = deviation(before().into_iter().map(f64::from));
        let gains: Vec<f64> = (0..400)
            .map(|seed| after(SoundAugmentation { gain_db: 6.0, ..NONE }, seed))
            .map(|samples| deviation(samples.into_iter().map(f64::from)) / loudness)
            .map(|ratio| 20.0 * ratio.log10())
            .collect();
        let (low, high) = gains.iter().fold((0.0_f64, 0.0_f64), |(l, h), g| (l.min(*g), h.max(*g)));
        assert!((-6.01..-5.5).contains(&low) && (5.5..6.01).contains(&high), "{low} {high}");
    }

    #[test]
    fn a_shift_moves_samples_round_both_ways() {
        let (mut least, mut most) = (0, 0);
        for seed in 0..200 {
            let moved = after(SoundAugmentation { shift: 0.01, ..NONE }, seed);
            let by = (-80..=80).find(|by: &i32| {
                let mut expected = before();
                let places = by.unsigned_abs() as usize;
                if *by < 0 {
                    expected.rotate_left(places);
                } else {
                    expected.rotate_right(places);
                }
                expected == moved
            });
            let by = by.expect("moved by at most a hundredth");
            (least, most) = (least.min(by), most.max(by));
        }
        assert!(least < -70 && most > 70, "{least} {most}");
    }

    #[test]
    fn noise_is_as_loud_as_was_drawn_and_loud_sound_clips() {
        let loudest = (0..200)
            .map(|seed| after(SoundAugmentation { noise: 0.05, ..NONE }, seed))
            .map(|noisy| {
                let before = before();
                let noise = noisy.iter().zip(&before).map(|(x, y)| f64::from(*x) - f64::from(*y));
                deviation(noise) / 32768.0
            })
            .fold(0.0, f64::max);
        assert!((0.045..0.0515).contains(&loudest), "{loudest}");
        let loud = (0..20).map(|seed| after(SoundAugmentation { gain_db: 40.0, ..NONE }, seed));
        assert!(loud.flatten().any(|sample| sample == i16::MAX));
    }
}
