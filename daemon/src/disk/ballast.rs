//! A ballast that makes room on a full disk at once. [nix]

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use nix::fcntl::posix_fallocate;

/// Size of a ballast when nobody names one.
pub const BALLAST_BYTES: u64 = 256 << 20;

/// Size of the blocks that a file's metadata counts.
const BLOCK_BYTES: u64 = 512;

/// Why the disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The ballast cannot be made or removed; a full disk is the usual cause.
    #[error("cannot change the ballast {}", path.display())]
    Ballast {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A file that only takes up room, to be given up when the disk is full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// A ballast that is not made yet.
    pub fn new(path: PathBuf, bytes: u64) -> Self {
        Self { path, bytes }
    }

    /// Makes the file, unless it is there in full; its blocks are really taken and on the disk.
    ///
    /// # Errors
    /// The directory is not there or the disk has too little room; no part of the file stays then.
    pub fn restore(&self) -> Result<(), DiskError> {
        if self.is_there() {
            return Ok(());
        }
        self.make().map_err(|source| {
            // Half a ballast would take the room that is lacking.
            let _ = fs::remove_file(&self.path);
            self.failed(source)
        })
    }

    /// Gives the room up, and tells how many bytes that were: none when it was given up before.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn release(&self) -> Result<u64, DiskError> {
        let bytes = fs::metadata(&self.path).map_or(0, |found| found.blocks() * BLOCK_BYTES);
        match fs::remove_file(&self.path) {
            Ok(()) => self.sync_directory().map_err(|source| self.failed(source))?,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(self.failed(source)),
        }
        Ok(bytes)
    }

    /// Whether the file takes up all of its room.
    pub fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| {
            found.len() == self.bytes && found.blocks() * BLOCK_BYTES >= self.bytes
        })
    }

    fn make(&self) -> io::Result<()> {
        let file = File::create(&self.path)?;
        let bytes = i64::try_from(self.bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "larger than any file"))?;
        posix_fallocate(&file, 0, bytes)?;
        file.sync_all()?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.path.parent().unwrap_or(&self.path))?.sync_all()
    }

    fn failed(&self, source: io::Error) -> DiskError {
        DiskError::Ballast { path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 3 << 20;

    #[test]
    fn a_ballast_takes_its_room_and_gives_it_back() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(directory.path().join("ballast"), BYTES);
        assert!(!ballast.is_there());
        assert_eq!(ballast.release().unwrap(), 0);
        for _ in ["made", "found"] {
            ballast.restore().unwrap();
            assert!(ballast.is_there());
        }
        assert!(ballast.release().unwrap() >= BYTES);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_with_holes_or_of_another_size_is_no_ballast() {
        let directory = tempfile::tempdir().unwrap();
        let ballast = Ballast::new(directory.path().join("ballast"), BYTES);
        for bytes in [BYTES, BYTES / 2, BYTES * 2] {
            File::create(&ballast.path).unwrap().set_len(bytes).unwrap();
            assert!(!ballast.is_there());
            ballast.restore().unwrap();
            assert!(ballast.is_there());
        }
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        for bytes in [1 << 62, u64::MAX] {
            let ballast = Ballast::new(directory.path().join("ballast"), bytes);
            assert!(matches!(ballast.restore(), Err(DiskError::Ballast { .. })));
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        }
        let nowhere = Ballast::new(directory.path().join("missing/ballast"), BYTES);
        assert!(nowhere.restore().is_err());
    }
}
