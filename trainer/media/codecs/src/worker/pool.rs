//! As many workers as there are threads that ask.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::nursery::Nursery;
use super::process::{Loss, Process, Program};
use super::serve::{ANSWERED, REFUSED};

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From sending the request to having the answer.
    pub deadline: Duration,
    /// Address space of a worker: its program and all that it allocates.
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(2), memory_bytes: 1 << 30 }
    }
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The worker says what is wrong with what was asked.
    #[error("{0}")]
    Refused(String),
    #[error("not decoded within {0:?}")]
    Deadline(Duration),
    /// Signal or exit code, and the worker's last words.
    #[error("{0}")]
    Died(String),
    /// Nothing is wrong with the request: this machine cannot start the program as a worker.
    #[error("cannot start a worker: {0}")]
    Start(std::io::Error),
}

/// What happened to a pool's workers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub started: u64,
    /// Killed at a deadline.
    pub deadlines: u64,
    /// Died of a request.
    pub deaths: u64,
}

/// Workers that wait for requests. Every thread may ask; one that finds no idle worker starts
/// another.
pub struct Pool {
    nursery: Nursery,
    deadline: Duration,
    idle: Mutex<Vec<Process>>,
    started: AtomicU64,
    deadlines: AtomicU64,
    deaths: AtomicU64,
}

impl Pool {
    /// A pool without workers yet.
    pub fn new(program: Program, limits: Limits) -> Self {
        Self {
            nursery: Nursery::new(program, limits.memory_bytes),
            deadline: limits.deadline,
            idle: Mutex::default(),
            started: AtomicU64::default(),
            deadlines: AtomicU64::default(),
            deaths: AtomicU64::default(),
        }
    }

    /// A worker's answer.
    ///
    /// # Errors
    /// The reason, and whose it is. A worker that failed is replaced when the next one is needed.
    pub fn ask(&self, request: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut worker = self.worker().map_err(Failure::Start)?;
        match worker.exchange(request, self.deadline) {
            Ok(answer) => self.opened(answer, worker),
            Err(Loss::Deadline) => {
                self.deadlines.fetch_add(1, Ordering::Relaxed);
                Err(Failure::Deadline(self.deadline))
            }
            Err(Loss::Death(reason)) => Err(self.death(reason)),
        }
    }

    pub fn counts(&self) -> Counts {
        Counts {
            started: self.started.load(Ordering::Relaxed),
            deadlines: self.deadlines.load(Ordering::Relaxed),
            deaths: self.deaths.load(Ordering::Relaxed),
        }
    }

    /// The answer without its first byte; the worker waits for the next request.
    fn opened(&self, mut answer: Vec<u8>, worker: Process) -> Result<Vec<u8>, Failure> {
        let kind = answer.first().copied();
        answer.drain(..answer.len().min(1));
        match kind {
            Some(ANSWERED) => {
                self.idle().push(worker);
                Ok(answer)
            }
            Some(REFUSED) => {
                self.idle().push(worker);
                Err(Failure::Refused(String::from_utf8_lossy(&answer).into_owned()))
            }
            _ => Err(self.death("the worker gave an answer of no known kind".into())),
        }
    }

    fn death(&self, reason: String) -> Failure {
        self.deaths.fetch_add(1, Ordering::Relaxed);
        Failure::Died(reason)
    }

    fn worker(&self) -> std::io::Result<Process> {
        // One that died of something else must not be taken for a victim of this request.
        while let Some(mut worker) = { self.idle().pop() } {
            if !worker.has_ended() {
                return Ok(worker);
            }
        }
        self.started.fetch_add(1, Ordering::Relaxed);
        self.nursery.start()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
