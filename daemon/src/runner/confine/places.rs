//! Where the paths of a sandbox really lead on this machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;

use crate::sandbox::{Sandbox, covers, outermost};

/// Device nodes that every program may use.
const NODES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// Links that a path may lead through; the kernel's own limit.
const HOPS: usize = 40;

/// The paths of a sandbox without links, and the links that lead to them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub readable: BTreeSet<PathBuf>,
    pub writable: BTreeSet<PathBuf>,
    pub devices: BTreeSet<PathBuf>,
    pub links: BTreeMap<PathBuf, PathBuf>,
}

impl Places {
    /// # Errors
    /// A directory to write is not there; a path cannot be followed; one is the root.
    pub(super) fn resolve(sandbox: &Sandbox) -> io::Result<Self> {
        let mut links = BTreeMap::new();
        let mut follow = |path: &PathBuf| follow(path, &mut links);
        let mut there = |paths: &BTreeSet<PathBuf>| -> io::Result<BTreeSet<PathBuf>> {
            let found = paths.iter().map(&mut follow);
            found.filter(|path| !path.as_ref().is_err_and(is_absent)).collect()
        };
        let devices = NODES.map(PathBuf::from).into_iter().chain(sandbox.devices.clone()).collect();
        let (readable, devices) = (there(&sandbox.readable)?, there(&devices)?);
        let writable = outermost(sandbox.writable.iter().map(follow).collect::<Result<_, _>>()?);
        let mut readable = outermost(readable);
        readable.retain(|path| !covers(&writable, path));
        Ok(Self { readable, writable, devices, links })
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Follows a path, and notes the links on the way.
fn follow(path: &Path, links: &mut BTreeMap<PathBuf, PathBuf>) -> io::Result<PathBuf> {
    let mut at = PathBuf::from("/");
    let mut rest = parts(path);
    let mut hops = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        match fs::read_link(&next) {
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => at = next,
            Err(error) => return Err(error),
            Ok(target) => {
                hops += 1;
                if hops > HOPS {
                    return Err(Errno::ELOOP.into());
                }
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                let mut before = parts(&target);
                before.append(&mut rest);
                rest = before;
                links.insert(next, target);
            }
        }
    }
    // All of the machine is nobody's to give.
    if at == Path::new("/") { Err(Errno::EINVAL.into()) } else { Ok(at) }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let kept = |part: &Component| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(kept).map(|part| part.as_os_str().to_owned()).collect()
}

/// The device nodes of NVIDIA's driver on this machine.
pub fn gpu_nodes() -> BTreeSet<PathBuf> {
    let entries =
        ["/dev", "/dev/nvidia-caps"].into_iter().filter_map(|place| fs::read_dir(place).ok());
    let paths = entries.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let is_node = |path: &PathBuf| path.to_string_lossy().contains("/nvidia") && !path.is_dir();
    paths.filter(is_node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Code;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_and_noted() {
        let home = tempfile::TempDir::new().unwrap();
        let root = home.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("data/v1/pack")).unwrap();
        symlink("v1", at("data/latest")).unwrap();
        symlink(at("data/latest/pack"), at("pack")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let mut links = BTreeMap::new();
        assert_eq!(follow(&at("data/../pack"), &mut links).unwrap(), at("data/v1/pack"));
        let noted = [(at("data/latest"), "v1".into()), (at("pack"), at("data/latest/pack"))];
        assert_eq!(links, BTreeMap::from(noted));
        let errno = |path: &Path| follow(path, &mut BTreeMap::new()).unwrap_err().raw_os_error();
        assert_eq!(errno(&at("loop")), Some(Errno::ELOOP as i32));
        assert_eq!(errno(&at("gone")), Some(Errno::ENOENT as i32));
        assert_eq!(errno(Path::new("/usr/..")), Some(Errno::EINVAL as i32));
    }

    #[test]
    fn what_is_covered_or_absent_is_left_out_but_must_be_there_to_be_written() {
        let home = tempfile::TempDir::new().unwrap();
        let root = home.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("work/below")).unwrap();
        let sandbox = Sandbox::system(Code::Trusted)
            .reads(root.join("work/below"))
            .reads(root.join("gone"))
            .writes(root.join("work"));
        let places = Places::resolve(&sandbox).unwrap();
        assert!(!places.readable.iter().any(|path| path.starts_with(&root)), "{places:?}");
        assert_eq!(places.writable, BTreeSet::from([root.join("work")]));
        assert!(places.devices.contains(Path::new("/dev/null")));
        let error = Places::resolve(&sandbox.writes(root.join("gone"))).unwrap_err();
        assert!(is_absent(&error));
    }
}
