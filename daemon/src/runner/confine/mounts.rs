//! A new root in namespaces of its own, made of mounts of what a program may see.
//!
//! Trees are taken before anything is covered, as mounts that are nowhere yet, so that the order of
//! what covers what does not matter; then the new root grows and the old one goes.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, pivot_root};

use super::places::Places;
use crate::sandbox::COUNTERS;

/// Where the new root grows: a directory that is there on every machine on which this works.
const BASE: &str = "/proc";
/// What may be kept in memory under `/tmp` and `/dev/shm`, each.
const SCRATCH: &str = "mode=1777,size=64m";
const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
const OWN: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
const NODE: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// Goes into namespaces of its own, and within them into a root that holds these places.
pub(super) fn enter(places: &Places) -> io::Result<()> {
    let directory = env::current_dir()?;
    unshare(
        CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )?;
    let none = None::<&Path>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let trees = take(places)?;
    let before = umask(Mode::empty());
    temporary(BASE, "mode=0755,size=4m")?;
    chdir(BASE)?;
    furnish(places, &trees)?;
    umask(before);
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    set_attributes(&File::open("/")?.into(), libc::MOUNT_ATTR_RDONLY, 0)?;
    Ok(chdir(&directory)?)
}

/// A mount that is nowhere yet, and where it belongs.
type Tree = (PathBuf, OwnedFd);

fn take(places: &Places) -> io::Result<Vec<Tree>> {
    let read = places.readable.iter().filter(|path| !path.starts_with("/proc"));
    let read = read.map(|path| (path, READ_ONLY));
    let written = places.writable.iter().map(|path| (path, OWN));
    let nodes = places.devices.iter().map(|path| (path, NODE));
    let mut all: Vec<_> = read.chain(written).chain(nodes).collect();
    // What lies within another comes after it.
    all.sort_unstable();
    all.into_iter().map(|(path, attributes)| Ok((path.clone(), clone(path, attributes)?))).collect()
}

/// Fills the new root, which is the working directory.
fn furnish(places: &Places, trees: &[Tree]) -> io::Result<()> {
    for directory in ["proc", "dev/shm", "tmp"] {
        make_directory(Path::new(directory))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "proc", Some("proc"), flags, None::<&str>)?;
    COUNTERS.iter().try_for_each(|counter| cover(&inside(Path::new(counter))))?;
    temporary("dev/shm", SCRATCH)?;
    temporary("tmp", SCRATCH)?;
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), Path::new("dev").join(name))?;
    }
    for (path, target) in &places.links {
        link(&inside(path), target)?;
    }
    trees.iter().try_for_each(|(path, tree)| place(tree, &inside(path)))
}

/// Puts nothing in the place of what is there.
fn cover(path: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => {
            Ok(mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some("mode=0555,size=4k"))?)
        }
        Ok(_) => {
            let none = None::<&str>;
            Ok(mount(Some("/dev/null"), path, none, MsFlags::MS_BIND, none)?)
        }
        // This kernel has none.
        Err(_) => Ok(()),
    }
}

fn inside(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

fn link(path: &Path, target: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), make_directory)?;
    match symlink(target, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

fn temporary(path: &str, options: &str) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    Ok(mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options))?)
}

/// Puts a tree in its place, which is made when no tree before it holds it.
fn place(tree: &OwnedFd, path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err() {
        if File::from(tree.try_clone()?).metadata()?.is_dir() {
            make_directory(path)?;
        } else {
            path.parent().map_or(Ok(()), make_directory)?;
            File::create(path)?;
        }
    }
    let (here, flags) = (libc::AT_FDCWD, libc::MOVE_MOUNT_F_EMPTY_PATH);
    let (empty, path) = (c"", terminated(path)?);
    // SAFETY: both names are terminated and outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            empty.as_ptr(),
            here,
            path.as_ptr(),
            flags,
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// What is mounted at a path and below it, with these attributes everywhere.
fn clone(path: &Path, attributes: u64) -> io::Result<OwnedFd> {
    let name = terminated(path)?;
    let recursive = libc::AT_RECURSIVE.cast_unsigned();
    let flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned() | recursive;
    // SAFETY: the name is terminated and outlives the call.
    let result =
        unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, name.as_ptr(), flags) };
    let fd = i32::try_from(Errno::result(result)?).map_err(io::Error::other)?;
    // SAFETY: the kernel made this descriptor for us alone.
    let tree = unsafe { OwnedFd::from_raw_fd(fd) };
    set_attributes(&tree, attributes, recursive)?;
    Ok(tree)
}

fn set_attributes(tree: &OwnedFd, attributes: u64, flags: u32) -> io::Result<()> {
    let wanted =
        libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let (empty, flags) = (c"", flags | libc::AT_EMPTY_PATH.cast_unsigned());
    // SAFETY: the kernel reads so many bytes of the attributes, and a terminated name.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            empty.as_ptr(),
            flags,
            &raw const wanted,
            size_of_val(&wanted),
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

fn terminated(path: &Path) -> io::Result<std::ffi::CString> {
    std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL.into())
}
