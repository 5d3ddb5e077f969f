//! What was submitted and seen: a file of JSON lines that only grows.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use dfr_contract::submission::{Model, Submission, standing};
use dfr_media::files::{self, FileError, at};
use serde::{Deserialize, Serialize};

/// The file, in the cache: what stands under a hotkey is not a matter of the folder that one is in.
pub const FILE: &str = "submissions/record.jsonl";
/// Models of one modality that the competition takes from one hotkey.
pub const LIMIT: usize = 3;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Entry {
    /// A model is being submitted, or was.
    Push(Submission),
    /// gascli was asked how models fare.
    Perf {
        /// When, RFC 3339.
        time: String,
        /// Wallet.
        wallet: String,
        /// Hotkey.
        hotkey: String,
        /// Rows by status.
        statuses: BTreeMap<String, usize>,
        /// The rows, as printed.
        rows: Vec<String>,
    },
}

/// How many other models of its modality stand under a model's hotkey.
pub fn others(entries: &[Entry], model: &Model) -> usize {
    let beside = entries.iter().filter_map(|entry| match entry {
        Entry::Push(push) if push.model.is_beside(model) => Some(push),
        _ => None,
    });
    standing(beside).len()
}

/// The entries of a file; lines that are none, as a power cut leaves them, are named and do not count.
///
/// # Errors
/// The disk.
pub fn read(path: &Path) -> Result<Vec<Entry>, FileError> {
    let text = files::read_optional(path)?.unwrap_or_default();
    let entry = |(number, line): (usize, &str)| match serde_json::from_str(line) {
        Ok(entry) => Some(entry),
        Err(error) => {
            eprintln!("{}:{}: not understood, does not count: {error}", path.display(), number + 1);
            None
        }
    };
    Ok(text.lines().enumerate().filter(|(_, line)| !line.is_empty()).filter_map(entry).collect())
}

/// Adds entries, which are on the disk when this returns.
///
/// # Errors
/// The disk.
pub fn append(path: &Path, entries: &[Entry]) -> Result<(), FileError> {
    path.parent().map_or(Ok(()), files::create_dir)?;
    let line = |entry| serde_json::to_string(entry).expect("plain data") + "\n";
    let mut text: String = entries.iter().map(line).collect();
    let mut write = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if !std::fs::read(path)?.ends_with(b"\n") && file.metadata()?.len() > 0 {
            text.insert(0, '\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(at("write", path))
}

#[cfg(test)]
mod tests {
    use dfr_contract::modality::Modality;
    use dfr_contract::submission::STOPPED;

    use super::*;

    fn push(sha256: &str, exit: Option<i32>) -> Entry {
        let model = Model {
            netuid: 34,
            wallet: "w".into(),
            hotkey: "h".into(),
            modality: Modality::Video,
            sha256: sha256.into(),
        };
        Entry::Push(Submission { time: "t".into(), model, zip: "x.zip".into(), name: None, exit })
    }

    fn others_than(sha256: &str, entries: &[Entry]) -> usize {
        let Entry::Push(Submission { model, .. }) = push(sha256, None) else { unreachable!() };
        others(entries, &model)
    }

    #[test]
    fn what_may_have_arrived_counts_once_and_what_failed_does_not() {
        let entries = [
            push("a", None),
            push("a", Some(0)),
            push("a", Some(0)),
            push("a", None),
            push("a", Some(1)),
            push("b", None),
            push("c", None),
            push("c", Some(1)),
            push("d", None),
            push("d", Some(STOPPED)),
            // What may have arrived still may, however the next push of it fails.
            push("e", None),
            push("e", Some(STOPPED)),
            push("e", None),
            push("e", Some(1)),
            push("f", None),
            push("f", None),
            push("f", Some(1)),
            // The line of its begin was torn.
            push("g", Some(1)),
        ];
        assert_eq!(others_than("z", &entries), 5);
        assert_eq!(others_than("a", &entries), 4);
        let mut elsewhere = push("d", Some(0));
        if let Entry::Push(push) = &mut elsewhere {
            push.model.hotkey = "other".into();
        }
        assert_eq!(others_than("z", &[elsewhere]), 0);
    }

    #[test]
    fn a_torn_line_costs_itself_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("results/s.jsonl");
        assert!(read(&path).unwrap().is_empty());
        append(&path, &[push("a", Some(0))]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], &whole[..20]].concat()).unwrap();
        append(&path, &[push("b", Some(1)), push("c", Some(0))]).unwrap();
        assert_eq!(
            read(&path).unwrap(),
            ["a", "b", "c"].map(|s| push(s, Some(i32::from(s == "b"))))
        );
    }
}
