//! Finds what shows the same as something earlier, without comparing all with all.

use std::collections::{HashMap, HashSet};

use crate::fingerprint::Fingerprint;
use crate::fingerprint::clip::{Clip, TOLERANCE};

/// One more band than bits may differ: two hashes that are close agree on one band at least.
const BANDS: u32 = TOLERANCE + 1;
/// Bits of a band, the last of which is shorter.
const BAND_BITS: u32 = u64::BITS.div_ceil(BANDS);
/// Frames by which clips are looked up, the most telling first: titles and fades are at the ends.
const LOOKED_UP: [usize; 3] = [1, 0, 2];

/// A file as it is compared.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// SHA-256 of its bytes: the same bytes are duplicates even where there is nothing to compare.
    pub sha256: &'a str,
    /// What it was made from: files of one recording share a part, so they are no duplicates.
    pub recording: &'a str,
    /// What it looks or sounds like.
    pub fingerprint: &'a Fingerprint,
}

impl Seen<'_> {
    /// `shift` says where a sound begins in the other.
    fn repeats(&self, other: &Seen, shift: i64) -> bool {
        let alike = || self.fingerprint.alike(other.fingerprint, shift);
        (self.sha256 == other.sha256 || alike()) && self.recording != other.recording
    }
}

/// For each file the earliest one before it that it repeats, among those that repeat none
/// themselves. What comes later in `files` changes nothing for what comes before.
pub fn duplicates(files: &[Seen]) -> Vec<Option<usize>> {
    let mut index = Index::default();
    let find = |(at, file): (usize, &Seen)| {
        let near = index.near(file);
        let repeated = near.into_iter().filter(|(at, shift)| file.repeats(&files[*at], *shift));
        let found = repeated.map(|(at, _)| at).min();
        if found.is_none() {
            index.add(at, file);
        }
        found
    };
    files.iter().enumerate().map(find).collect()
}

/// A band of one frame's hash, a word of a sound, or the bytes.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Band { frame: usize, band: u32, bits: u64 },
    Word(u32),
    Bytes(String),
}

/// Files by key, each with the place where the key stands in its sound.
#[derive(Default)]
struct Index(HashMap<Key, Vec<(usize, i64)>>);

impl Index {
    /// Files that share a key, and how far this one is shifted against them then.
    fn near(&self, file: &Seen) -> HashSet<(usize, i64)> {
        let keys =
            keys(file).into_iter().filter_map(|(key, place)| Some((self.0.get(&key)?, place)));
        let files = |(files, place): (&Vec<(usize, i64)>, i64)| -> Vec<(usize, i64)> {
            files.iter().map(|(file, there)| (*file, place - there)).collect()
        };
        keys.flat_map(files).collect()
    }

    fn add(&mut self, at: usize, file: &Seen) {
        for (key, place) in keys(file) {
            self.0.entry(key).or_default().push((at, place));
        }
    }
}

fn keys(file: &Seen) -> Vec<(Key, i64)> {
    let mut keys = match file.fingerprint {
        Fingerprint::Clip(clip) => bands(clip).into_iter().map(|key| (key, 0)).collect(),
        Fingerprint::Sound(sound) => {
            sound.landmarks().map(|(word, place)| (Key::Word(word), place)).collect::<Vec<_>>()
        }
    };
    keys.push((Key::Bytes(file.sha256.to_owned()), 0));
    keys
}

