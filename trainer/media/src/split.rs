//! Which part of a pack a recording belongs to, and which files of train a cut leaves. Pure.
//!
//! Both are keyed hashes of names, so a recording's part depends on nothing but its name: data that
//! is added, removed or downloaded in another order never moves a file from one part to another. The
//! keys are public, so that two machines agree; where a record stands is the
//! [secret's](crate::secret) to say.

use dfr_contract::input::SplitShares;
use dfr_contract::pack::Part;

/// Fixed for ever: another key would move validation recordings into train.
const PART_KEY: &[u8; 32] = b"dfr: part of a source recording.";
/// Separate from [`PART_KEY`], so that what is cut has nothing to do with the part.
const CUT_KEY: &[u8; 32] = b"dfr: which files of train stay. ";

/// The part of a recording. All files made from one recording share it.
pub fn part_of(recording: &str, shares: &SplitShares) -> Part {
    let percent = percent(keyed(PART_KEY, recording));
    if percent < shares.train {
        Part::Train
    } else if percent < shares.train + shares.validation {
        Part::Validation
    } else {
        Part::Holdout
    }
}

/// Sorting by this ranks files: a cut keeps the first, so a file that is added takes the place of one
/// other at most.
pub fn rank(file: &str) -> u64 {
    keyed(CUT_KEY, file)
}

fn keyed(key: &[u8; 32], name: &str) -> u64 {
    let hash = blake3::keyed_hash(key, name.as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Scales a draw over all of `u64` to 0..100 without bias.
fn percent(draw: u64) -> u32 {
    let scaled = (u128::from(draw) * 100) >> 64;
    u32::try_from(scaled).expect("below 100")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARES: SplitShares = SplitShares { train: 50, validation: 25, holdout: 25 };

    #[test]
    fn the_keys_are_fixed_for_ever() {
        let parts = ["scene/0", "scene/1", "scene/2", "scene/3"].map(|r| part_of(r, &SHARES));
        use Part::{Holdout, Train};
        assert_eq!(parts, [Holdout, Train, Train, Train]);
        assert_eq!(percent(0), 0);
        assert_eq!(percent(u64::MAX), 99);
    }

    proptest! {
        #[test]
        fn parts_have_about_their_shares(prefix in "[a-z]{1,8}") {
            let mut counts = [0_i32; 3];
            for i in 0..2000 {
                counts[part_of(&format!("{prefix}/{i}"), &SHARES) as usize] += 1;
            }
            // Five standard deviations of a binomial draw around 1000, 500 and 500.
            prop_assert!((counts[0] - 1000).abs() < 112 && (counts[1] - 500).abs() < 97);
        }

        #[test]
        fn a_larger_train_share_only_takes_from_the_others(name in ".{0,30}", train in 0_u32..=99) {
            let shares = |train| SplitShares { train, validation: 100 - train, holdout: 0 };
            let (smaller, larger) = (part_of(&name, &shares(train)), part_of(&name, &shares(train + 1)));
            prop_assert!(smaller == larger || (smaller, larger) == (Part::Validation, Part::Train));
        }

        #[test]
        fn an_empty_share_gets_nothing(name in ".{0,30}") {
            let all = SplitShares { train: 0, validation: 100, holdout: 0 };
            prop_assert_eq!(part_of(&name, &all), Part::Validation);
        }
    }
}
