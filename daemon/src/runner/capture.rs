//! A child's output: head and tail to the log, all of it to the terminal, its last lines in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::Execution;
use super::lines::Lines;
use crate::terminal::Terminal;

/// First bytes of one execution's output that reach the log as they come.
const HEAD_BYTES: u64 = 8 << 20;
/// Last bytes that follow when it has ended.
const TAIL_BYTES: usize = 1 << 20;
/// Room for the line between them.
const NOTE_BYTES: u64 = 4096;

/// Whether a human sees the output as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Copy it to standard error. A terminal that has vanished is no error.
    Terminal,
    /// Only the log.
    Quiet,
}

pub(super) struct Capture {
    log: Log,
    live: Live,
    lines: Lines,
    at_end: bool,
    buffer: Box<[u8; 64 << 10]>,
}

/// What remains of output.
pub(super) struct Captured {
    /// Its last lines.
    pub tail: String,
    /// The first telltale line.
    pub telltale: Option<String>,
    /// Why the log is not whole, if it is not.
    pub log_error: Option<io::Error>,
    /// Whether its room was reserved.
    pub is_log_reserved: bool,
}

impl Capture {
    pub(super) fn open(execution: &Execution, live: Live) -> io::Result<Self> {
        Ok(Self {
            log: Log::open(execution)?,
            live,
            lines: Lines::new(execution.started_line, execution.telltale),
            at_end: false,
            buffer: Box::new([0; 64 << 10]),
        })
    }

    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn started_at(&self) -> Option<Instant> {
        self.lines.started_at()
    }

    /// Reads once. Cancel-safe: a read that did not happen took nothing.
    pub(super) async fn pump(&mut self, pipe: &mut pipe::Receiver) -> io::Result<()> {
        let read = pipe.read(&mut self.buffer[..]).await?;
        self.at_end = read == 0;
        self.log.take(&self.buffer[..read]);
        if self.live == Live::Terminal {
            let _ = Terminal.write_all(&self.buffer[..read]);
        }
        self.lines.take(&self.buffer[..read]);
        Ok(())
    }

    pub(super) async fn drain(&mut self, pipe: &mut pipe::Receiver) {
        while !self.at_end && self.pump(pipe).await.is_ok() {}
    }

    /// What is left to know when all is read.
    pub(super) fn finish(self) -> Captured {
        let (tail, telltale) = self.lines.finish();
        let is_log_reserved = self.log.is_reserved && writes_in_place(&self.log.file);
        Captured { tail, telltale, is_log_reserved, log_error: self.log.finish() }
    }
}

/// Takes the room that a log may need, before anything runs that could take it instead: a run that keeps
/// its own log from being written must not be worth another one. Says whether this file system can.
fn reserve(file: &File) -> io::Result<bool> {
    let end = file.metadata()?.len();
    let most = HEAD_BYTES + TAIL_BYTES as u64 + NOTE_BYTES;
    let [end, most] = [end, most].map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    match fallocate(file, FallocateFlags::FALLOC_FL_KEEP_SIZE, end, most) {
        Ok(()) => Ok(true),
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::ENODEV) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether what is reserved is all that writing takes: btrfs may want room for its own account as well,
/// which a run can take.
fn writes_in_place(file: &File) -> bool {
    fstatfs(file).is_ok_and(|volume| volume.filesystem_type() != BTRFS_SUPER_MAGIC)
}

/// The file, which never grows by more than its head, its tail and one line between them. What
/// cannot be written is lost, and said at the end; the run goes on.
struct Log {
    file: File,
    error: Option<io::Error>,
    is_reserved: bool,
    seen: u64,
    /// The last bytes behind the head.
    tail: VecDeque<u8>,
}

impl Log {
    fn open(execution: &Execution) -> io::Result<Self> {
        // On a full disk nothing is begun: a run without a log is worth nothing, whoever is at fault.
        let file = OpenOptions::new().create(true).append(true).open(&execution.log)?;
        let is_reserved = reserve(&file)?;
        Ok(Self { file, error: None, is_reserved, seen: 0, tail: VecDeque::new() })
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = usize::try_from(HEAD_BYTES.saturating_sub(self.seen)).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.seen += bytes.len() as u64;
        self.write(head);
        let excess = (self.tail.len() + rest.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    fn finish(mut self) -> Option<io::Error> {
        let kept = HEAD_BYTES + self.tail.len() as u64;
        if self.seen > kept {
            let note =
                format!("\n[{} bytes of output; {} left out here]\n", self.seen, self.seen - kept);
            self.write(note.as_bytes());
        }
        let tail = std::mem::take(&mut self.tail);
        let (front, back) = tail.as_slices();
        self.write(front);
        self.write(back);
        self.release();
        self.error
    }

    /// Gives back what was reserved and not needed.
    fn release(&mut self) {
        if !self.is_reserved {
            return;
        }
        let file = &self.file;
        if let Err(error) = file.metadata().and_then(|metadata| file.set_len(metadata.len())) {
            self.error.get_or_insert(error);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.file.write_all(bytes) {
            self.error.get_or_insert(error);
        }
    }
}
