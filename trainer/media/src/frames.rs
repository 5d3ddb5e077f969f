//! Which frames of a clip are stored. Pure.

use dfr_contract::input::Preprocessing;

/// Indices of the stored frames in a clip of `total` frames, ascending; fewer than `wanted` when the
/// clip is shorter (the last frame is then repeated after decoding).
///
/// # Source
/// dfresearch `VideoDeepfakeDataset`: `linspace(0, total - 1, n)` truncated to int. gasbench: the
/// first `n` frames.
pub fn indices(total: u64, wanted: u32, style: Preprocessing) -> Vec<u64> {
    let wanted = u64::from(wanted);
    match style {
        Preprocessing::Original if total > wanted && wanted > 1 => spread(total, wanted),
        Preprocessing::Original | Preprocessing::Benchmark => (0..total.min(wanted)).collect(),
    }
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
        let original = |total, n| indices(total, n, Preprocessing::Original);
        assert_eq!(original(25, 8), [0, 3, 6, 10, 13, 17, 20, 24]);
        assert_eq!(original(300, 4), [0, 99, 199, 299]);
        assert_eq!(original(8, 8), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(original(3, 8), [0, 1, 2]);
        assert_eq!(original(9, 1), [0]);
        assert_eq!(original(0, 8), [0; 0]);
    }

    #[test]
    fn the_benchmark_takes_the_first_frames() {
        assert_eq!(indices(25, 4, Preprocessing::Benchmark), [0, 1, 2, 3]);
        assert_eq!(indices(2, 4, Preprocessing::Benchmark), [0, 1]);
    }

    proptest! {
        #[test]
        fn ascending_within_the_clip_from_first_to_last(total in 2_u64..5000, wanted in 2_u32..64) {
            let indices = indices(total, wanted, Preprocessing::Original);
            prop_assert_eq!(indices.len() as u64, total.min(u64::from(wanted)));
            prop_assert!(indices.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!((indices[0], *indices.last().unwrap()), (0, total - 1));
        }
    }
}
