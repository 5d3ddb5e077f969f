//! What must not be read, and what must not be changed: planted before an attack, looked for after it.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memchr::memmem;

/// Larger files are not read: what is told by one is told by others as well, and of one that is changed
/// time and length tell.
const LARGEST: u64 = 1 << 20;

/// Something secret.
struct Canary {
    name: String,
    /// As it is, and as text.
    forms: [Vec<u8>; 2],
}

/// Everything secret, and where it stands by right.
#[derive(Default)]
pub struct Canaries {
    secrets: Vec<Canary>,
    homes: Vec<PathBuf>,
}

impl Canaries {
    /// Makes a text secret.
    pub fn add(&mut self, name: &str, secret: &[u8]) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let forms = [secret.to_owned(), hex.into_bytes()];
        self.secrets.push(Canary { name: name.to_owned(), forms });
    }

    /// Leaves out what stands at or below a path: secrets are there by right.
    pub fn at_home(&mut self, path: PathBuf) {
        self.homes.push(path);
    }

    /// Writes a secret into a file.
    pub fn plant(&mut self, path: &Path, (before, after): (&str, &str)) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let secret = format!("canary-{name}-of-the-test");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{before}{secret}{after}")).unwrap();
        self.add(&name, secret.as_bytes());
        self.at_home(path.to_owned());
    }

    /// The secrets that a text holds, by name.
    pub fn within(&self, text: &[u8]) -> Vec<&str> {
        let held =
            |canary: &&Canary| canary.forms.iter().any(|form| memmem::find(text, form).is_some());
        self.secrets.iter().filter(held).map(|canary| canary.name.as_str()).collect()
    }

    /// The secrets in files below a directory that changed since then, each with its file.
    pub fn below(&self, directory: &Path, since: SystemTime) -> Vec<String> {
        let mut found = Vec::new();
        walk(directory, &self.homes, &mut |path, kind| {
            if !kind.is_file() || kind.len() > LARGEST || kind.modified().unwrap() < since {
                return;
            }
            let text = fs::read(path).unwrap_or_default();
            let told = |name: &str| format!("{name} in {}", path.display());
            found.extend(self.within(&text).into_iter().map(told));
        });
        found
    }
}

/// What stands below some directories: contents, modes, times.
#[derive(Debug, PartialEq)]
pub struct Outside(BTreeMap<PathBuf, String>);

impl Outside {
    /// Looks at everything below `roots` but what is `busy`.
    pub fn of(roots: &[PathBuf], busy: &[PathBuf]) -> Self {
        let mut seen = BTreeMap::new();
        for root in roots {
            walk(root, busy, &mut |path, kind| {
                seen.insert(path.to_owned(), described(path, kind));
            });
        }
        Self(seen)
    }

    /// With some paths that may or may not be there.
    pub fn and(mut self, paths: &[PathBuf]) -> Self {
        for path in paths {
            if let Ok(kind) = path.symlink_metadata() {
                self.0.insert(path.clone(), described(path, &kind));
            }
        }
        self
    }

    /// What is otherwise now.
    pub fn changes(&self, now: &Self) -> Vec<String> {
        let paths = self.0.keys().chain(now.0.keys().filter(|path| !self.0.contains_key(*path)));
        let differs = |path: &&PathBuf| self.0.get(*path) != now.0.get(*path);
        paths.filter(differs).map(|path| format!("{} changed", path.display())).collect()
    }
}

fn described(path: &Path, kind: &Metadata) -> String {
    let owned = format!("{:o} {}:{}", kind.mode(), kind.uid(), kind.gid());
    if kind.is_dir() {
        return owned;
    }
    let mut hasher = DefaultHasher::new();
    if kind.is_file() && kind.len() <= LARGEST {
        fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    kind.len().hash(&mut hasher);
    format!("{owned} {}.{:09} {:x}", kind.mtime(), kind.mtime_nsec(), hasher.finish())
}

/// Visits everything below a directory without following links, and leaves some places out. An attacker decides
/// how deep that is.
fn walk(directory: &Path, without: &[PathBuf], visit: &mut dyn FnMut(&Path, &Metadata)) {
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            let Some(kind) = path.symlink_metadata().ok().filter(|_| !without.contains(&path))
            else {
                continue;
            };
            visit(&path, &kind);
            if kind.is_dir() {
                open.push(path);
            }
        }
    }
}
