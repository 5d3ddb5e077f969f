//! Files where a candidate's process may write: whatever lies there, it can cost a file, never the
//! session.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Take};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Makes way for a file that is to be appended to: its directory is there, nothing but a plain file
/// is in its place (no link that leads elsewhere, no pipe that blocks), and both may be written.
///
/// # Errors
/// What is in the way cannot be removed, or the directory cannot be made.
pub fn make_way(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    if directory.symlink_metadata().is_ok_and(|kind| !kind.is_dir()) {
        remove(directory)?;
    }
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(kind) if kind.is_file() => fs::set_permissions(path, Permissions::from_mode(0o644)),
        Ok(_) => remove(path),
    }
}

/// The content of a plain file of at most so many bytes; nothing when there is none, or something
/// else in its place.
pub(super) fn read_plain(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let whole = read_end(path, most + 1)?;
    Ok(whole.filter(|content| content.len() as u64 <= most))
}

/// The last bytes of a plain file, at most so many; nothing when there is none, or something else
/// in its place.
pub(super) fn read_end(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(mut end) = open_end(path, most)? else { return Ok(None) };
    // Its room at once: a file that grows in memory as it is read takes twice as much.
    let length = end.get_ref().metadata()?.len().min(most);
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    end.read_to_end(&mut content)?;
    Ok(Some(content))
}

/// The same, to be read bit by bit.
pub(super) fn open_end(path: &Path, most: u64) -> io::Result<Option<Take<File>>> {
    if !path.symlink_metadata().is_ok_and(|kind| kind.is_file()) {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    Ok(Some(file.take(most)))
}

/// Something below a directory that is neither a plain file nor a directory, if there is any. A candidate
/// decides how deep they lie.
///
/// # Errors
/// A directory cannot be read.
pub fn first_that_is_no_file(directory: &Path) -> io::Result<Option<PathBuf>> {
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => {}
                _ => return Ok(Some(entry.path())),
            }
        }
    }
    Ok(None)
}

/// Removes a file, a link (not what it leads to), or a whole directory.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
