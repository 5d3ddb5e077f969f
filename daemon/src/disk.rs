//! What kind of place a directory is: its file system, and how much is free there. [nix]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod ballast;

pub use ballast::{BALLAST_BYTES, Ballast, DiskError};

/// Free space below which nothing new is started, in MiB: a build, a run and the ledger fit in it.
pub const FLOOR_MIB: u64 = 4096;

const MOUNTS: &str = "/proc/self/mountinfo";
/// File systems that other machines change too: locks and shared memory do not hold there.
const NETWORK: [&str; 14] = [
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
];

/// What becomes of files in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// They stay on this machine's disk.
    Local,
    /// They are gone after a reboot.
    Memory,
    /// They are gone with the container.
    Layer,
    /// They are on another machine, or behind a program that nothing is known of.
    Network,
}

/// A place for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the file system's kind, as in `mount`.
    pub kind: String,
    /// What becomes of files there.
    pub nature: Nature,
    /// Space that this user may still fill, in MiB.
    pub free_mib: u64,
}

/// The place where `path` is, or would be: its nearest directory that is there.
///
/// # Errors
/// The directory or the list of mounts cannot be read.
pub fn place(path: &Path) -> io::Result<Place> {
    let path = std::path::absolute(path)?;
    let there = path.ancestors().find_map(|path| path.canonicalize().ok());
    let there = there.unwrap_or_else(|| PathBuf::from("/"));
    let kind = kind(&fs::read_to_string(MOUNTS)?, &there);
    let kind = kind.ok_or_else(|| io::Error::other(format!("no mount in {MOUNTS}")))?;
    let nature = nature(&kind);
    Ok(Place { kind, nature, free_mib: free_mib(&there)? })
}

/// Space in MiB that this user may still fill where `path` is.
///
/// # Errors
/// The path is not there.
pub fn free_mib(path: &Path) -> io::Result<u64> {
    let volume = nix::sys::statvfs::statvfs(path)?;
    let bytes = volume.blocks_available().saturating_mul(volume.fragment_size());
    Ok(bytes >> 20)
}

/// Whether this user may write a file; asked without opening it, which would cost whoever holds locks
/// on it in this process all of them.
pub fn may_write(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
}

/// Of the mount that `path` is below; where several are on one another, the last one.
///
/// # Source
/// `proc_pid_mountinfo(5)`: `ID PARENT DEVICE ROOT MOUNTPOINT … - KIND SOURCE OPTIONS`
fn kind(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = PathBuf::from(unescape(left.split(' ').nth(4)?));
        let depth = path.starts_with(&point).then(|| point.components().count())?;
        Some((depth, right.split(' ').next()?.to_owned()))
    };
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// Blanks in names of directories are written as `\040`.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, sign)| text.replace(code, sign))
}

fn nature(kind: &str) -> Nature {
    match kind {
        "tmpfs" | "ramfs" => Nature::Memory,
        "overlay" | "aufs" => Nature::Layer,
        _ if NETWORK.contains(&kind) || kind == "fuse" || kind.starts_with("fuse.") => {
            Nature::Network
        }
        _ => Nature::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "\
612 550 0:58 / / rw,relatime master:278 - overlay overlay rw,lowerdir=/l
613 612 0:61 / /proc rw,nosuid - proc proc rw
620 612 8:1 /data /srv/my\\040data rw,relatime - ext4 /dev/sda1 rw
621 612 0:70 / /workspace rw - nfs4 store:/vol rw
622 621 0:71 / /workspace/scratch rw - fuse.sshfs host: rw
623 612 0:72 / /srv/over rw - ext4 /dev/sdb1 rw
624 623 0:73 / /srv/over rw - tmpfs tmpfs rw
";

    #[test]
    fn a_path_is_on_its_deepest_and_last_mount() {
        let cases = [
            ("/", "overlay", Nature::Layer),
            ("/srv/my data/state", "ext4", Nature::Local),
            ("/srv/my data2", "overlay", Nature::Layer),
            ("/workspace/state", "nfs4", Nature::Network),
            ("/workspace/scratch/x", "fuse.sshfs", Nature::Network),
            ("/srv/over/x", "tmpfs", Nature::Memory),
        ];
        for (path, expected, expected_nature) in cases {
            let found = kind(CONTAINER, Path::new(path)).unwrap();
            assert_eq!((found.as_str(), nature(&found)), (expected, expected_nature), "{path}");
        }
    }

    #[test]
    fn fuseblk_is_a_disk() {
        for (kind, expected) in
            [("fuseblk", Nature::Local), ("btrfs", Nature::Local), ("lustre", Nature::Network)]
        {
            assert_eq!(nature(kind), expected, "{kind}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_yet_is_where_its_parent_is() {
        let directory = tempfile::TempDir::new().unwrap();
        let here = place(directory.path()).unwrap();
        let below = place(&directory.path().join("a/b")).unwrap();
        assert_eq!((here.kind, here.nature), (below.kind, below.nature));
        assert!(free_mib(&directory.path().join("a")).is_err());
    }
}
