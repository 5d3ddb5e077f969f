//! The directories that a run may write: made for it, watched, and removed.

use std::fs::{self, DirBuilder, DirEntry, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use nix::sys::time::TimeSpec;
use nix::unistd::syncfs;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Containment, Execution, ResourceLimits};

/// What one file takes at least, whatever it holds.
const LEAST_BYTES: u64 = 4096;
/// Bytes of a path below the one that is removed; what lies deeper is moved up first.
const LONGEST_PATH: usize = 500;
/// Entries of directories that a run may leave; no honest build has so many, and each of them costs
/// time to be synced and removed.
const MOST_ENTRIES: u64 = 500_000;
/// Directories below each other that are looked into; no honest tree has so many.
const DEPTH: usize = 100;
/// Bytes of a path, with the one that ends it, that the system takes.
const PATH_MAX: usize = nix::libc::PATH_MAX as usize;

/// How long it may take until what was removed is free: commits come every 30 s.
const SETTLED: Duration = Duration::from_secs(40);
const SETTLES: Duration = Duration::from_millis(500);

/// Why a directory cannot be handed to runs.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Something else is there, a link perhaps.
    #[error("{} is no directory", .0.display())]
    NoDirectory(PathBuf),
    /// The operating system refused.
    #[error("cannot hand {} to runs", path.display())]
    Io {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes a directory one that runs may write: there, with mode 0700, and with all that is in it
/// the property of the user of runs. Not to be called while a run may write in it.
///
/// # Errors
/// A link or something else is in its place, or the operating system refuses.
pub fn prepare_writable(path: &Path, containment: &Containment) -> Result<(), PrepareError> {
    let failed = |source| PrepareError::Io { path: path.to_owned(), source };
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    if !fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        return Err(PrepareError::NoDirectory(path.to_owned()));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    let Some(user) = containment.run_user() else { return Ok(()) };
    let hand_over = |path: &Path| {
        let given = lchown(path, Some(user.uid), Some(user.gid));
        given.map_err(|source| PrepareError::Io { path: path.to_owned(), source })
    };
    hand_over(path)?;
    let mut open = vec![path.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in entries(&directory).map_err(failed)? {
            hand_over(&entry.path())?;
            if entry.file_type().map_err(failed)?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Removes a directory that runs have written, whatever they made of it: one that is nested too deep
/// for a path, or that its owner may not look into. What is not there is removed already. Not to be
/// called while a run may write in it.
///
/// # Errors
/// The operating system refuses.
pub fn remove_written(path: &Path) -> io::Result<()> {
    let mut moved = 0;
    loop {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
            Ok(found) if !found.is_dir() => return fs::remove_file(path),
            Ok(_) => remove(path, path, &mut moved)?,
        }
    }
}

/// Removes what is below a directory of `top` and, when nothing was moved to `top` meanwhile, the
/// directory.
fn remove(directory: &Path, top: &Path, moved: &mut u32) -> io::Result<()> {
    let before = *moved;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    for entry in entries(directory)? {
        let path = entry.path();
        if !entry.file_type()?.is_dir() {
            fs::remove_file(path)?;
        } else if path.as_os_str().len() > top.as_os_str().len() + LONGEST_PATH {
            // Who may not write a directory may not move it either.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            fs::rename(path, free(top, moved))?;
        } else {
            remove(&path, top, moved)?;
        }
    }
    if directory != top || *moved == before { fs::remove_dir(directory) } else { Ok(()) }
}

/// A name that nothing has.
fn free(top: &Path, moved: &mut u32) -> PathBuf {
    loop {
        *moved += 1;
        let path = top.join(format!(".moved-{moved}"));
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
    }
}

/// Gives everything in a directory that runs have written, and the directory, one time of reading and
/// of writing. What is not there has none. Not to be called while a run may write in it.
///
/// # Errors
/// The operating system refuses; the first time, with all others done that can be.
pub fn level_times(path: &Path, at: SystemTime) -> io::Result<()> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = TimeSpec::from(since);
    let mut open = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map(|_| vec![path.to_owned()])?,
    };
    let mut levelled = Ok(());
    while let Some(path) = open.pop() {
        let below = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => entries(&path),
            found => found.map(|_| Vec::new()),
        };
        // Last, for to look into a directory is to read it.
        let set = utimensat(AT_FDCWD, &path, &at, &at, UtimensatFlags::NoFollowSymlink);
        open.extend(below.iter().flatten().map(DirEntry::path));
        levelled = levelled.and(below.map(drop)).and(set.map_err(io::Error::from));
    }
    levelled
}

