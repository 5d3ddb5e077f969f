//! The table of `dfr prepare --verify`, as dfresearch prints it.

use std::fmt::Write as _;
use std::path::Path;

use dfr_contract::modality::Modality;

use crate::catalogue::{self, COMPLETE, CatalogueError, Entry, dataset_dir, media_names};
use crate::files::{FileError, at};

const RULE_WIDTH: usize = 70;

/// What is in the cache for one configured data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Data set name.
    pub name: String,
    /// `real`, `synthetic` or `semisynthetic`.
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
            // Whatever the mark says: without files there is nothing to train on.
            (_, 0) => "MISSING",
            (true, _) => "OK",
            (false, _) => "PARTIAL",
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

/// What is wrong with the files of the configured data sets, one line each.
///
/// # Errors
/// A folder that cannot be listed, or a manifest that cannot be read.
pub fn problems(
    root: &Path,
    modality: Modality,
    entries: &[Entry],
) -> Result<Vec<String>, CatalogueError> {
    let mut problems = Vec::new();
    for Entry { name, .. } in entries {
        let folder = dataset_dir(root, modality, name);
        let names = media_names(&folder, modality)?.unwrap_or_default();
        if names.is_empty() && folder.join(COMPLETE).exists() {
            problems.push(format!("{name}: marked as complete, but without files"));
        }
        for file in &names {
            let path = folder.join(file);
            let size = path.metadata().map_err(at("look at", &path))?.len();
            if size == 0 {
                problems.push(format!("{name}/{}: is empty", file.to_string_lossy()));
            }
        }
        for line in catalogue::read_manifest(&folder)? {
            if !folder.join(&line.file).exists() {
                problems.push(format!("{name}/{}: in its manifest, but not there", line.file));
            }
        }
    }
    Ok(problems)
}

fn samples<'a>(rows: impl Iterator<Item = &'a Row>) -> usize {
    rows.map(|row| row.samples).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, media_type: &str, samples: usize, status: &'static str) -> Row {
        Row { name: name.to_owned(), media_type: media_type.to_owned(), samples, status }
    }

    #[test]
    fn prints_what_the_original_prints() {
        let rows = [
            row("FreeTacMan", "real", 500, "OK"),
            row("semi", "semisynthetic", 20, "PARTIAL"),
            row("none", "synthetic", 0, "MISSING"),
        ];
        let rule = "-".repeat(70);
        let expected = format!(
            "
Cache status for video datasets:
Dataset                             Type          Samples Status
{rule}
FreeTacMan                          real              500 OK
semi                                semisynthetic       20 PARTIAL
none                                synthetic           0 MISSING
{rule}
Total                                                 520
  Real: 500  |  Synthetic/Semi: 20
  Balance ratio: 0.04 (1.0 = perfect)
"
        );
        assert_eq!(table(Modality::Video, &rows), expected);
        assert!(!table(Modality::Video, &[]).contains("Balance"));
    }

    #[test]
    fn a_status_is_ok_by_mark_and_files_partial_by_files_alone_and_else_missing() {
        let root = tempfile::tempdir().unwrap();
        let entries: Vec<Entry> = ["whole", "marked", "files", "empty", "absent"]
            .map(|name| serde_json::json!({"name": name, "path": "p", "media_type": "real"}))
            .map(serde_json::from_value)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        let folder = |name| dataset_dir(root.path(), Modality::Video, name);
        for name in ["whole", "marked", "files", "empty"] {
            std::fs::create_dir_all(folder(name)).unwrap();
        }
        for file in ["whole/000000.mp4", "files/000000.mp4"] {
            std::fs::write(folder(file), "").unwrap();
        }
        for name in ["whole", "marked"] {
            std::fs::write(folder(name).join(COMPLETE), "").unwrap();
        }
        let rows = rows(root.path(), Modality::Video, &entries).unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.samples, row.status)).collect();
        // A mark over an empty folder is a download that went wrong or was cleaned up: not OK.
        let none = (0, "MISSING");
        assert_eq!(seen, [(1, "OK"), none, (1, "PARTIAL"), none, none]);
        std::fs::write(
            folder("whole").join("manifest.jsonl"),
            r#"{"file":"000007.mp4","recording":"r","sha256":"s","media_type":"real"}"#,
        )
        .unwrap();
        assert_eq!(
            problems(root.path(), Modality::Video, &entries).unwrap(),
            [
                "whole/000000.mp4: is empty",
                "whole/000007.mp4: in its manifest, but not there",
                "marked: marked as complete, but without files",
                "files/000000.mp4: is empty",
            ]
        );
    }
}
