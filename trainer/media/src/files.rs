//! Disk effects that never leave half a file behind, and errors that name the path.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

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

/// Mode of what everybody may read.
const PUBLIC: (u32, u32) = (0o755, 0o644);
/// Mode of what its owner alone may read.
const PRIVATE: (u32, u32) = (0o700, 0o600);

/// Creates a directory and its parents; the directory itself is for its owner only, also when it was
/// there before.
///
/// # Errors
/// Names the directory.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    let create = || {
        // Parents are made as usual: they hold what others may read too.
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        DirBuilder::new().recursive(true).mode(PRIVATE.0).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(PRIVATE.0))
    };
    create().map_err(at("create", path))
}

/// Writes a file whole that only its owner may read: to a hidden sibling, synced, then renamed, and
/// the directory synced.
///
/// # Errors
/// Names the file.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let partial = partial(path);
    let write = || {
        remove_if_there(&partial)?;
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(PRIVATE.1).open(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(at("write", path))?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Gives a directory and the files in it the modes that everybody may read and one time for all, so
/// that neither tells anything.
///
/// # Errors
/// Names the directory.
pub fn make_uniform(dir: &Path) -> Result<(), FileError> {
    let uniform = || {
        for entry in fs::read_dir(dir)? {
            stamp(&entry?.path(), PUBLIC.1)?;
        }
        stamp(dir, PUBLIC.0)
    };
    uniform().map_err(at("set modes and times in", dir))
}

/// Whether [`make_uniform`] was the last to touch it.
///
/// # Errors
/// Names the path.
pub fn is_uniform(path: &Path) -> Result<bool, FileError> {
    let meta = fs::symlink_metadata(path).map_err(at("look at", path))?;
    let mode = if meta.is_dir() { PUBLIC.0 } else { PUBLIC.1 };
    let same_time = meta.modified().is_ok_and(|time| time == UNIX_EPOCH);
    Ok(!meta.is_symlink() && same_time && meta.permissions().mode() & 0o7777 == mode)
}

fn stamp(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    let times = FileTimes::new().set_accessed(UNIX_EPOCH).set_modified(UNIX_EPOCH);
    File::open(path)?.set_times(times)
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
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE.1)
            .open(&path)?;
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

/// SHA-256 of bytes, printed the same way.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
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
    fn what_is_private_is_for_its_owner_and_what_is_uniform_has_one_time_and_mode() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, part) = (dir.path().join("a/vault"), dir.path().join("part"));
        create_private_dir(&vault).unwrap();
        for bytes in [b"one", b"two"] {
            write_private(&vault.join("key"), bytes).unwrap();
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&vault), mode(&vault.join("key"))), (0o700, 0o600));
        let usual = dir.path().join("usual");
        create_dir(&usual).unwrap();
        assert_eq!(mode(&dir.path().join("a")), mode(&usual), "parents are for all");
        assert_eq!(fs::read(vault.join("key")).unwrap(), b"two");
        create_private_dir(&part).unwrap();
        write_private(&part.join("records"), b"x").unwrap();
        assert!(!is_uniform(&part).unwrap() && !is_uniform(&part.join("records")).unwrap());
        make_uniform(&part).unwrap();
        assert!(is_uniform(&part).unwrap() && is_uniform(&part.join("records")).unwrap());
        fs::write(part.join("records"), b"y").unwrap();
        assert!(!is_uniform(&part.join("records")).unwrap(), "its time has changed");
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
