//! Which parts of files are in memory: made the same whatever a run has read.
//!
//! A run finds that out by ways that no filter closes: what the kernel maps without asking a disk, how
//! often the disk was asked, how long a read takes.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File, FileType, OpenOptions};
use std::io;
use std::iter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise};

use super::usual_memory_bytes;
use crate::sandbox::outermost;

/// Where files are no files of a disk.
const WITHOUT_PAGES: [&str; 2] = ["/proc", "/sys"];
/// What the kernel reads ahead at once, at least; the rest of a longer wish it forgets.
const AHEAD: i64 = 64 << 10;
/// The part of memory that may be filled with what is wanted.
const MOST: u64 = 4;
/// More threads than this would wait for each other in the kernel.
const THREADS: usize = 8;

/// What levelling came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levelled {
    /// Files whose pages were put out of memory.
    pub out: u64,
    /// Files that are wholly there.
    pub whole: u64,
}

/// Puts the pages of all files at and below these places out of memory, but brings in wholly those of
/// the wanted places among them, which every run would ask the disk for again. Where they would fill
/// more than a quarter of memory, they go as well. What cannot be opened stays as it is, and so do pages
/// that a process has mapped, or that are not written yet. Links are not followed below the places.
pub fn level_pages(places: &BTreeSet<PathBuf>, wanted: &BTreeSet<PathBuf>) -> Levelled {
    let (places, mut wanted) = (resolved(places), resolved(wanted));
    let mut whole = below(&wanted, &BTreeSet::new());
    let bytes = of_each(&whole, |path| fs::symlink_metadata(path).map_or(0, |file| file.len()));
    if bytes > usual_memory_bytes().unwrap_or_default() / MOST {
        (wanted, whole) = (BTreeSet::new(), Vec::new());
    }
    let out = of_each(&below(&places, &wanted), |path| u64::from(put_out(path).is_ok()));
    Levelled { out, whole: of_each(&whole, |path| u64::from(bring_in(path).is_ok())) }
}

/// Where these places really are, but for those that are not there or of no disk.
fn resolved(places: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let there = places.iter().filter_map(|place| place.canonicalize().ok());
    outermost(there.filter(|place| !WITHOUT_PAGES.iter().any(|no| place.starts_with(no))).collect())
}

/// The places, and all directories below them; nothing of what is left out.
fn below(places: &BTreeSet<PathBuf>, without: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let mut found: Vec<_> = places.difference(without).cloned().collect();
    let mut next = 0;
    while let Some(directory) = found.get(next) {
        let directories = entries(directory).filter(|entry| is(entry, FileType::is_dir));
        let inside: Vec<_> = directories.map(|directory| directory.path()).collect();
        found.extend(inside.into_iter().filter(|directory| !without.contains(directory)));
        next += 1;
    }
    found
}

/// The sum of what is done to every plain file that is, or is in, one of these places.
fn of_each(places: &[PathBuf], act: impl Fn(&Path) -> u64 + Sync) -> u64 {
    let next = AtomicUsize::new(0);
    let work = || {
        let taken = iter::from_fn(|| places.get(next.fetch_add(1, Ordering::Relaxed)));
        taken.map(|place| of_place(place, &act)).sum::<u64>()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        work() + others.into_iter().map(|other| other.join().unwrap_or_default()).sum::<u64>()
    })
}

fn of_place(place: &Path, act: &impl Fn(&Path) -> u64) -> u64 {
    if place.is_file() {
        return act(place);
    }
    let files = entries(place).filter(|entry| is(entry, FileType::is_file));
    files.map(|file| act(&file.path())).sum()
}

/// What is in a directory; nothing when it is none, or cannot be looked into.
fn entries(directory: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}

fn is(entry: &DirEntry, kind: fn(&FileType) -> bool) -> bool {
    entry.file_type().is_ok_and(|found| kind(&found))
}

fn put_out(path: &Path) -> io::Result<()> {
    Ok(posix_fadvise(open(path)?, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?)
}

fn bring_in(path: &Path) -> io::Result<()> {
    let file = open(path)?;
    let bytes = i64::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut parts = (0..bytes).step_by(AHEAD as usize);
    let advice = PosixFadviseAdvice::POSIX_FADV_WILLNEED;
    parts.try_for_each(|at| Ok(posix_fadvise(&file, at, AHEAD, advice)?))
}

/// Reads nothing, follows no link and waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, Instant};

    use nix::libc;

    use super::*;

    const PAGE: usize = 4096;
    const PAGES: usize = 256;

    /// How many pages of a file are in memory.
    fn there(path: &Path) -> usize {
        let file = File::open(path).unwrap();
        let (none, bytes) = (std::ptr::null_mut(), PAGE * PAGES);
        let mut told = [0u8; PAGES];
        // SAFETY: a mapping of our own, which nobody reads, and room for a byte of each of its pages.
        unsafe {
            let at =
                libc::mmap(none, bytes, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0);
            assert_ne!(at, libc::MAP_FAILED);
            assert_eq!(libc::mincore(at, bytes, told.as_mut_ptr()), 0);
            libc::munmap(at, bytes);
        }
        told.iter().filter(|page| **page & 1 == 1).count()
    }

    /// The disk may still be at it.
    fn is_soon_whole(path: &Path) -> bool {
        let begun = Instant::now();
        while there(path) < PAGES && begun.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(5));
        }
        there(path) == PAGES
    }

    fn written(path: PathBuf) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(&[1; PAGE * PAGES]).unwrap();
        file.sync_all().unwrap();
        path
    }

    /// On a disk, which the usual place for temporary files may not be.
    fn home() -> tempfile::TempDir {
        tempfile::TempDir::new_in(env!("CARGO_MANIFEST_DIR")).unwrap()
    }

    fn of(paths: &[&Path]) -> BTreeSet<PathBuf> {
        paths.iter().map(|path| path.to_path_buf()).collect()
    }

    #[test]
    fn what_is_wanted_is_wholly_there_and_nothing_else() {
        let home = home();
        let at = |name: &str| written(home.path().join("all").join(name));
        let (read, deep, wanted) = (at("read"), at("a/b/deep"), at("wanted/library"));
        let (alone, outside) = (written(home.path().join("alone")), written(home.path().join("x")));
        symlink(&outside, home.path().join("all/link")).unwrap();
        symlink(home.path().join("all"), home.path().join("known-as")).unwrap();
        put_out(&wanted).unwrap();
        for path in [&read, &deep, &alone, &outside] {
            assert_eq!(there(path), PAGES, "{}", path.display());
        }
        let all =
            of(&[&home.path().join("known-as"), &alone, Path::new("/sys"), Path::new("/gone")]);
        let levelled = level_pages(&all, &of(&[wanted.parent().unwrap()]));
        assert_eq!(levelled, Levelled { out: 3, whole: 1 });
        for path in [&read, &deep, &alone] {
            assert_eq!(there(path), 0, "{}", path.display());
        }
        assert_eq!(there(&outside), PAGES, "a link was followed");
        assert!(is_soon_whole(&wanted));
    }

    #[test]
    fn a_part_of_a_wanted_file_tells_nothing_either() {
        let home = home();
        let file = written(home.path().join("library"));
        put_out(&file).unwrap();
        let advice = PosixFadviseAdvice::POSIX_FADV_WILLNEED;
        posix_fadvise(open(&file).unwrap(), 0, PAGE as i64, advice).unwrap();
        assert!(there(&file) < PAGES);
        let place = of(&[&file]);
        assert_eq!(level_pages(&place, &place), Levelled { out: 0, whole: 1 });
        assert!(is_soon_whole(&file));
    }
}
