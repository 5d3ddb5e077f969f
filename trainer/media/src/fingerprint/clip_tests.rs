use super::*;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A planar RGB picture with features of several sizes: random levels at 5 × 5, 9 × 9 and 17 × 17
/// points, with straight lines between them.
fn picture(seed: u64, height: usize, width: usize) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let grids = [4, 8, 16].map(|cells: usize| {
        (0..=cells).map(|_| (0..=cells).map(|_| rng.random_range(0.0..80.0)).collect()).collect()
    });
    let level = |y: usize, x: usize| {
        let of_grid = |grid: &Vec<Vec<f64>>| {
            let cells = grid.len() - 1;
            let place =
                |at: usize, of: usize| (at * cells / of, (at * cells % of) as f64 / of as f64);
            let ((y, below), (x, beside)) = (place(y, height), place(x, width));
            let row = |y: usize| grid[y][x] * (1.0 - beside) + grid[y][x + 1] * beside;
            row(y) * (1.0 - below) + row(y + 1) * below
        };
        (8.0 + grids.iter().map(of_grid).sum::<f64>()) as u8
    };
    let row = |y: usize| (0..width).map(move |x| (y, x));
    let plane: Vec<u8> = (0..height).flat_map(row).map(|(y, x)| level(y, x)).collect();
    plane.repeat(3)
}

/// Every pixel four times.
fn doubled(picture: &[u8], side: usize) -> Vec<u8> {
    let rows = picture.chunks(side).flat_map(|row| [row, row]);
    rows.flatten().flat_map(|level| [*level; 2]).collect()
}

fn still(frame: &[u8], side: u64) -> Clip {
    Clip::of_record(frame, &[1, 3, side, side])
}

fn differing(a: Clip, b: Clip) -> u32 {
    (a.0[0].unwrap() ^ b.0[0].unwrap()).count_ones()
}

#[test]
fn noise_brightness_and_another_size_change_few_bits() {
    for seed in 0..20 {
        let original = picture(seed, 96, 96);
        let hash = still(&original, 96);
        let mut rng = ChaCha8Rng::seed_from_u64(seed + 1000);
        let noisy: Vec<u8> =
            original.iter().map(|l| l.saturating_add_signed(rng.random_range(-3..=3))).collect();
        let darker: Vec<u8> = original.iter().map(|l| l / 10 * 9).collect();
        for other in [still(&noisy, 96), still(&darker, 96), still(&doubled(&original, 96), 192)] {
            assert!(hash.alike(&other), "seed {seed}: {} bits", differing(hash, other));
        }
    }
}

#[test]
fn other_pictures_differ_in_many_bits() {
    let hashes: Vec<Clip> = (0..100).map(|seed| still(&picture(seed, 96, 96), 96)).collect();
    for (i, a) in hashes.iter().enumerate() {
        for b in &hashes[..i] {
            assert!(!a.alike(b) && differing(*a, *b) > 2 * TOLERANCE);
        }
    }
}

#[test]
fn a_flat_frame_has_no_hash_and_flat_clips_are_like_nothing() {
    let flat = |level: u8| still(&vec![level; 3 * 96 * 96], 96);
    let ramp: Vec<u8> = (0..3 * 96 * 96).map(|at| ((at / 96 % 96) * 2) as u8).collect();
    let mut noise = vec![0; 3 * 96 * 96];
    ChaCha8Rng::seed_from_u64(3).fill_bytes(&mut noise);
    let grain: Vec<u8> = noise.iter().map(|n| 100 + n % 5).collect();
    for clip in [flat(0), flat(77), flat(255), still(&ramp, 96), still(&grain, 96)] {
        assert_eq!(clip, Clip([None; 3]));
        assert!(!clip.alike(&clip) && clip.is_flat());
    }
}

#[test]
fn the_first_the_middle_and_the_last_frame_count_each() {
    let frames = |seeds: [u64; 5]| {
        let record: Vec<u8> = seeds.iter().flat_map(|seed| picture(*seed, 48, 48)).collect();
        Clip::of_record(&record, &[5, 3, 48, 48])
    };
    let clip = frames([1, 2, 3, 4, 5]);
    assert!(clip.alike(&frames([1, 7, 3, 8, 5])), "frames in between do not");
    for other in [[9, 2, 3, 4, 5], [1, 2, 9, 4, 5], [1, 2, 3, 4, 9]] {
        assert!(!clip.alike(&frames(other)), "{other:?}");
    }
    let black = |clip: Clip| Clip([None, clip.0[1], clip.0[2]]);
    assert!(black(clip).alike(&black(clip)) && !black(clip).alike(&clip));
}

#[test]
fn text_and_back() {
    for clip in [Clip([Some(0), None, Some(u64::MAX)]), Clip([None; 3])] {
        assert_eq!(clip.to_string().parse(), Ok(clip));
    }
    for text in ["", "flat", "flat\tflat", "flat\tflat\tflat\tflat", "flat\tflat\tx"] {
        assert!(text.parse::<Clip>().is_err(), "{text}");
    }
}
