//! The one way in which files are replaced.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::Path;

use super::untrusted::remove;

/// What is copied at once.
const BLOCK_BYTES: usize = 1 << 20;

/// Replaces a file as a whole: after a crash or a power cut either the old or the new content is
/// there, and once this has returned it is the new one. The directory must exist, and only one
/// writer may use a path at a time.
///
/// # Errors
/// The directory is not there or cannot be written, the disk is full, the path is a directory.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_atomic(path, |file| file.write_all(content))
}

/// The same with what is read from elsewhere, without ever having all of it in memory.
///
/// # Errors
/// As [`write_atomic`], or it cannot be read.
pub fn copy_atomic(path: &Path, mut from: impl Read) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    replace_atomic(path, |file| {
        loop {
            match from.read(&mut block)? {
                0 => return Ok(()),
                read => file.write_all(&block[..read])?,
            }
        }
    })
}

fn replace_atomic(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let (directory, name) = path
        .parent()
        .zip(path.file_name())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"))?;
    // A fixed name: what a crash leaves behind, the next write puts away. A candidate may have put
    // something there, too: a link would lead elsewhere, a pipe would be waited for.
    let unfinished = directory.join(format!(".{}.tmp", name.to_string_lossy()));
    if unfinished.symlink_metadata().is_ok() {
        remove(&unfinished)?;
    }
    let mut file = File::create_new(&unfinished)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_nothing_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("results.tsv");
        fs::write(directory.path().join(".results.tsv.tmp"), "left by a crash, and longer")
            .unwrap();
        for content in ["first, long", "second"] {
            write_atomic(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_copied_is_the_same_however_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.log");
        let content = b"step\n".repeat(BLOCK_BYTES / 2);
        copy_atomic(&path, content.as_slice()).unwrap();
        assert!(fs::read(&path).unwrap() == content);
    }

    #[test]
    fn whatever_lies_in_place_of_the_unfinished_file_is_put_away() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("meta.json"), directory.path().join("other"));
        let unfinished = directory.path().join(".meta.json.tmp");
        let fifo = |at: &Path| {
            let made = std::process::Command::new("mkfifo").arg(at).status().unwrap();
            assert!(made.success());
        };
        let link = |at: &Path| std::os::unix::fs::symlink(&other, at).unwrap();
        let tree = |at: &Path| fs::create_dir_all(at.join("deep")).unwrap();
        fs::write(&other, "precious").unwrap();
        for (what, put) in [("link", &link as &dyn Fn(&Path)), ("tree", &tree), ("fifo", &fifo)] {
            put(&unfinished);
            write_atomic(&path, what.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), what);
            assert!(path.symlink_metadata().unwrap().is_file(), "{what}");
            assert!(unfinished.symlink_metadata().is_err(), "{what}");
            assert_eq!(fs::read_to_string(&other).unwrap(), "precious", "{what}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        assert!(write_atomic(&path, b"x").is_err());
        assert!(path.join("inside").is_dir());
        assert!(write_atomic(&directory.path().join("missing/file"), b"x").is_err());
    }
}
