//! The durable record of what was seen first: one line a file, added to and never changed, so that
//! of two that show the same it is always the same one that stays.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dfr_contract::modality::Modality;

use crate::files::{self, FileError};
use crate::fingerprint::{Fingerprint, NoFingerprint};

/// First line of a record of that kind of media.
fn head(modality: Modality) -> &'static str {
    match modality {
        Modality::Image | Modality::Video => "sha256\trecording\tfirst\tmiddle\tlast",
        Modality::Audio => "sha256\trecording\twords",
    }
}

/// Why the record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line that was not written by us: going on would forget what was first.
    #[error(
        "{} line {line}: {source}; restore the file, or remove it to begin anew",
        .path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        source: LineError,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not the columns that are written.
    #[error("not the columns {}", head(*.0).replace('\t', ", "))]
    Columns(Modality),
    /// A fingerprint that is none.
    #[error(transparent)]
    Fingerprint(#[from] NoFingerprint),
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What it was made from, without tabs and line breaks.
    pub recording: String,
    /// What it looks or sounds like.
    pub fingerprint: Fingerprint,
}

impl Line {
    /// A line for a file.
    pub fn new(sha256: &str, recording: &str, fingerprint: Fingerprint) -> Self {
        let recording = recording.replace(['\t', '\n', '\r'], " ");
        Self { sha256: sha256.to_owned(), recording, fingerprint }
    }

    fn key(&self) -> (String, String) {
        (self.sha256.clone(), self.recording.clone())
    }

    fn parse(modality: Modality, text: &str) -> Result<Self, LineError> {
        let mut columns = text.splitn(3, '\t');
        let mut next = || columns.next().ok_or(LineError::Columns(modality));
        let (sha256, recording, fingerprint) = (next()?, next()?, next()?);
        Ok(Self::new(sha256, recording, Fingerprint::parse(modality, fingerprint)?))
    }

    fn print(&self) -> String {
        format!("{}\t{}\t{}\n", self.sha256, self.recording, self.fingerprint)
    }
}

/// The record of one way of decoding.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    modality: Modality,
    lines: Vec<Line>,
    known: HashMap<(String, String), usize>,
}

impl Record {
    /// Reads the record; an empty one when there is none.
    ///
    /// # Errors
    /// The disk; a line that is damaged.
    pub fn read(path: &Path, modality: Modality) -> Result<Self, RecordError> {
        let text = files::read_optional(path)?.unwrap_or_default();
        let (lines, known) = (Vec::new(), HashMap::new());
        let mut record = Self { path: path.to_owned(), modality, lines, known };
        for (index, line) in text.lines().enumerate() {
            let wrong =
                |source| RecordError::Line { path: path.to_owned(), line: index + 1, source };
            match (index, line) {
                (0, first) if first == head(modality) => (),
                (0, _) => return Err(wrong(LineError::Columns(modality))),
                _ => {
                    record.rank(Line::parse(modality, line).map_err(wrong)?);
                }
            }
        }
        Ok(record)
    }

    /// Where a file stands; a new one stands last.
    pub fn rank(&mut self, line: Line) -> usize {
        let next = self.lines.len();
        let rank = *self.known.entry(line.key()).or_insert(next);
        if rank == next {
            self.lines.push(line);
        }
        rank
    }

    /// Writes the record whole.
    ///
    /// # Errors
    /// The disk.
    pub fn write(&self) -> Result<(), FileError> {
        let lines: String = self.lines.iter().map(Line::print).collect();
        let text = format!("{}\n{lines}", head(self.modality));
        files::write_private(&self.path, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::audio::Sound;
    use crate::fingerprint::clip::Clip;
    use std::fs;

    const VIDEO: Modality = Modality::Video;

    fn line(sha256: &str, recording: &str) -> Line {
        Line::new(sha256, recording, Fingerprint::Clip(Clip([Some(1), None, Some(3)])))
    }

    #[test]
    fn what_was_first_stays_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seen.tsv");
        let mut record = Record::read(&path, VIDEO).unwrap();
        assert_eq!([record.rank(line("a", "x\ty")), record.rank(line("b", "x"))], [0, 1]);
        record.write().unwrap();
        let mut again = Record::read(&path, VIDEO).unwrap();
        let ranks = [line("c", "z"), line("b", "x"), line("a", "x\ty"), line("a", "other")];
        assert_eq!(ranks.map(|line| again.rank(line)), [2, 1, 0, 3]);
        let before = fs::read_to_string(&path).unwrap();
        again.write().unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(&before), "only added to");
    }

    #[test]
    fn a_damaged_line_is_named_and_the_file_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seen.tsv");
        let texts = [
            ("other\n", "line 1: not the columns"),
            (&format!("{}\na\tb\n", head(VIDEO)), "line 2: not the columns"),
            (
                &format!("{}\na\tb\tflat\tflat\tflat\na\tc\tx\ty\tz\n", head(VIDEO)),
                "line 3: not three",
            ),
        ];
        for (text, message) in texts {
            fs::write(&path, text).unwrap();
            let error = Record::read(&path, VIDEO).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn sounds_are_read_as_they_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seen.tsv");
        let words = |words: &[Option<u32>]| Fingerprint::Sound(Sound(words.into()));
        let lines = [words(&[Some(7), None]), words(&[])].map(|f| Line::new("a", "x", f));
        for line in lines {
            let mut record = Record::read(&path, Modality::Audio).unwrap();
            record.rank(line.clone());
            record.write().unwrap();
            assert_eq!(Record::read(&path, Modality::Audio).unwrap().lines, [line]);
            fs::remove_file(&path).unwrap();
        }
    }
}
