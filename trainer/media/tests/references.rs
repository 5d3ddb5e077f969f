//! Records beside what PIL, OpenCV, soundfile and soxr make of the same files.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dfr_contract::input::{FrameSpec, Preprocessing, SoundSpec};
use dfr_contract::pack::Part;
use dfr_media::decode::{Kept, picture, sound};

/// As in tests/data/references.py.
const SIDE: u32 = 32;
const SPEC: SoundSpec = SoundSpec { sample_rate_hz: 16_000, samples: 3200, stored_samples: 4800 };

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/references").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(place(name)).unwrap()
}

fn numbers(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn pictures_are_those_of_pil_and_opencv() {
    for name in ["wide.jpg", "tall.png", "small.png", "square.webp"] {
        for preprocessing in [Preprocessing::Original, Preprocessing::Benchmark] {
            let frame = FrameSpec { height: SIDE, width: SIDE, preprocessing };
            let ours = picture::decode(&bytes(name), frame, Kept::AsItIs).unwrap().bytes;
            let theirs = bytes(&format!("{name}.{}", preprocessing.as_str()));
            assert_eq!(ours, theirs, "{name} {preprocessing:?}");
        }
    }
}

#[test]
fn sounds_are_those_of_soundfile_and_soxr() {
    let lengths: BTreeMap<String, u32> = serde_json::from_slice(&bytes("lengths.json")).unwrap();
    for (name, part) in ["stereo.wav", "short.flac", "same.wav", "stereo.mp3"]
        .into_iter()
        .flat_map(|name| [(name, Part::Train), (name, Part::Holdout)])
    {
        let case = format!("{name}.{}", part.as_str());
        let decoded = sound::decode(&bytes(name), SPEC, part).unwrap();
        assert_eq!(decoded.length, lengths[&case], "{case}");
        let (ours, theirs) = (numbers(&decoded.bytes), numbers(&bytes(&case)));
        assert_eq!(ours.len(), theirs.len(), "{case}");
        let energy = |samples: &mut dyn Iterator<Item = f64>| samples.map(|s| s * s).sum::<f64>();
        let off = energy(&mut ours.iter().zip(&theirs).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let all = energy(&mut theirs.iter().map(|sample| f64::from(*sample)));
        let decibel = 10.0 * (off / all).log10();
        println!("{case}: {decibel:.1} dB");
        assert!(decibel < -50.0, "{case}: {decibel} dB");
    }
}