fn entries(directory: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(directory)?.collect()
}

/// Looks, beside everything else, at how much a run has written; a look begins when the last one
/// has ended.
pub(super) struct Watch {
    directories: Vec<PathBuf>,
    limits: ResourceLimits,
    look: Option<JoinHandle<Found>>,
    is_short: bool,
    /// Bytes that were there before the run.
    before: u64,
}

/// What a look found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Enough,
    /// More in the directories than they may hold.
    Excess,
    /// Less free space than must stay.
    Shortage,
}

impl Watch {
    pub(super) async fn of(execution: &Execution) -> Self {
        let writable = execution.sandbox.iter().flat_map(|sandbox| sandbox.writable.clone());
        let (directories, limits) = (writable.collect::<Vec<_>>(), execution.limits);
        let looked = directories.clone();
        let before = spawn_blocking(move || written_bytes(&looked)).await.unwrap_or_default();
        Self { directories, limits, look: None, is_short: false, before }
    }

    /// Whether the last look found too much written, or too little left.
    pub(super) fn found_excess(&mut self) -> bool {
        let found = self.look.as_mut().and_then(FutureExt::now_or_never);
        if self.look.is_none() || found.is_some() {
            let (directories, limits) = (self.directories.clone(), self.limits);
            self.look = Some(spawn_blocking(move || look(&directories, &limits)));
        }
        let found = found.map_or(Found::Enough, |found| found.unwrap_or(Found::Excess));
        self.is_short |= found == Found::Shortage;
        found != Found::Enough
    }

    /// One last look, when nothing is written any more.
    pub(super) async fn at_the_end(self) -> End {
        spawn_blocking(move || self.end()).await.unwrap_or(End::Excess)
    }

    fn end(&self) -> End {
        let Self { directories, limits, .. } = self;
        if limits.directory_bytes.is_some_and(|limit| exceeds(directories, limit)) {
            return End::Excess;
        }
        let free_bytes = limits.free_bytes.unwrap_or_default();
        if self.is_short || is_short(directories, free_bytes) {
            settle_space(directories, free_bytes);
        }
        let own = written_bytes(directories).saturating_sub(self.before);
        let is_still_short = self.is_short && is_short(directories, free_bytes.saturating_sub(own));
        if is_still_short { End::FilledByOthers } else { End::Enough }
    }
}

/// What the last look at a run found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Enough,
    /// Its directories hold more than they may.
    Excess,
    /// The disk was short while it ran, and would still be without all that it wrote.
    FilledByOthers,
}

fn look(directories: &[PathBuf], limits: &ResourceLimits) -> Found {
    if limits.directory_bytes.is_some_and(|limit| exceeds(directories, limit)) {
        return Found::Excess;
    }
    let is_short = limits.free_bytes.is_some_and(|least| is_short(directories, least));
    if is_short { Found::Shortage } else { Found::Enough }
}

/// Whether less than that is free where one of these directories is.
fn is_short(directories: &[PathBuf], least: u64) -> bool {
    let free = |directory: &PathBuf| {
        let volume = statvfs(directory).ok()?;
        Some(volume.blocks_available().saturating_mul(volume.fragment_size()))
    };
    directories.iter().filter_map(free).any(|free| free < least)
}

