//! The journal of a session: every entry once more, as one line of text in the session's directory.
//!
//! SQLite has no checksum over what it stores; every line here has one. A ledger that was damaged is
//! found out by comparing the two, and mended from here. The ledger is written first: a journal may
//! be behind it, never ahead.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::experiment::Entry;
use crate::session::{NewSession, Recorded};

/// Name of the file in a session's directory.
const NAME: &str = "journal.jsonl";

/// An entry as it stands in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub tag: String,
    /// Number of the entry within its session, from 0.
    pub sequence: u64,
    pub experiment: u32,
    pub at_ms: i64,
    pub entry: Entry,
}

impl Line {
    /// Whether this is the same entry as one of the ledger.
    pub(super) fn tells(&self, recorded: &Recorded) -> bool {
        let Recorded { id: _, experiment, at_ms, entry } = recorded;
        (self.experiment, self.at_ms, &self.entry) == (*experiment, *at_ms, entry)
    }
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    session: NewSession,
}

/// Where the journal of a session is, beside the ledger.
pub(super) fn path(ledger: &Path, tag: &str) -> PathBuf {
    ledger.with_file_name(tag).join(NAME)
}

/// The tags of all sessions that have a journal.
pub(super) fn tags(ledger: &Path) -> Vec<String> {
    let beside = ledger.parent().and_then(|directory| std::fs::read_dir(directory).ok());
    let names = beside.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut tags: Vec<String> = names.filter(|tag| path(ledger, tag).is_file()).collect();
    tags.sort();
    tags
}

/// A journal that is being written. Nothing is buffered: what was written is on the disk.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    next: u64,
}

impl Journal {
    /// Opens a journal after its first `whole` bytes, which hold the lines before number `next`;
    /// what follows them goes.
    pub(super) fn open_at(path: &Path, (whole, next): (u64, u64)) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(path);
        std::fs::create_dir_all(directory)?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(whole)?;
        file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(Self { file, next })
    }

    /// The number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Writes the first line of an empty journal.
    pub(super) fn begin(&mut self, session: &NewSession) -> io::Result<()> {
        self.file.write_all(&sealed(&Head { session: session.clone() })?)
    }

    /// Writes the next entry, not yet to the disk.
    pub(super) fn write(&mut self, tag: &str, recorded: &Recorded) -> io::Result<()> {
        let Recorded { id: _, experiment, at_ms, entry } = recorded.clone();
        let line = Line { tag: tag.to_owned(), sequence: self.next, experiment, at_ms, entry };
        self.file.write_all(&sealed(&line)?)?;
        self.next += 1;
        Ok(())
    }

    /// Puts what was written on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A journal that is being read: its good lines, in the order of the file.
pub(super) struct Reader {
    lines: BufReader<io::Take<File>>,
    head: Option<NewSession>,
    whole: u64,
    next: u64,
    /// A line so far was torn, garbled or missing.
    is_broken: bool,
    /// The last line read was no good one.
    is_torn: bool,
}

impl Reader {
    /// Opens a journal as long as it is now; a daemon may be writing it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let lines = BufReader::new(file.take(length));
        let mut reader =
            Self { lines, head: None, whole: 0, next: 0, is_broken: false, is_torn: false };
        if let Some(line) = reader.line() {
            match opened::<Head>(&line) {
                Some(head) => {
                    reader.head = Some(head.session);
                    reader.whole = line.len() as u64;
                }
                None => (reader.is_broken, reader.is_torn) = (true, true),
            }
        }
        Ok(reader)
    }

    /// What the session was begun with, when the first line is good.
    pub(super) fn head(&self) -> Option<&NewSession> {
        self.head.as_ref()
    }

    /// Bytes of the whole lines at the beginning, and the number of the line that follows them.
    pub(super) fn whole(&self) -> (u64, u64) {
        (self.whole, self.next)
    }

    /// Whether what was read last was torn or garbled: at the end, that more may have followed.
    pub(super) fn is_torn(&self) -> bool {
        self.is_torn
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match self.lines.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(line),
            // A disk that cannot be read ends a journal like one that was torn.
            Err(_) => {
                (self.is_broken, self.is_torn) = (true, true);
                None
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let text = self.line()?;
            let line = opened::<Line>(&text);
            self.is_broken |= line.as_ref().is_none_or(|line| line.sequence != self.next);
            self.is_torn = line.is_none();
            if !self.is_broken {
                self.whole += text.len() as u64;
                self.next += 1;
            }
            if line.is_some() {
                return line;
            }
        }
    }
}

const SEAL: &str = "{\"sum\":\"";
const SUM_DIGITS: usize = 16;

/// One line of JSON that begins with a checksum of all that follows it.
fn sealed(content: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(content)?;
    let rest = format!("\",{}\n", &json[1..]);
    Ok(format!("{SEAL}{:016x}{rest}", checksum(rest.as_bytes())).into_bytes())
}

/// What a sealed line holds, if it is whole.
fn opened<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (sum, rest) = line.strip_prefix(SEAL.as_bytes())?.split_at_checked(SUM_DIGITS)?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    let is_whole = rest.ends_with(b"\n") && sum == checksum(rest);
    is_whole.then(|| serde_json::from_slice(line).ok()).flatten()
}

/// FNV-1a with 64 bits.
///
/// # Source
/// <https://www.rfc-editor.org/rfc/rfc9923>
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
