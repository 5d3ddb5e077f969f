//! Resampling, beside soxr's `HQ`.

use std::f64::consts::TAU;

use crate::reference::samples;
use dfr_codecs::resample;

const TO_HZ: u32 = 16_000;

/// Amplitude of a frequency, through a Hann window.
fn amplitude(samples: &[f32], cycles_per_sample: f64) -> f64 {
    let length = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let hann = 1.0 - (TAU * at as f64 / length).cos();
        let (sin, cos) = (TAU * cycles_per_sample * at as f64).sin_cos();
        re += f64::from(*sample) * hann * cos;
        im += f64::from(*sample) * hann * sin;
    }
    2.0 * re.hypot(im) / length
}

fn tone(rate: u32, hz: f64) -> Vec<f32> {
    (0..rate / 2).map(|at| (TAU * hz * f64::from(at) / f64::from(rate)).sin() as f32).collect()
}

#[test]
fn noise_is_that_of_soxr_in_the_pass_band() {
    for from_hz in [8_000, 11_025, 22_050, 44_100, 48_000] {
        let ours = resample(&samples(&format!("noise_{from_hz}.f32")), from_hz, TO_HZ);
        let theirs = samples(&format!("noise_{from_hz}_16000.f32"));
        let off: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        let band = 0.9 * f64::from(from_hz.min(TO_HZ)) / 2.0;
        for step in 1..60 {
            let cycles = band * f64::from(step) / 60.0 / f64::from(TO_HZ);
            let error = 20.0 * (amplitude(&off, cycles) / amplitude(&theirs, cycles)).log10();
            assert!(error < -60.0, "{from_hz} Hz, {cycles}: {error} dB");
        }
    }
}

#[test]
fn nothing_above_the_band_comes_back() {
    for hz in [8_100.0, 9_000.0, 12_000.0, 15_900.0, 20_000.0] {
        let resampled = resample(&tone(44_100, hz), 44_100, TO_HZ);
        let middle = &resampled[500..resampled.len() - 500];
        let loudest = middle.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(loudest < 1e-4, "{hz} Hz: {loudest}");
    }
}

#[test]
fn a_tone_keeps_its_level_and_its_time() {
    for (from_hz, to_hz) in [(44_100, TO_HZ), (8_000, TO_HZ), (44_101, TO_HZ), (TO_HZ, 44_100)] {
        let resampled = resample(&tone(from_hz, 1000.0), from_hz, to_hz);
        let off = |at: usize| {
            let expected = (TAU * 1000.0 * at as f64 / f64::from(to_hz)).sin();
            (f64::from(resampled[at]) - expected).abs()
        };
        let most = (500..resampled.len() - 500).map(off).fold(0.0, f64::max);
        assert!(most < 1e-4, "{from_hz} to {to_hz}: {most}");
    }
}

#[test]
fn the_length_is_exact() {
    for samples in [0, 1, 2, 3, 440, 441, 442] {
        let sound = vec![0.5; samples];
        assert_eq!(resample(&sound, 44_100, TO_HZ).len(), (samples * 160).div_ceil(441));
        assert_eq!(resample(&sound, 8_000, TO_HZ).len(), samples * 2);
        assert_eq!(resample(&sound, TO_HZ, TO_HZ), sound);
    }
}