/// Lets the file systems of these directories give back what was removed, until so much is free: some
/// do so with their next commit only, and until then a file of no name looks like somebody else's.
pub fn settle_space(directories: &[PathBuf], least: u64) {
    let until = Instant::now() + SETTLED;
    loop {
        // Where it fails, what is free is looked at as it is.
        let settled = directories.iter().filter_map(|place| syncfs(File::open(place).ok()?).ok());
        settled.for_each(drop);
        let is_awaited = is_short(directories, least) && directories.iter().any(|d| frees_late(d));
        if !is_awaited || Instant::now() > until {
            return;
        }
        thread::sleep(SETTLES);
    }
}

/// Whether a file system may need more than a commit for it: btrfs, where no room is left for its own
/// account.
fn frees_late(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|volume| volume.filesystem_type() == BTRFS_SUPER_MAGIC)
}

/// Whether there is more than that in these directories; also when they cannot be looked through.
fn exceeds(directories: &[PathBuf], limit: u64) -> bool {
    let mut sum = Sum::default();
    let most = Sum { bytes: limit, entries: MOST_ENTRIES };
    directories.iter().any(|directory| !add(directory, DEPTH, most, &mut sum))
}

/// Bytes on disk of all that is in these directories; what lies too deep is left out.
pub fn written_bytes(directories: &[PathBuf]) -> u64 {
    let mut sum = Sum::default();
    let most = Sum { bytes: u64::MAX, entries: u64::MAX };
    for directory in directories {
        add(directory, DEPTH, most, &mut sum);
    }
    sum.bytes
}

/// What is in a directory.
#[derive(Clone, Copy, Default)]
struct Sum {
    bytes: u64,
    entries: u64,
}

impl Sum {
    /// Whether it is no more than that with one more entry.
    fn takes(&mut self, metadata: &Metadata, most: Self) -> bool {
        self.bytes += (metadata.blocks() * 512).max(LEAST_BYTES);
        self.entries += 1;
        self.bytes <= most.bytes && self.entries <= most.entries
    }
}

