//! A child's output: to the log within a cap, to the terminal, and its last lines in memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::time::Instant;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::Execution;
use crate::terminal::Terminal;

/// Bytes of one execution's output that reach the log; of the rest, the last lines follow.
const LOG_CAP_BYTES: u64 = 64 << 20;
/// Lines kept for error messages.
const TAIL_LINES: usize = 50;
/// A longer line is cut in memory (never in the log).
const LINE_CAP_BYTES: usize = 4096;

/// Whether a human sees the output as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Copy it to standard error. A terminal that has vanished is no error.
    Terminal,
    /// Only the log.
    Quiet,
}

pub(super) struct Capture {
    log: File,
    live: Live,
    written: u64,
    seen: u64,
    line: Vec<u8>,
    tail: VecDeque<String>,
    started_line: Option<&'static str>,
    started_at: Option<Instant>,
    at_end: bool,
    buffer: Box<[u8; 64 << 10]>,
}

impl Capture {
    pub(super) fn open(execution: &Execution, live: Live) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(&execution.log)?;
        Ok(Self {
            log,
            live,
            written: 0,
            seen: 0,
            line: Vec::new(),
            tail: VecDeque::new(),
            started_line: execution.started_line,
            started_at: None,
            at_end: false,
            buffer: Box::new([0; 64 << 10]),
        })
    }

    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    pub(super) fn started_at(&self) -> Option<Instant> {
        self.started_at
    }

    /// Reads once. Cancel-safe: a read that did not happen took nothing.
    pub(super) async fn pump(&mut self, pipe: &mut pipe::Receiver) -> io::Result<()> {
        let read = pipe.read(&mut self.buffer[..]).await?;
        self.at_end = read == 0;
        // A full disk must not end a run that only prints: what cannot be logged is still counted.
        let room = usize::try_from(LOG_CAP_BYTES - self.written).unwrap_or(usize::MAX).min(read);
        if self.log.write_all(&self.buffer[..room]).is_ok() {
            self.written += room as u64;
        }
        self.seen += read as u64;
        if self.live == Live::Terminal {
            let _ = Terminal.write_all(&self.buffer[..read]);
        }
        for at in 0..read {
            self.take(self.buffer[at]);
        }
        Ok(())
    }

    pub(super) async fn drain(&mut self, pipe: &mut pipe::Receiver) {
        while !self.at_end && self.pump(pipe).await.is_ok() {}
    }

    pub(super) fn into_tail(mut self) -> String {
        if !self.line.is_empty() {
            self.end_line();
        }
        let tail = Vec::from(self.tail).join("\n");
        if self.seen > self.written {
            let (seen, kept) = (self.seen, self.written);
            let note =
                format!("\n[{seen} bytes of output, {kept} kept; the last lines:]\n{tail}\n");
            let _ = self.log.write_all(note.as_bytes());
        }
        tail
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            _ if self.line.len() < LINE_CAP_BYTES => self.line.push(byte),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
        self.line.clear();
        if self.started_at.is_none() && self.started_line == Some(line.as_str()) {
            self.started_at = Some(Instant::now());
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}
