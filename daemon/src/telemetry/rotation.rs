//! A log file that stays small: when it is full it becomes `.1`, that becomes `.2`, and so on; the
//! oldest goes. The daemon does it by itself, because in a container nobody else would.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Full files that are kept beside the one that is written.
pub(super) const KEPT: u32 = 3;

/// One writer's file. Lines come whole, one a write, and stay whole.
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    /// Bytes in the file.
    length: u64,
    /// Bytes after which it is full.
    most: u64,
}

impl Rotating {
    pub(super) fn open(path: &Path, most: u64) -> io::Result<Self> {
        let file = append(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length, most })
    }

    /// Where it cannot be done the old file is written further; the next full one tries again.
    fn turn(&mut self) -> io::Result<()> {
        self.length = 0;
        for n in (1..KEPT).rev() {
            match fs::rename(numbered(&self.path, n), numbered(&self.path, n + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append(&self.path)?;
        Ok(())
    }

    fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        self.file.write_all(bytes).inspect_err(|_| {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(before);
        })
    }
}

impl Write for Rotating {
    /// Never fails: a disk that is full is no reason to stop, and the terminal is told the same.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = bytes.len() as u64;
        if self.length > 0 && self.length + more > self.most {
            let _ = self.turn();
        }
        if self.line(bytes).is_ok() {
            self.length += more;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const MOST: u64 = 100;

    fn log() -> (TempDir, PathBuf) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("daemon.jsonl");
        (directory, path)
    }

    fn line(n: u32) -> String {
        format!("{{\"n\":{n}}}\n")
    }

    fn write(path: &Path, lines: std::ops::Range<u32>) {
        let mut log = Rotating::open(path, MOST).unwrap();
        for n in lines {
            log.write_all(line(n).as_bytes()).unwrap();
        }
    }

    /// Everything that is kept, oldest first.
    fn kept(path: &Path) -> String {
        let numbered = (1..=KEPT).rev().map(|n| numbered(path, n));
        let files = numbered.chain([path.to_owned()]).filter(|path| path.exists());
        files.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn what_fits_is_one_file() {
        let (directory, path) = log();
        write(&path, 0..10);
        assert_eq!(kept(&path), (0..10).map(line).collect::<String>());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn the_newest_lines_are_kept_whole_and_in_order() {
        let (directory, path) = log();
        // Several lives of a daemon, each of which goes on where the last one was.
        for life in 0..50 {
            write(&path, life * 7..life * 7 + 7);
        }
        let kept = kept(&path);
        let first = 350 - u32::try_from(kept.lines().count()).unwrap();
        assert_eq!(kept, (first..350).map(line).collect::<String>());
        let sizes: Vec<u64> = fs::read_dir(&directory)
            .unwrap()
            .map(|f| f.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len() as u32, KEPT + 1);
        assert!(sizes.iter().all(|&size| size <= MOST), "{sizes:?}");
        assert!(kept.len() as u64 > u64::from(KEPT) * (MOST - 10), "{}", kept.len());
    }

    #[test]
    fn a_line_longer_than_a_file_has_one_of_its_own() {
        let (_directory, path) = log();
        let long = "x".repeat(300) + "\n";
        let mut log = Rotating::open(&path, MOST).unwrap();
        for text in [line(0), long.clone(), line(1)] {
            log.write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(kept(&path), line(0) + &long + &line(1));
        assert_eq!(fs::read_to_string(numbered(&path, 1)).unwrap(), long);
    }

    #[test]
    fn a_disk_that_is_full_stops_nobody() {
        let mut log = Rotating::open(Path::new("/dev/full"), MOST).unwrap();
        for n in 0..50 {
            log.write_all(line(n).as_bytes()).unwrap();
        }
    }

    #[test]
    fn where_it_cannot_turn_it_writes_on() {
        let (_directory, path) = log();
        // In the way of the rename, so that not even root can do it.
        fs::create_dir_all(numbered(&path, KEPT).join("in the way")).unwrap();
        write(&path, 0..90);
        let files = [numbered(&path, 2), numbered(&path, 1), path];
        let all: String = files.map(|path| fs::read_to_string(path).unwrap()).concat();
        assert_eq!(all, (0..90).map(line).collect::<String>());
    }
}