/// Adds up what is below a directory; false once it is too much, or lies where no path leads. What
/// vanishes meanwhile is nothing.
fn add(directory: &Path, depth: usize, most: Sum, sum: &mut Sum) -> bool {
    let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(directory) {
        Ok(entries) if depth > 0 => entries,
        Err(error) if is_gone(&error) => return true,
        _ => return false,
    };
    for entry in entries {
        let metadata = match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
            Ok(found) => found,
            Err(error) if is_gone(&error) => continue,
            Err(_) => return false,
        };
        let (path, metadata) = metadata;
        if path.as_os_str().len() >= PATH_MAX {
            return false;
        }
        if !sum.takes(&metadata, most) || metadata.is_dir() && !add(&path, depth - 1, most, sum) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(directory: &Path, limit: u64) -> bool {
        !exceeds(&[directory.to_owned()], limit)
    }

    #[test]
    fn what_no_path_reaches_is_removed() {
        use nix::fcntl::{OFlag, open, openat};
        use nix::sys::stat::{Mode, mkdirat};
        let home = tempfile::TempDir::new().unwrap();
        let top = home.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut at = open(&top, OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            mkdirat(&at, "deep", Mode::S_IRWXU).unwrap();
            at = openat(&at, "deep", OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        fs::write(top.join("file"), "").unwrap();
        // Beyond what is removed by its path, and closed to an owner that is not root.
        let far = top.join("a".repeat(250)).join("b".repeat(250));
        fs::create_dir_all(far.join("closed")).unwrap();
        fs::set_permissions(far.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
        std::os::unix::fs::symlink(home.path(), top.join("link")).unwrap();
        fs::create_dir_all(top.join(".moved-1/taken")).unwrap();
        fs::create_dir(top.join("closed")).unwrap();
        fs::set_permissions(top.join("closed"), fs::Permissions::from_mode(0o0)).unwrap();
        assert!(exceeds(std::slice::from_ref(&top), u64::MAX));
        remove_written(&top).unwrap();
        remove_written(&top).unwrap();
        assert_eq!(entries(home.path()).unwrap().len(), 0);
    }

    /// A file whose path is longer than a path may be, in directories whose paths are not.
    fn beyond_all_paths(top: &Path) {
        use nix::fcntl::{OFlag, open, openat};
        use nix::sys::stat::{Mode, mkdirat};
        let name = "n".repeat(200);
        let mut at = open(top, OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..(PATH_MAX - top.as_os_str().len() - 1) / 201 {
            mkdirat(&at, name.as_str(), Mode::S_IRWXU).unwrap();
            at = openat(&at, name.as_str(), OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        let create = OFlag::O_CREAT | OFlag::O_WRONLY;
        openat(&at, "f".repeat(220).as_str(), create, Mode::S_IRWXU).unwrap();
    }

    #[test]
    fn what_cannot_be_levelled_keeps_nothing_else_from_it() {
        let home = tempfile::TempDir::new().unwrap();
        beyond_all_paths(home.path());
        let names: Vec<_> = (0..20).map(|n| home.path().join(format!("{n}"))).collect();
        names.iter().for_each(|name| fs::write(name, "").unwrap());
        let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        assert!(level_times(home.path(), at).is_err());
        let levelled = |name: &PathBuf| fs::metadata(name).unwrap().modified().unwrap() == at;
        assert!(names.iter().all(levelled));
        remove_written(home.path()).unwrap();
    }

    #[test]
    fn times_of_reading_and_writing_tell_nothing_afterwards() {
        let home = tempfile::TempDir::new().unwrap();
        fs::create_dir(home.path().join("below")).unwrap();
        fs::write(home.path().join("below/model"), "weights").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("link")).unwrap();
        let (at, other) =
            (UNIX_EPOCH + Duration::from_secs(1_800_000_000), fs::metadata("/etc/passwd"));
        level_times(home.path(), at).unwrap();
        level_times(&home.path().join("gone"), at).unwrap();
        for name in ["", "below", "below/model", "link"] {
            let found = fs::symlink_metadata(home.path().join(name)).unwrap();
            assert_eq!((found.modified().unwrap(), found.atime()), (at, 1_800_000_000), "{name}");
        }
        assert_eq!(
            fs::metadata("/etc/passwd").unwrap().modified().unwrap(),
            other.unwrap().modified().unwrap()
        );
    }

    #[test]
    fn bytes_files_and_depth_all_count() {
        let home = tempfile::TempDir::new().unwrap();
        let at = |name: &str| home.path().join(name);
        assert!(holds(home.path(), 0) && holds(&at("gone"), 0));
        fs::create_dir(at("below")).unwrap();
        fs::write(at("below/large"), vec![1; 64 << 10]).unwrap();
        assert!(holds(home.path(), 68 << 10) && !holds(home.path(), (68 << 10) - 1));
        for n in 0..10 {
            fs::write(at(&format!("{n}")), "").unwrap();
        }
        assert!(holds(home.path(), 108 << 10) && !holds(home.path(), (108 << 10) - 1));
        std::os::unix::fs::symlink("/", at("link")).unwrap();
        assert!(holds(home.path(), 112 << 10));
        fs::create_dir_all(at(&"d/".repeat(DEPTH + 1))).unwrap();
        assert!(!holds(home.path(), 1 << 30));
        fs::remove_dir_all(at("d")).unwrap();
        assert!(holds(home.path(), 1 << 30));
        beyond_all_paths(home.path());
        assert!(!holds(home.path(), 1 << 30));
        let (mut sum, one) = (Sum::default(), fs::metadata(at("0")).unwrap());
        let two = Sum { bytes: 1 << 30, entries: 2 };
        assert!(sum.takes(&one, two) && sum.takes(&one, two) && !sum.takes(&one, two));
    }
}
