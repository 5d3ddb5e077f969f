use super::*;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const RATE: u32 = 8000;

/// Least share of differing bits over all shifts; none when there is too little to compare.
fn distance(one: &Sound, other: &Sound) -> Option<f64> {
    let rates = (-MOST_SHIFT..=MOST_SHIFT).filter_map(|shift| one.error_rate(other, shift));
    rates.min_by(f64::total_cmp)
}

/// Four seconds of notes that come and go, with overtones.
fn melody(seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let notes: Vec<(f64, f64, f64)> = (0..60)
        .map(|_| {
            (
                rng.random_range(0.0..4.0),
                rng.random_range(150.0..1200.0),
                rng.random_range(0.05..0.3),
            )
        })
        .collect();
    let sample = |at: u32| {
        let t = f64::from(at) / f64::from(RATE);
        let heard = |(start, _, length): &&(f64, f64, f64)| (t - start).abs() < 4.0 * length;
        let tone = |(start, hertz, length): &(f64, f64, f64)| {
            let rise = (-((t - start) / length).powi(2)).exp();
            let overtone = |n: f64| (std::f64::consts::TAU * hertz * n * t).sin() / n;
            rise * (1..=4).map(|n| overtone(f64::from(n))).sum::<f64>()
        };
        (0.05 * notes.iter().filter(heard).map(tone).sum::<f64>()) as f32
    };
    (0..4 * RATE).map(sample).collect()
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
}

#[test]
fn a_louder_a_noisy_and_a_shifted_copy_are_the_same_sound() {
    for seed in 0..2 {
        let original = melody(seed);
        let known = Sound::of_samples(&original, RATE);
        let to = |copy: &[f32]| distance(&known, &Sound::of_samples(copy, RATE)).unwrap();
        let quieter: Vec<f32> = original.iter().map(|s| s * 0.2).collect();
        assert!(to(&quieter) < 0.001, "seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed + 100);
        // 20 dB below the sound; uniform noise of amplitude a has a root mean square of a / √3.
        let amplitude = 3.0_f32.sqrt() * rms(&original) / 10.0;
        let noisy: Vec<f32> =
            original.iter().map(|s| s + rng.random_range(-amplitude..amplitude)).collect();
        let noise = to(&noisy);
        assert!(noise < SAME, "seed {seed}: {noise}");
        for cut in [40, 3210] {
            let shift = to(&original[cut..]);
            assert!(shift < SAME, "seed {seed}, {cut} samples: {shift}");
        }
    }
}

#[test]
fn other_sounds_differ_in_about_half_of_the_bits() {
    let sounds: Vec<Sound> = (0..5).map(|seed| Sound::of_samples(&melody(seed), RATE)).collect();
    for (i, one) in sounds.iter().enumerate() {
        for other in &sounds[..i] {
            let distance = distance(one, other).unwrap();
            assert!((SAME + 0.03..0.6).contains(&distance), "{distance}");
        }
    }
}

#[test]
fn silence_and_short_sounds_are_not_comparable() {
    let silence = Sound::of_samples(&vec![0.0; 4 * RATE as usize], RATE);
    assert!(!silence.0.is_empty() && silence.0.iter().all(Option::is_none));
    let short = Sound::of_samples(&melody(1)[..RATE as usize], RATE);
    assert!(!silence.alike(&silence, 0) && !short.alike(&short, 0));
    assert!(Sound::of_samples(&[0.1; 100], RATE).0.is_empty());
    assert!(Sound::of_samples(&[], RATE).0.is_empty());
}

#[test]
fn a_copy_shares_a_landmark_at_its_shift() {
    let original = melody(3);
    let hop = (FRAME * f64::from(RATE)) as usize / OVERLAP;
    let (known, copy) =
        (Sound::of_samples(&original, RATE), Sound::of_samples(&original[40 * hop..], RATE));
    let places: std::collections::HashMap<u32, i64> = known.landmarks().collect();
    let shifts = copy.landmarks().filter_map(|(word, at)| Some(places.get(&word)? - at));
    assert!(shifts.filter(|shift| *shift == 40).count() > 20);
    assert!(known.alike(&copy, 40) && copy.alike(&known, -40));
    assert!(!known.alike(&copy, 0) && !known.alike(&known, MOST_SHIFT + 1));
}

#[test]
fn text_and_back() {
    for words in [vec![], vec![Some(0), None, Some(u32::MAX)]] {
        let sound = Sound(words.into());
        assert_eq!(sound.to_string().parse(), Ok(sound));
    }
    for text in ["-", "0000000", "0000000g", "00000000-"] {
        assert_eq!(text.parse::<Sound>(), Err(NoSound), "{text}");
    }
}
