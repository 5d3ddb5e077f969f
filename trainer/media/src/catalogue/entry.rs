//! One data set as a configuration describes it.

use dfr_contract::pack::{REAL, SYNTHETIC};
use serde::{Deserialize, Serialize};
use serde_norway::Value;

/// One configured data set: the fields of gasbench.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Folder name.
    pub name: String,
    /// Where it came from: `owner/repository`.
    pub path: String,
    /// `video`, …; the configuration file decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modality: Option<String>,
    /// `real`, `synthetic` or `semisynthetic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// `huggingface` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Extension of the source's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_format: Option<String>,
    /// Files taken from each archive; -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_per_archive: Option<i64>,
    /// Archives taken; -1 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archives_per_dataset: Option<i64>,
    /// Only files whose path contains one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_paths: Option<Vec<String>>,
    /// No files whose path contains one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_paths: Option<Vec<String>>,
    /// Columns of a table that hold media; found where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_columns: Option<Vec<String>>,
    /// Column of a table that chooses rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_column: Option<String>,
    /// What it must hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_value: Option<Value>,
    /// Family of the generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_family: Option<String>,
    /// The generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_variant: Option<String>,
    /// What is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_category: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

impl Entry {
    /// The class word.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().expect("checked when the configuration was read")
    }

    /// 0 for real, 1 for synthetic and semisynthetic.
    pub fn label(&self) -> u8 {
        if self.media_type() == "real" { REAL } else { SYNTHETIC }
    }
}
