//! Locks that end with the process that holds them, and signals to a process known by its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::experiment::StopLevel;

/// An advisory lock on a file that holds the owner's process id. Released when dropped or when the
/// process ends; the descriptor is close-on-exec, so no child can keep it.
#[derive(Debug)]
pub struct FileLock {
    file: Flock<File>,
    path: PathBuf,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{} is held by process {owner}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Process id, or `?`.
        owner: String,
    },
    /// The file cannot be made or locked.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FileLock {
    /// Takes the lock without waiting.
    ///
    /// # Errors
    /// Held by another process, or the file cannot be written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let mut file =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
                if errno == nix::errno::Errno::EWOULDBLOCK {
                    let owner = owner(path).map_or_else(|| "?".to_owned(), |pid| pid.to_string());
                    LockError::Held { path: path.to_owned(), owner }
                } else {
                    failed(errno.into())
                }
            })?;
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Whether the file at its path is still the one that is locked. When it is not, somebody
    /// removed it or what it lies in, and it keeps nobody out any more.
    pub fn holds(&self) -> bool {
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let ours = self.file.metadata().map(identity);
        let there = fs::symlink_metadata(&self.path).map(identity);
        matches!((ours, there), (Ok(ours), Ok(there)) if ours == there)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The process id in a lock that some process holds now; `None` when nobody does.
pub fn is_held(path: &Path) -> Option<i32> {
    let file = File::open(path).ok()?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => None,
        Err(_) => owner(path),
    }
}

fn owner(path: &Path) -> Option<i32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Asks a daemon to stop, the way a terminal or a service manager does.
///
/// # Errors
/// The process is gone or belongs to somebody else.
pub fn signal(pid: i32, level: StopLevel) -> io::Result<()> {
    let signal = match level {
        StopLevel::Continue => return Ok(()),
        StopLevel::AfterExperiment => Signal::SIGINT,
        StopLevel::AbandonRun => Signal::SIGTERM,
        StopLevel::Now => Signal::SIGKILL,
    };
    kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
}