/// Clips that are alike are flat in the same frames, so both are looked up by the same frame.
fn bands(clip: &Clip) -> Vec<Key> {
    let telling = LOOKED_UP.into_iter().find_map(|frame| Some((frame, clip.0[frame]?)));
    let bands = telling.into_iter().flat_map(|(frame, hash)| {
        (0..BANDS).map(move |band| {
            let bits = (hash >> (band * BAND_BITS)) & ((1 << BAND_BITS) - 1);
            Key::Band { frame, band, bits }
        })
    });
    bands.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::audio::Sound;
    use proptest::prelude::*;

    fn brute_force(files: &[Seen]) -> Vec<Option<usize>> {
        let mut found: Vec<Option<usize>> = Vec::new();
        for file in files {
            let repeats = |at: &usize| found[*at].is_none() && file.repeats(&files[*at], 0);
            let first = (0..found.len()).find(repeats);
            found.push(first);
        }
        found
    }

    /// A few base hashes, each with up to six bits flipped: near, just within and just beyond.
    fn hash() -> impl Strategy<Value = Option<u64>> {
        let flips = prop::collection::vec(0..64_u32, 0..7);
        let near = (0..3_u64, flips).prop_map(|(base, flips)| {
            let base = base.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            Some(flips.into_iter().fold(base, |hash, bit| hash ^ (1 << bit)))
        });
        prop_oneof![1 => Just(None), 6 => near]
    }

    proptest! {
        #[test]
        fn the_search_is_exact(
            files in prop::collection::vec(([hash(), hash(), hash()], 0..8_u8, 0..30_u8), 0..60)
        ) {
            let names: Vec<(String, String)> =
                files.iter().map(|(_, r, s)| (r.to_string(), s.to_string())).collect();
            let clips: Vec<Fingerprint> =
                files.iter().map(|(clip, ..)| Fingerprint::Clip(Clip(*clip))).collect();
            let seen: Vec<Seen> = clips.iter().zip(&names)
                .map(|(clip, (r, s))| Seen { sha256: s, recording: r, fingerprint: clip })
                .collect();
            let found = duplicates(&seen);
            prop_assert_eq!(&found, &brute_force(&seen));
            // Whatever is added later, what was decided stays.
            let half = seen.len() / 2;
            prop_assert_eq!(&duplicates(&seen[..half]), &found[..half]);
        }

        #[test]
        fn every_pair_within_the_tolerance_shares_a_band(
            hash in any::<u64>(), flips in prop::collection::vec(0..64_u32, 0..=TOLERANCE as usize)
        ) {
            let other = flips.into_iter().fold(hash, |hash, bit| hash ^ (1 << bit));
            let clips = [hash, other].map(|hash| Fingerprint::Clip(Clip([Some(hash); 3])));
            let seen = |name, fingerprint| Seen { sha256: name, recording: name, fingerprint };
            prop_assert_eq!(
                duplicates(&[seen("a", &clips[0]), seen("b", &clips[1])]), [None, Some(0)]
            );
        }
    }

    #[test]
    fn twins_are_no_duplicates_and_the_same_bytes_are_even_when_flat() {
        let [clip, flat] = [Some(7), None].map(|hash| Fingerprint::Clip(Clip([hash; 3])));
        let seen = |sha256, recording, fingerprint| Seen { sha256, recording, fingerprint };
        assert_eq!(duplicates(&[seen("1", "a", &clip), seen("2", "a", &clip)]), [None, None]);
        let files = [seen("1", "a", &flat), seen("2", "b", &flat), seen("1", "c", &flat)];
        assert_eq!(duplicates(&files), [None, None, Some(0)]);
    }

    #[test]
    fn a_sound_is_found_again_though_it_begins_later_and_has_errors() {
        let word = |at: u32| Some(at.wrapping_mul(0x9e37_79b9) | 1);
        let sound = |words: Vec<Option<u32>>| Fingerprint::Sound(Sound(words.into()));
        let whole = sound((0..300).map(word).collect());
        // Half of the words have a quarter of their bits wrong.
        let wrong = |at: u32| {
            word(at).map(|word| if at.is_multiple_of(2) { word ^ 0x0101_0f04 } else { word })
        };
        let later = sound((60..300).map(wrong).collect());
        let other = sound((1000..1300).map(word).collect());
        let silent = sound(vec![None; 300]);
        let all = [&whole, &later, &other, &silent, &silent];
        let names = ["a", "b", "c", "d", "e"];
        let seen = |(fingerprint, name)| Seen { sha256: name, recording: name, fingerprint };
        let seen: Vec<Seen> = all.into_iter().zip(names).map(seen).collect();
        assert_eq!(duplicates(&seen), [None, Some(0), None, None, None]);
    }
}
