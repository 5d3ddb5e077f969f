//! Disk effects that never leave half a file behind, and errors that name the path.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// A disk operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", .path.display())]
pub struct FileError {
    /// What was tried.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Turns an [`io::Error`] into one that names the action and the path.
pub fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError { action, path: path.to_owned(), source }
}

/// Creates a directory and its parents.
///
/// # Errors
/// Names the directory.
pub fn create_dir(path: &Path) -> Result<(), FileError> {
    fs::create_dir_all(path).map_err(at("create", path))
}

/// Reads a text file; `None` when there is none.
///
/// # Errors
/// Names the file; also when it is not UTF-8.
pub fn read_optional(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", path)(error)),
    }
}

/// Writes a file whole: to a hidden sibling, synced, then renamed.
///
/// # Errors
/// Names the file.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let partial = partial(path);
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at("write", path))?;
    fs::rename(&partial, path).map_err(at("write", path))
}

/// Syncs a file that another program wrote under [`partial`] and gives it its name.
///
/// # Errors
/// Names the file.
pub fn publish(path: &Path) -> Result<(), FileError> {
    let partial = partial(path);
    let publish = || {
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, path)
    };
    publish().map_err(at("write", path))
}

/// The hidden name that a file or directory has until it is complete.
pub fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

/// Points a symbolic link at `target`, replacing an older link in one step.
///
/// # Errors
/// Names the link.
pub fn replace_link(link: &Path, target: &Path) -> Result<(), FileError> {
    let fresh = partial(link);
    let replace = || {
        remove_if_there(&fresh)?;
        symlink(target, &fresh)?;
        fs::rename(&fresh, link)
    };
    replace().map_err(at("link", link))
}

/// Reads a file that another program wrote; what is not UTF-8 is replaced.
///
/// # Errors
/// Names the file.
pub fn read_lossy(path: &Path) -> Result<String, FileError> {
    let bytes = fs::read(path).map_err(at("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes a file if it is there.
///
/// # Errors
/// Names the file.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    remove_if_there(path).map_err(at("remove", path))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a directory tree if it is there.
///
/// # Errors
/// Names the directory.
pub fn remove_tree(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Makes what was renamed into a directory durable.
///
/// # Errors
/// Names the directory.
pub fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(at("sync", path))
}

/// Holds `<dir>/.lock` until dropped, so that two `dfr prepare` do not write the same files.
///
/// # Errors
/// Names the lock file.
pub fn lock(dir: &Path) -> Result<File, FileError> {
    create_dir(dir)?;
    let path = dir.join(".lock");
    let lock = || {
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(at("lock", &path))
}

/// SHA-256 of a file, in lower-case hex as `sha256sum` prints it.
///
/// # Errors
/// Names the file.
pub fn sha256(path: &Path) -> Result<String, FileError> {
    let digest = || {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut block = vec![0; 1 << 20];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(hasher.finalize()),
                read => hasher.update(&block[..read]),
            }
        }
    };
    digest().map(|hash| hex(&hash)).map_err(at("read", path))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_under_its_name_and_its_hash_is_that_of_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_whole(&path, b"abc").unwrap();
        assert!(!partial(&path).exists());
        assert_eq!(
            sha256(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_link_is_replaced_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        for target in ["one", "two"] {
            replace_link(&link, Path::new(target)).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
    }

    #[test]
    fn an_error_names_what_could_not_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_whole(&dir.path().join("no/such"), b"").unwrap_err().to_string();
        assert!(error.starts_with("cannot write") && error.contains("no/such"), "{error}");
    }
}
