//! Finds what shows the same as something earlier, without comparing all with all.

use std::collections::HashMap;

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
    /// What it shows.
    pub clip: Clip,
}

impl Seen<'_> {
    fn repeats(&self, other: &Seen) -> bool {
        let same = self.sha256 == other.sha256 || self.clip.alike(&other.clip);
        same && self.recording != other.recording
    }
}

/// For each file the earliest one before it that it repeats, among those that repeat none
/// themselves. What comes later in `files` changes nothing for what comes before.
pub fn duplicates(files: &[Seen]) -> Vec<Option<usize>> {
    let mut index = Index::default();
    let find = |(at, file): (usize, &Seen)| {
        let near = index.near(file);
        let found = near.into_iter().filter(|earlier| file.repeats(&files[*earlier])).min();
        if found.is_none() {
            index.add(at, file);
        }
        found
    };
    files.iter().enumerate().map(find).collect()
}

/// A band of one frame's hash, or the bytes.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Band { frame: usize, band: u32, bits: u64 },
    Bytes(String),
}

#[derive(Default)]
struct Index(HashMap<Key, Vec<usize>>);

impl Index {
    fn near(&self, file: &Seen) -> Vec<usize> {
        keys(file).iter().filter_map(|key| self.0.get(key)).flatten().copied().collect()
    }

    fn add(&mut self, at: usize, file: &Seen) {
        for key in keys(file) {
            self.0.entry(key).or_default().push(at);
        }
    }
}

/// Clips that are alike are flat in the same frames, so both are looked up by the same frame.
fn keys(file: &Seen) -> Vec<Key> {
    let telling = LOOKED_UP.into_iter().find_map(|frame| Some((frame, file.clip.0[frame]?)));
    let bands = telling.into_iter().flat_map(|(frame, hash)| {
        (0..BANDS).map(move |band| {
            let bits = (hash >> (band * BAND_BITS)) & ((1 << BAND_BITS) - 1);
            Key::Band { frame, band, bits }
        })
    });
    bands.chain([Key::Bytes(file.sha256.to_owned())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute_force(files: &[Seen]) -> Vec<Option<usize>> {
        let mut found: Vec<Option<usize>> = Vec::new();
        for file in files {
            let repeats = |at: &usize| found[*at].is_none() && file.repeats(&files[*at]);
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
            let seen: Vec<Seen> = files.iter().zip(&names)
                .map(|((clip, ..), (r, s))| Seen { sha256: s, recording: r, clip: Clip(*clip) })
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
            let seen = |recording, hash| Seen { sha256: recording, recording, clip: Clip([Some(hash); 3]) };
            prop_assert_eq!(duplicates(&[seen("a", hash), seen("b", other)]), [None, Some(0)]);
        }
    }

    #[test]
    fn twins_are_no_duplicates_and_the_same_bytes_are_even_when_flat() {
        let clip = Clip([Some(7); 3]);
        let seen = |sha256, recording, clip| Seen { sha256, recording, clip };
        assert_eq!(duplicates(&[seen("1", "a", clip), seen("2", "a", clip)]), [None, None]);
        let flat = Clip([None; 3]);
        let files = [seen("1", "a", flat), seen("2", "b", flat), seen("1", "c", flat)];
        assert_eq!(duplicates(&files), [None, None, Some(0)]);
    }
}
