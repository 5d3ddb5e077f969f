//! A sound to one record.

use dfr_codecs::{Section, Undecodable};
use dfr_contract::input::SoundSpec;
use dfr_contract::pack::Part;

use crate::decode::Decoded;
use crate::fingerprint::Fingerprint;
use crate::fingerprint::audio::Sound;

/// What 32768 stands for.
const FULL_SCALE: f32 = 32_768.0;

/// Seconds that the fingerprint is of, at most: it stays on disk for every file.
const FINGERPRINT_S: u32 = 4;
/// Seconds that are decoded beyond what is stored, on each side.
const MARGIN_S: f64 = 0.5;

/// Decodes the bytes of a file to `N` samples of one channel. A sound that is longer gives its middle:
/// what a benchmark measures, what training draws from is centred on the same, and of two cuts of one
/// recording the middles have most in common. A shorter one is followed by silence. Where the file
/// says how long it is, what lies far from the middle is not decoded.
///
/// # Errors
/// Not a sound, or a damaged one; the message is the reason.
pub fn decode(file: &[u8], spec: SoundSpec, part: Part) -> Result<Decoded, String> {
    let sound = read(file, spec).map_err(|error| error.to_string())?;
    let mono = dfr_codecs::resample(&sound.samples, sound.rate_hz, spec.sample_rate_hz);
    Ok(record(&mono, spec, part))
}

/// The same samples for every part, so that they have the same middle.
fn read(file: &[u8], spec: SoundSpec) -> Result<dfr_codecs::Sound, Undecodable> {
    let wanted = f64::from(spec.stored_samples) / f64::from(spec.sample_rate_hz) + 2.0 * MARGIN_S;
    let beyond = dfr_codecs::length_s(file)?.map_or(0.0, |length| length - wanted);
    if beyond > 0.0 {
        let middle = Section { first_s: beyond / 2.0, seconds: wanted };
        // Where the length was an estimate and wrong, the whole is decoded.
        if let Ok(sound) = dfr_codecs::sound(file, middle) {
            return Ok(sound);
        }
    }
    dfr_codecs::sound(file, Section::first(f64::INFINITY))
}

/// The record of mono samples at the rate of `spec`, 1 being full scale.
fn record(mono: &[f32], spec: SoundSpec, part: Part) -> Decoded {
    let SoundSpec { sample_rate_hz: rate, samples, stored_samples } = spec;
    let stored = if part == Part::Train { stored_samples } else { samples };
    let kept = middle(mono, stored);
    let mut bytes: Vec<u8> = kept.iter().flat_map(|s| quantise(*s).to_le_bytes()).collect();
    bytes.resize(stored as usize * size_of::<i16>(), 0);
    let fingerprint = Sound::of_samples(middle(mono, FINGERPRINT_S.saturating_mul(rate)), rate);
    let length = u32::try_from(kept.len()).expect("at most what is stored");
    Decoded { bytes, length, fingerprint: Fingerprint::Sound(fingerprint) }
}

/// At most so many samples from the middle.
fn middle(samples: &[f32], most: u32) -> &[f32] {
    let most = samples.len().min(most as usize);
    &samples[(samples.len() - most) / 2..][..most]
}

fn quantise(sample: f32) -> i16 {
    // A cast of a float saturates: what is beyond full scale is clipped.
    (sample.clamp(-1.0, 1.0) * FULL_SCALE).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: SoundSpec = SoundSpec { sample_rate_hz: 8000, samples: 4, stored_samples: 6 };

    fn stored(mono: &[f32], part: Part) -> (Vec<i16>, u32) {
        let Decoded { bytes, length, .. } = record(mono, SPEC, part);
        let sample = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]);
        (bytes.chunks(2).map(sample).collect(), length)
    }

    #[test]
    fn the_middle_is_kept_and_what_is_short_is_followed_by_silence() {
        let steps = |range: std::ops::RangeInclusive<i16>| -> Vec<f32> {
            range.map(|step| f32::from(step) / FULL_SCALE).collect()
        };
        let long = steps(1..=9);
        assert_eq!(stored(&long, Part::Train), (vec![2, 3, 4, 5, 6, 7], 6));
        assert_eq!(stored(&long, Part::Validation), (vec![3, 4, 5, 6], 4));
        assert_eq!(stored(&long, Part::Holdout), (vec![3, 4, 5, 6], 4));
        let short = steps(1..=3);
        assert_eq!(stored(&short, Part::Train), (vec![1, 2, 3, 0, 0, 0], 3));
        assert_eq!(stored(&short, Part::Validation), (vec![1, 2, 3, 0], 3));
    }

    #[test]
    fn samples_are_rounded_and_clipped() {
        let sound = [1.0, -1.0, 7.0, f32::NAN];
        assert_eq!(stored(&sound, Part::Holdout).0, [i16::MAX, i16::MIN, i16::MAX, 0]);
        assert_eq!((quantise(0.6 / FULL_SCALE), quantise(-0.4 / FULL_SCALE)), (1, 0));
    }

    #[test]
    fn a_sound_has_one_fingerprint_in_every_part() {
        let sound: Vec<f32> = (0..40_001).map(|at| (at as f32 * 0.2).sin() * 0.3).collect();
        let [train, holdout] = [Part::Train, Part::Holdout].map(|p| record(&sound, SPEC, p));
        assert_eq!(train.fingerprint, holdout.fingerprint);
        let Fingerprint::Sound(Sound(words)) = train.fingerprint else { panic!("a sound") };
        // Of four seconds: no more is kept.
        assert!((250..350).contains(&words.len()) && words.iter().all(Option::is_some));
    }
}
