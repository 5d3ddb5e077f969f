//! Sound, beside what libsndfile and mpg123 make of the same files.

use crate::reference::{bytes, references, samples};
use dfr_codecs::{Section, Undecodable, length_s, sound};

const WHOLE: Section = Section { first_s: 0.0, seconds: 60.0 };

fn is_lossy(name: &str) -> bool {
    name.ends_with(".mp3") || name.ends_with(".ogg")
}

#[test]
fn lossless_sound_is_exact() {
    let mut compared = 0;
    for (name, is) in references().into_iter().filter(|(_, is)| is["rate"].is_u64()) {
        let sound = sound(&bytes(&name), WHOLE).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(u64::from(sound.rate_hz), is["rate"], "{name}");
        assert_eq!(u64::from(sound.channels), is["channels"], "{name}");
        assert_eq!(sound.samples.len() as u64, is["frames"], "{name}");
        if !is_lossy(&name) {
            let bytes: Vec<u8> = sound.samples.iter().flat_map(|it| it.to_le_bytes()).collect();
            assert_eq!(u64::from(crc32fast::hash(&bytes)), is["crc32"], "{name}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared} files");
}

#[test]
fn lossy_sound_is_within_a_thousandth() {
    for name in ["stereo.mp3", "vorbis.ogg"] {
        let (ours, theirs) =
            (sound(&bytes(name), WHOLE).unwrap().samples, samples(&format!("{name}.f32")));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off < 1e-3, "{name}: {off}");
    }
}

/// Where an MP4 says that its encoder put 1024 samples before the sound, they stay.
#[test]
fn mp4_is_that_of_ffmpeg() {
    let wav = sound(&bytes("pcm_16.wav"), WHOLE).unwrap();
    assert_eq!(sound(&bytes("alac.m4a"), WHOLE).unwrap(), wav);
    let (ours, theirs) = (sound(&bytes("aac.m4a"), WHOLE).unwrap(), samples("aac.m4a.f32"));
    let ours = &ours.samples[1024..];
    assert!(ours.len().abs_diff(theirs.len()) <= 1024, "{} {}", ours.len(), theirs.len());
    let off = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-3, "{off}");
}

/// Recordings of a broadcast begin within a frame that refers to one before.
#[test]
fn mp3_may_begin_anywhere() {
    let mp3 = bytes("mono.mp3");
    let whole = sound(&mp3, WHOLE).unwrap().samples.len();
    let rest = sound(&mp3[mp3.len() / 2 + 17..], WHOLE).unwrap().samples.len();
    assert!((whole / 3..whole * 2 / 3).contains(&rest), "{rest} of {whole}");
}

#[test]
fn a_section_is_cut_from_the_whole() {
    for name in ["pcm_24.wav", "24.flac", "16.aiff", "mono.mp3", "vorbis.ogg"] {
        let (file, whole) = (bytes(name), sound(&bytes(name), WHOLE).unwrap());
        for first_s in [0.0, 0.05, 1.5] {
            let first = (first_s * f64::from(whole.rate_hz)).round() as usize;
            let part = sound(&file, Section { first_s, seconds: 0.1 });
            if first >= whole.samples.len() {
                assert!(matches!(part, Err(Undecodable::Silent(_))), "{name}: {part:?}");
                continue;
            }
            let part = part.unwrap().samples;
            let end = (first + whole.rate_hz as usize / 10).min(whole.samples.len());
            let expected = &whole.samples[first..end];
            assert_eq!(part.len(), expected.len(), "{name} from {first_s}");
            let off = part.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{name} from {first_s}: {off}");
        }
    }
}

#[test]
fn a_header_tells_the_length() {
    for (name, is) in references().into_iter().filter(|(_, is)| is["rate"].is_u64()) {
        let expected = is["frames"].as_f64().unwrap() / is["rate"].as_f64().unwrap();
        let told = length_s(&bytes(&name)).unwrap().unwrap_or_else(|| panic!("{name}"));
        assert!((told - expected).abs() < 1e-3, "{name}: {told} instead of {expected}");
    }
}

#[test]
fn absurd_headers_are_refused_by_name() {
    let wav = bytes("pcm_16.wav");
    let with = |at: usize, value: &[u8]| {
        let mut changed = wav.clone();
        changed[at..at + value.len()].copy_from_slice(value);
        sound(&changed, WHOLE)
    };
    assert_eq!(with(24, &2_000_000_u32.to_le_bytes()), Err(Undecodable::Rate(2_000_000)));
    for (what, changed) in [
        ("0 Hz", with(24, &[0; 4])),
        ("0 channels", with(22, &[0; 2])),
        ("100 channels", with(22, &[100, 0])),
        ("0 bits", with(34, &[0; 2])),
    ] {
        assert!(changed.is_err(), "{what}: {changed:?}");
    }
}

#[test]
fn what_is_cut_off_or_no_number_is_refused() {
    let wav = bytes("pcm_16.wav");
    let cut = sound(&wav[..wav.len() - 1000], WHOLE);
    assert!(matches!(cut, Err(Undecodable::Truncated(_))), "{cut:?}");
    let flac = bytes("24.flac");
    let cut = sound(&flac[..flac.len() / 2], WHOLE);
    assert!(cut.is_err(), "{cut:?}");
    let mut float = bytes("float.wav");
    let last = float.len() - 400;
    float[last..last + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(sound(&float, WHOLE), Err(Undecodable::NotFinite(_))));
}

#[test]
fn what_is_not_decoded_is_named() {
    assert_eq!(sound(&bytes("opus.ogg"), WHOLE), Err(Undecodable::Unsupported("Opus".into())));
    assert_eq!(sound(&[], WHOLE), Err(Undecodable::Empty));
    let text = sound(b"<html>not found</html>", WHOLE);
    assert!(matches!(text, Err(Undecodable::Unknown(_))), "{text:?}");
}
