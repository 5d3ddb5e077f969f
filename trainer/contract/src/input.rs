//! What a detector is fed: the part of a task that fixes the comparison between experiments.
//!
//! It stands in the task, not in the editable recipe: a candidate may use fewer frames than are
//! stored, or resize on the device, but every experiment of a session starts from these records.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

/// How a picture or frame is brought to `height` × `width`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocessing {
    /// dfresearch: squash to the target size, bilinear with antialiasing; frames spread over the clip.
    Original,
    /// gasbench: centre crop to the target's aspect, bilinear without antialiasing; first frames.
    Benchmark,
}

/// Which data the records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The data sets downloaded under the cache root.
    Downloaded,
    /// The small set that `dfr prepare --sample` makes, under `<cache>/sample`.
    Sample,
}

/// Shares of the source recordings, in percent. They add up to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitShares {
    /// Seen by the trainer, with labels.
    pub train: u32,
    /// Decides keep or discard; its labels stay with the daemon.
    pub validation: u32,
    /// Kept apart.
    pub holdout: u32,
}

/// The record of a task: shape, preprocessing, data and splits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Frames stored per clip (1 for an image).
    pub frames: u32,
    /// Height in pixels.
    pub height: u32,
    /// Width in pixels.
    pub width: u32,
    /// How a frame gets its size and how frames are chosen.
    pub preprocessing: Preprocessing,
    /// Which data.
    pub source: Source,
    /// Shares of train, validation and holdout.
    pub splits: SplitShares,
    /// Data sets that go wholly to holdout: generators that nobody has seen.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub leave_out: BTreeSet<String>,
    /// At most so many files of each class in train; validation and holdout are never cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_class: Option<NonZeroU32>,
}

impl InputSpec {
    /// Shape of one record: `T C H W`, unsigned 8-bit RGB in 0..=255.
    pub fn record_shape(&self) -> [u64; 4] {
        [u64::from(self.frames), 3, u64::from(self.height), u64::from(self.width)]
    }

    /// What a file is decoded to, e.g. `8x96x96-original`: two inputs that say the same here store the
    /// same record for the same file.
    pub fn decoding(&self) -> String {
        let style = match self.preprocessing {
            Preprocessing::Original => "original",
            Preprocessing::Benchmark => "benchmark",
        };
        let Self { frames, height, width, .. } = self;
        format!("{frames}x{height}x{width}-{style}")
    }

    /// A name for this input that is safe in a path, e.g. `8x96x96-original-80-10-10`.
    pub fn name(&self) -> String {
        let SplitShares { train, validation, holdout } = self.splits;
        let left_out = (!self.leave_out.is_empty())
            .then(|| format!("-without-{:016x}", fingerprint(&self.leave_out)));
        let most = self.max_per_class.map(|most| format!("-max{most}"));
        let decoding = self.decoding();
        format!("{decoding}-{train}-{validation}-{holdout}")
            + &left_out.unwrap_or_default()
            + &most.unwrap_or_default()
    }
}

/// FNV-1a: names of data sets may be long, and a path must be the same in every version of this.
fn fingerprint(names: &BTreeSet<String>) -> u64 {
    let bytes = names.iter().flat_map(|name| name.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> InputSpec {
        InputSpec {
            frames: 8,
            height: 96,
            width: 96,
            preprocessing: Preprocessing::Original,
            source: Source::Sample,
            splits: SplitShares { train: 80, validation: 10, holdout: 10 },
            leave_out: BTreeSet::new(),
            max_per_class: None,
        }
    }

    #[test]
    fn an_option_stands_in_the_name_and_in_the_text_only_when_it_is_used() {
        let plain = input();
        assert_eq!(plain.name(), "8x96x96-original-80-10-10");
        let text = serde_json::to_string(&plain).unwrap();
        assert!(!text.contains("leave_out") && !text.contains("max_per_class"), "{text}");
        assert_eq!(serde_json::from_str::<InputSpec>(&text).unwrap(), plain);
        let capped = InputSpec { max_per_class: NonZeroU32::new(2000), ..input() };
        assert_eq!(capped.name(), "8x96x96-original-80-10-10-max2000");
    }

    #[test]
    fn the_name_tells_left_out_sources_apart_whatever_their_order() {
        let without = |names: &[&str]| {
            let leave_out = names.iter().map(|name| (*name).to_owned()).collect();
            InputSpec { leave_out, ..input() }.name()
        };
        assert_eq!(without(&["a", "b"]), without(&["b", "a"]));
        let names = [without(&["a", "b"]), without(&["ab"]), without(&["a"]), without(&[])];
        let different: BTreeSet<&String> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        // The hash of "a" and a zero by FNV-1a, 64 bits.
        assert!(names[2].ends_with("-without-089be207b544f1e4"), "{}", names[2]);
    }
}
