//! Checkpoints of a training that is under way, so that one that was cut short goes on where it stood.
//!
//! Each is one file of everything that changes while a training goes on: `<steps>.safetensors`, written
//! under another name, synced and renamed. The newest two are kept.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tch::{Kind, TchError, Tensor};

/// How many are kept.
const GENERATIONS: usize = 2;
/// The tensor that holds a [`Standing`] as JSON.
const STANDING: &str = "standing";
/// How long a training that was killed may take to be gone.
const GOING: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(100);

/// Why a training cannot be kept, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The optimiser is one of the recipe's own.
    #[error(
        "the recipe's optimiser does not tell its state (Optimizer::state), so that the training could not go on: \
         leave --checkpoint-every-s out"
    )]
    Untold,
    /// Another training.
    #[error("another training writes to {}: wait for its end, or name another --out", .0.display())]
    Busy(PathBuf),
    /// The disk.
    #[error("cannot {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// libtorch could not write it.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TchError,
    },
    /// It belongs to another training.
    #[error(
        "{} is of a training with {what} {found}, not {asked}: start that one again, name another --out, or delete \
         its folder to begin anew", .path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
        /// There.
        found: String,
        /// Here.
        asked: String,
    },
    /// It was written by another program.
    #[error("{} does not fit this recipe: {difference}; delete its folder to begin anew", .path.display())]
    Unlike {
        /// The file.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
}

/// What tells one training from another: preset, seed, budget, data and so on, by name.
pub type Identity = BTreeMap<String, String>;

/// Where a training stands, apart from its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which training it is.
    pub identity: Identity,
    /// Batches seen.
    pub steps: u64,
    /// Epochs begun.
    pub epochs: u64,
    /// Time of the budget that is spent.
    pub spent: Duration,
    /// Words that the step's generator has given.
    pub drawn_words: u64,
}

/// What a checkpoint holds.
pub struct Saved {
    /// Its file.
    pub path: PathBuf,
    /// Where the training stood.
    pub standing: Standing,
    /// Its tensors, by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// The checkpoints of one training, which nobody else writes as long as this lives.
pub struct Checkpoints {
    dir: PathBuf,
    every: Duration,
    identity: Identity,
    saved_at: Duration,
    _lock: File,
}

impl Checkpoints {
    /// Those in `dir`, which is made; one is due after every `every` of training.
    ///
    /// # Errors
    /// Another training holds them, or the disk.
    pub fn open(dir: &Path, every: Duration, identity: Identity) -> Result<Self, ResumeError> {
        fs::create_dir_all(dir).map_err(file_error("make", dir))?;
        let lock = lock(dir)?;
        let (dir, saved_at) = (dir.to_owned(), Duration::ZERO);
        Ok(Self { dir, every, identity, saved_at, _lock: lock })
    }

    /// Which training they are of.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The newest that can be read.
    ///
    /// # Errors
    /// It is of another training.
    pub fn newest(&mut self) -> Result<Option<Saved>, ResumeError> {
        let newest = self.generations()?.into_iter().rev().find_map(|path| read(&path));
        let Some(saved) = newest else { return Ok(None) };
        self.require_same(&saved)?;
        self.saved_at = saved.standing.spent;
        Ok(Some(saved))
    }

    /// Whether one is to be saved after so much training.
    pub fn is_due(&self, spent: Duration) -> bool {
        spent.saturating_sub(self.saved_at) >= self.every
    }

    /// Writes one, and removes those that are older than the newest two.
    ///
    /// # Errors
    /// The disk.
    pub fn save(
        &mut self,
        standing: &Standing,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<(), ResumeError> {
        let path = self.dir.join(format!("{:012}.safetensors", standing.steps));
        let text = serde_json::to_vec(standing).expect("plain data");
        let all: Vec<_> =
            tensors.into_iter().chain([(STANDING.to_owned(), Tensor::from_slice(&text))]).collect();
        let partial = path.with_extension("partial");
        Tensor::write_safetensors(&all, &partial)
            .map_err(|source| ResumeError::Write { path: path.clone(), source })?;
        let publish = || {
            File::open(&partial)?.sync_all()?;
            fs::rename(&partial, &path)?;
            File::open(&self.dir)?.sync_all()
        };
        publish().map_err(file_error("write", &path))?;
        self.saved_at = standing.spent;
        let old = self.generations()?;
        let old = &old[..old.len().saturating_sub(GENERATIONS)];
        old.iter().try_for_each(|path| fs::remove_file(path).map_err(file_error("remove", path)))
    }

    /// From the oldest on.
    fn generations(&self) -> Result<Vec<PathBuf>, ResumeError> {
        let list = || -> io::Result<Vec<PathBuf>> {
            fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.path())).collect()
        };
        let mut paths = list().map_err(file_error("list", &self.dir))?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "safetensors"));
        paths.sort_unstable();
        Ok(paths)
    }

    fn require_same(&self, saved: &Saved) -> Result<(), ResumeError> {
        let found = &saved.standing.identity;
        let names = self.identity.keys().chain(found.keys());
        let told = |of: &Identity, name| of.get(name).map_or("nothing", String::as_str).to_owned();
        let Some(what) =
            names.into_iter().find(|name| self.identity.get(*name) != found.get(*name))
        else {
            return Ok(());
        };
        let (found, asked) = (told(found, what), told(&self.identity, what));
        Err(ResumeError::Other { path: saved.path.clone(), what: what.clone(), found, asked })
    }
}

/// A whole file, or nothing: a disk may lose what it had said to have written.
fn read(path: &Path) -> Option<Saved> {
    let mut tensors: BTreeMap<_, _> = Tensor::read_safetensors(path).ok()?.into_iter().collect();
    let text = tensors.remove(STANDING).filter(|text| text.kind() == Kind::Uint8)?;
    let standing = serde_json::from_slice(&Vec::<u8>::try_from(text).ok()?).ok()?;
    Some(Saved { path: path.to_owned(), standing, tensors })
}

fn lock(dir: &Path) -> Result<File, ResumeError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(file_error("make", &path))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if began.elapsed() < GOING => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(ResumeError::Busy(dir.to_owned())),
            Err(TryLockError::Error(source)) => return Err(file_error("lock", &path)(source)),
        }
    }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ResumeError {
    move |source| ResumeError::File { action, path: path.to_owned(), source }
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
