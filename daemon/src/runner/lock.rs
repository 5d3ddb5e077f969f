//! Locks that end with the process that holds them, and signals to a process known by its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::experiment::StopLevel;

/// How long the lock of a process that died may be kept by a child that it was starting.
const LETTING_GO: Duration = Duration::from_secs(2);
/// Time between two looks at such a lock.
const LOOK: Duration = Duration::from_millis(10);

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
    /// Takes the lock. One whose owner has died is waited for: a child that it was just starting
    /// keeps the descriptor until it becomes another program.
    ///
    /// # Errors
    /// Held by another process, or the file cannot be written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let deadline = Instant::now() + LETTING_GO;
        loop {
            match Self::try_take(path) {
                Err(LockError::Held { .. }) if is_orphaned(path) && Instant::now() < deadline => {
                    std::thread::sleep(LOOK);
                }
                taken => return taken,
            }
        }
    }

    /// Refuses a lock that some process holds now, as taking it would; makes nothing.
    ///
    /// # Errors
    /// Held by another process.
    pub fn require_free(path: &Path) -> Result<(), LockError> {
        let held = |owner: i32| LockError::Held { path: path.to_owned(), owner: owner.to_string() };
        is_held(path).map_or(Ok(()), |owner| Err(held(owner)))
    }

    fn try_take(path: &Path) -> Result<Self, LockError> {
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
    let deadline = Instant::now() + LETTING_GO;
    while Flock::lock(File::open(path).ok()?, FlockArg::LockSharedNonblock).is_err() {
        if !is_orphaned(path) || Instant::now() > deadline {
            return owner(path);
        }
        std::thread::sleep(LOOK);
    }
    None
}

/// Whether the process that took a lock is dead, as far as can be seen from here.
fn is_orphaned(path: &Path) -> bool {
    let Some(pid) = owner(path) else { return false };
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['Z', 'X']))
}

fn owner(path: &Path) -> Option<i32> {
    let mut text = String::new();
    File::open(path).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Why the owner of a lock was not asked to stop.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// Here the number in the lock is that of another process, or of none.
    #[error(
        "{} is held, but not by process {pid} of this machine: its owner runs in another container \
         or on another host",
        path.display()
    )]
    Elsewhere {
        /// The lock's file.
        path: PathBuf,
        /// The number in it.
        pid: i32,
    },
    /// The process belongs to somebody else.
    #[error("cannot ask process {pid} to stop")]
    Refused {
        /// Its number.
        pid: i32,
        /// Why.
        source: io::Error,
    },
}

/// Asks the process that a lock names to stop, the way a terminal or a service manager does; only
/// when it has the lock's file open, for in another PID namespace its number is a stranger's.
///
/// # Errors
/// The process runs elsewhere or belongs to somebody else.
pub fn signal(path: &Path, pid: i32, level: StopLevel) -> Result<(), SignalError> {
    let refused = |source| SignalError::Refused { pid, source };
    match has_open(pid, path) {
        Ok(true) => send(pid, level).map_err(refused),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(error)),
        Ok(false) | Err(_) => Err(SignalError::Elsewhere { path: path.to_owned(), pid }),
    }
}

/// Whether one of a process's descriptors leads to this file.
fn has_open(pid: i32, path: &Path) -> io::Result<bool> {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let wanted = fs::metadata(path).map(identity)?;
    let mut descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.filter_map(Result::ok);
    Ok(descriptors.any(|at| fs::metadata(at.path()).map(identity).is_ok_and(|it| it == wanted)))
}

fn send(pid: i32, level: StopLevel) -> io::Result<()> {
    let signal = match level {
        StopLevel::Continue => return Ok(()),
        StopLevel::AfterExperiment => Signal::SIGINT,
        StopLevel::AbandonRun => Signal::SIGTERM,
        StopLevel::Now => Signal::SIGKILL,
    };
    kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_a_dead_process_left_to_its_child_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = FileLock::take(&path).unwrap();
        assert!(matches!(FileLock::take(&path), Err(LockError::Held { .. })));
        assert_eq!(is_held(&path), Some(std::process::id().cast_signed()));
        // No process has this number; who holds the lock now will let it go.
        fs::write(&path, format!("{}\n", i32::MAX)).unwrap();
        let child = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(lock);
        });
        let taken = FileLock::take(&path).unwrap();
        assert!(taken.holds());
        child.join().unwrap();
        drop(taken);
        assert_eq!(is_held(&path), None);
    }
}
