//! The table of `dfr prepare --verify`, as dfresearch prints it.

use std::fmt::Write as _;
use std::path::Path;

use dfr_contract::modality::Modality;

use crate::catalogue::{COMPLETE, Entry, dataset_dir, media_names};
use crate::files::FileError;

const RULE_WIDTH: usize = 70;

/// What is in the cache for one configured data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Data set name.
    pub name: String,
    /// `real`, `synthetic`, `semisynthetic` or `unknown`.
    pub media_type: String,
    /// Media files in its folder.
    pub samples: usize,
    /// `OK`, `PARTIAL` or `MISSING`.
    pub status: &'static str,
}

/// Looks at every configured data set's folder.
///
/// # Errors
/// A folder that cannot be listed.
pub fn rows(root: &Path, modality: Modality, entries: &[Entry]) -> Result<Vec<Row>, FileError> {
    let row = |entry: &Entry| {
        let folder = dataset_dir(root, modality, &entry.name);
        let samples = media_names(&folder, modality)?.map_or(0, |names| names.len());
        let status = match (folder.join(COMPLETE).exists(), samples) {
            (true, _) => "OK",
            (false, 1..) => "PARTIAL",
            (false, 0) => "MISSING",
        };
        let (name, media_type) = (entry.name.clone(), entry.media_type().to_owned());
        Ok(Row { name, media_type, samples, status })
    };
    entries.iter().map(row).collect()
}

/// Prints the table.
///
/// # Source
/// dfresearch `prepare.py --verify`.
pub fn table(modality: Modality, rows: &[Row]) -> String {
    let real = samples(rows.iter().filter(|row| row.media_type == "real"));
    let total = samples(rows.iter());
    let fake = total - real;
    let rule = "-".repeat(RULE_WIDTH);
    let mut text = format!("\nCache status for {modality} datasets:\n");
    let mut line = |columns: [&str; 4]| {
        let [name, media_type, samples, status] = columns;
        let row = format!("{name:<35} {media_type:<12} {samples:>8} {status}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line(["Dataset", "Type", "Samples", "Status"]);
    line([&rule, "", "", ""]);
    for row in rows {
        line([&row.name, &row.media_type, &row.samples.to_string(), row.status]);
    }
    line([&rule, "", "", ""]);
    line(["Total", "", &total.to_string(), ""]);
    let _ = writeln!(text, "  Real: {real}  |  Synthetic/Semi: {fake}");
    if total > 0 {
        let balance = real.min(fake) as f64 / real.max(fake) as f64;
        let _ = writeln!(text, "  Balance ratio: {balance:.2} (1.0 = perfect)");
    }
    text
}

fn samples<'a>(rows: impl Iterator<Item = &'a Row>) -> usize {
    rows.map(|row| row.samples).sum()
}
