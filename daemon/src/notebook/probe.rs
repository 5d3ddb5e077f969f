//! Finds out whether the session's directory could be made, and leaves nothing behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Notebook;

/// The session's directory cannot be made or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot make {}: {} cannot be written; --state-dir names another place", root.display(), directory.display())]
pub struct ProbeError {
    root: PathBuf,
    directory: PathBuf,
    source: io::Error,
}

impl Notebook {
    /// Makes and removes an empty file in the nearest directory that is there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn probe(&self) -> Result<(), ProbeError> {
        let nearest = self.root().ancestors().find(|path| path.symlink_metadata().is_ok());
        let directory = nearest.unwrap_or(Path::new("/"));
        let file = directory.join(format!(".dfr-probe-{}", std::process::id()));
        let probe = fs::File::create(&file).and_then(|_| fs::remove_file(&file));
        probe.map_err(|source| ProbeError {
            root: self.root().to_owned(),
            directory: directory.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_can_be_written_is_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        Notebook::new(&directory.path().join("state"), "t").probe().unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = Notebook::new(file.path(), "t").probe().unwrap_err().to_string();
        assert!(message.contains(&file.path().display().to_string()), "{message}");
    }
}
