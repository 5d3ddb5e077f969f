//! Which frames of a clip are stored. Pure.

use std::num::NonZeroU32;

use dfr_contract::input::Preprocessing;

/// Indices of the stored frames in a clip of `total` frames, ascending; fewer than `wanted` when the
/// clip is shorter (the last frame is then repeated after decoding). The benchmark takes each `step`th.
///
/// # Source
/// dfresearch `VideoDeepfakeDataset`: `linspace(0, total - 1, n)` truncated to int. gasbench: the
/// first `n` frames, or of each [`step`]th.
pub fn indices(total: u64, (wanted, step): (u32, u64), style: Preprocessing) -> Vec<u64> {
    let frames = u64::from(wanted);
    match style {
        Preprocessing::Original if total > frames && frames > 1 => spread(total, frames),
        Preprocessing::Original => (0..total.min(frames)).collect(),
        Preprocessing::Benchmark => {
            (0..frames).map(|number| number * step).take_while(|index| *index < total).collect()
        }
    }
}

/// Frames from one that is taken to the next, for so many a second of a clip of `rate` a second.
///
/// # Source
/// gasbench: `max(1, round(fps / frame_rate))`, in Python's rounding; 30 where the clip does not tell.
pub fn step(rate: Option<f64>, wanted: NonZeroU32) -> u64 {
    let step = rate.unwrap_or(30.0) / f64::from(wanted.get());
    (step.round_ties_even() as u64).max(1)
}

fn spread(total: u64, wanted: u64) -> Vec<u64> {
    // As numpy: the step is rounded to f64 once, then multiplied; the last point is exact.
    let last = total - 1;
    let step = last as f64 / (wanted - 1) as f64;
    (0..wanted).map(|i| if i + 1 == wanted { last } else { (i as f64 * step) as u64 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_numpy_linspace_truncated() {
        // np.linspace(0, total - 1, n).astype(int)
        let original = |total, n| indices(total, (n, 1), Preprocessing::Original);
        assert_eq!(original(25, 8), [0, 3, 6, 10, 13, 17, 20, 24]);
        assert_eq!(original(300, 4), [0, 99, 199, 299]);
        assert_eq!(original(8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(original(3, 8), [0, 1, 2]);
        assert_eq!(original(9, 1), [0]);
        assert_eq!(original(0, 8), [0; 0]);
    }

    #[test]
    fn the_benchmark_takes_the_first_frames() {
        let benchmark = |total, wanted| indices(total, wanted, Preprocessing::Benchmark);
        assert_eq!(benchmark(25, (4, 1)), [0, 1, 2, 3]);
        assert_eq!(benchmark(2, (4, 1)), [0, 1]);
        assert_eq!(benchmark(25, (4, 4)), [0, 4, 8, 12]);
        assert_eq!(benchmark(10, (4, 4)), [0, 4, 8]);
    }

    #[test]
    fn a_rate_takes_the_nearest_whole_step() {
        let of = |rate, wanted| step(rate, NonZeroU32::new(wanted).unwrap());
        assert_eq!([of(Some(25.0), 8), of(Some(29.97), 8), of(None, 8)], [3, 4, 4]);
        // Python rounds a half to the even one.
        assert_eq!([of(Some(20.0), 8), of(Some(28.0), 8), of(Some(5.0), 30)], [2, 4, 1]);
    }

    proptest! {
        #[test]
        fn ascending_within_the_clip_from_first_to_last(total in 2_u64..5000, wanted in 2_u32..64) {
            let indices = indices(total, (wanted, 1), Preprocessing::Original);
            prop_assert_eq!(indices.len() as u64, total.min(u64::from(wanted)));
            prop_assert!(indices.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!((indices[0], *indices.last().unwrap()), (0, total - 1));
        }
    }
}
