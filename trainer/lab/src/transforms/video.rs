//! Augmentation of clips: what is drawn is drawn once per clip, so that no flicker is introduced.

use dfr_harness::recipe::Transform;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Largest changes, in grey levels of 0..=255 where not said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct VideoAugmentation {
    flip_probability: f64,
    brightness: f64,
    /// Fraction of the distance from the clip's mean.
    contrast: f64,
    /// Standard deviation, drawn anew for every pixel.
    noise: f64,
}

impl VideoAugmentation {
    /// Strength by level: 0 is none, 1 mild, 3 and above the strongest.
    ///
    /// # Source
    /// The levels of dfresearch; its blur and JPEG are left out here, since they erase the very traces
    /// that are to be found, and it changes every frame by itself.
    pub fn level(level: u64) -> Self {
        let (flip_probability, brightness, contrast, noise) = match level {
            0 => (0.0, 0.0, 0.0, 0.0),
            1 => (0.5, 10.0, 0.1, 0.0),
            2 => (0.5, 20.0, 0.2, 4.0),
            _ => (0.5, 30.0, 0.3, 10.0),
        };
        Self { flip_probability, brightness, contrast, noise }
    }
}

impl Transform for VideoAugmentation {
    fn apply(&self, batch: &Tensor, rng: &mut ChaCha8Rng) -> Tensor {
        let clips = batch.size()[0];
        let mut per_clip = |low: f64, high: f64| {
            let values: Vec<f64> =
                (0..clips).map(|_| low + (high - low) * rng.random::<f64>()).collect();
            let values = Tensor::from_slice(&values).to_kind(Kind::Float).view([clips, 1, 1, 1, 1]);
            values.to_device(batch.device())
        };
        let flips = per_clip(0.0, 1.0).lt(self.flip_probability);
        let gain = per_clip(1.0 - self.contrast, 1.0 + self.contrast);
        let shift = per_clip(-self.brightness, self.brightness);
        let sigma = per_clip(0.0, self.noise);

        let clip = batch.flip([4]).where_self(&flips, batch).to_kind(Kind::Float);
        let mean = clip.mean_dim(&[1i64, 2, 3, 4][..], true, Kind::Float);
        let mut changed = (clip - &mean) * gain + mean + shift;
        if self.noise > 0.0 {
            changed = &changed + changed.randn_like() * sigma;
        }
        changed.round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use tch::Device;

    fn batch() -> Tensor {
        Tensor::randint(200, [6, 3, 3, 4, 5], (Kind::Uint8, Device::Cpu))
    }

    fn apply(level: u64, batch: &Tensor, seed: u64) -> Tensor {
        VideoAugmentation::level(level).apply(batch, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn level_0_changes_nothing() {
        let batch = batch();
        assert_eq!(apply(0, &batch, 1), batch);
    }

    #[test]
    fn keeps_shape_and_kind() {
        let batch = batch();
        for level in 1..=3 {
            let changed = apply(level, &batch, 1);
            assert_eq!((changed.size(), changed.kind()), (batch.size(), Kind::Uint8));
            assert_ne!(changed, batch);
        }
    }

    #[test]
    fn depends_on_the_generator() {
        let batch = batch();
        assert_eq!(apply(1, &batch, 1), apply(1, &batch, 1));
        assert_ne!(apply(1, &batch, 1), apply(1, &batch, 2));
    }

    #[test]
    fn equal_frames_stay_equal() {
        let still = batch().narrow(1, 0, 1).expand([6, 3, 3, 4, 5], false).contiguous();
        let changed = apply(1, &still, 1);
        for frame in 1..3 {
            assert_eq!(changed.select(1, frame), changed.select(1, 0));
        }
    }
}
