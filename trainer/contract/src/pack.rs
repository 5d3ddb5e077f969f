//! Packs: decoded media in fixed-stride records, made once and mapped by every experiment.
//!
//! ```text
//! <root>/packs/<modality>/<input name>/current -> <content hash>
//! <root>/packs/<modality>/<input name>/<content hash>/
//!     pack.json                    PackHeader
//!     train/part.json              PartHeader      what a trainer may read
//!     train/records.u8             records × record_bytes; records.i16 for sound
//!     train/labels.u8              one byte a record: 0 real, 1 synthetic
//!     train/lengths.u32            sound only: samples of each record before the silence behind it
//!     validation/part.json records.u8
//!     holdout/part.json records.u8
//!     vault/validation.labels.u8   what only the daemon reads
//!     vault/holdout.labels.u8
//!     vault/ids.tsv                part, record, data set, file, recording, sha256
//!     vault/data                   root of these files, if it is not <root>
//! <root>/vault/                    what all packs of a root share; for their owner only
//! ```
//! `<root>` is the cache root for downloaded data and `<cache>/sample` for the sample set. Records
//! carry no names and stand in an order drawn with a secret: only the vault knows which file a record
//! was. What a trainer is given has one time and one mode for all; a vault has modes 0700 and 0600.

use serde::{Deserialize, Serialize};

use crate::input::{Dtype, InputSpec};
use crate::modality::Modality;

/// File names inside a pack.
pub mod file {
    /// `PackHeader` of the whole pack, as JSON.
    pub const PACK: &str = "pack.json";
    /// `PartHeader` of one part, as JSON.
    pub const PART: &str = "part.json";
    /// One label byte per record (train only).
    pub const LABELS: &str = "labels.u8";
    /// Samples of each record that are sound and not padding, as little-endian u32 (train only).
    pub const LENGTHS: &str = "lengths.u32";
    /// Directory of labels and ids that no trainer reads.
    pub const VAULT: &str = "vault";
    /// Which file each record came from, inside the vault.
    pub const IDS: &str = "ids.tsv";
    /// Root of the files that the ids name, inside the vault; not there where it is the root of the pack.
    pub const DATA: &str = "data";
    /// Symbolic link to the newest pack of an input that passed its audit.
    pub const CURRENT: &str = "current";
}

/// Label of genuine media.
pub const REAL: u8 = 0;
/// Label of generated or manipulated media.
pub const SYNTHETIC: u8 = 1;

/// Version of the layout above; a reader refuses any other.
pub const VERSION: u32 = 2;

/// The three parts of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Inputs and labels for the trainer.
    Train,
    /// Inputs for the trainer, labels for the daemon.
    Validation,
    /// Kept apart.
    Holdout,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Holdout];

    /// Directory name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Holdout => "holdout",
        }
    }

    /// Name of this part's label file inside the vault.
    pub fn vault_labels(self) -> String {
        format!("{}.labels.u8", self.as_str())
    }
}

/// Describes one part; all a trainer ever learns about the data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHeader {
    /// Layout version.
    pub version: u32,
    /// Kind of media.
    pub modality: Modality,
    /// Number of records.
    pub records: u64,
    /// Shape of a stored record: `T 3 H W`, `3 H W` or `N`.
    pub shape: Vec<u64>,
    /// Samples that a detector is fed where more are stored: of sound to train on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Type of its numbers.
    #[serde(default)]
    pub dtype: Dtype,
}

impl PartHeader {
    /// Shape of what a detector is fed of a record: `T 3 H W`, `3 H W` or `N`.
    pub fn fed_shape(&self) -> Vec<u64> {
        self.window.map_or_else(|| self.shape.clone(), |samples| vec![samples])
    }

    /// Bytes of one record.
    pub fn record_bytes(&self) -> u64 {
        self.shape.iter().product::<u64>().saturating_mul(self.dtype.bytes())
    }

    /// Name of the file of fixed-stride records, back to back.
    pub fn records_file(&self) -> String {
        records_file(self.dtype)
    }
}

/// Name of the file of records of that type.
pub fn records_file(dtype: Dtype) -> String {
    format!("records.{}", dtype.as_str())
}

/// Records of one class from one data set in one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCount {
    /// Data set name.
    pub dataset: String,
    /// `real`, `synthetic` or `semisynthetic`.
    pub media_type: String,
    /// Records by part, in the order of [`Part::ALL`].
    pub records: [u64; 3],
}

/// Describes a whole pack, for people and for the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackHeader {
    /// Layout version.
    pub version: u32,
    /// Kind of media.
    pub modality: Modality,
    /// What the records hold.
    pub input: InputSpec,
    /// Keyed hash over inputs and preprocessing; the directory's name. Tells nothing of the order.
    pub content: String,
    /// Counts by data set.
    pub sources: Vec<SourceCount>,
    /// Files that could not be decoded, and near-duplicates, with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A file that is in no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Path below the data root.
    pub file: String,
    /// Why.
    pub reason: String,
    /// The file that it shows again, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<String>,
}
