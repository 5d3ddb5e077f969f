//! Starting from the weights of a public checkpoint, whose names are others than ours.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::nn::VarStore;
use tch::{TchError, Tensor};

use crate::checkpoint::{self, CheckpointError};

/// Variables that no public checkpoint has: the last layers, and what the model computes by itself.
const OWN: [&str; 4] = ["head.", "mean", "std", "mel_transform."];
/// Names that an error shows.
const SHOWN: usize = 3;

/// Where a tensor of a public checkpoint belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Public {
    /// It is our variable of this name.
    Ours(String),
    /// Of another head or tower: left alone.
    Ignored,
    /// Nobody knows it: not the checkpoint that it should be.
    Unknown,
}

/// A model's public checkpoint.
#[derive(Clone, Copy, Debug)]
pub struct Pretrained {
    /// The model, which is the name of its file: `<model>.safetensors`.
    pub model: &'static str,
    /// From the file's names to ours.
    pub public: fn(&str) -> Public,
}

/// Why a model cannot start from a public checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum PretrainedError {
    /// No file.
    #[error(
        "there are no weights for {model} in {dir}: fetch them with `dfr weights fetch {model}`, import a file \
         with `dfr weights import {model} FILE`, or train without them (--from-scratch)"
    )]
    Missing {
        /// The model.
        model: &'static str,
        /// Where they should be.
        dir: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TchError,
    },
    /// The file is another model's.
    #[error(
        "{path} is no checkpoint of {model}: {difference}; fetch it anew with `dfr weights fetch {model}`"
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The model.
        model: &'static str,
        /// The first names that do not fit.
        difference: String,
    },
    /// The model's own names.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Pretrained {
    /// The model's file in `dir`.
    ///
    /// # Errors
    /// If it is not there.
    pub fn file(self, dir: &Path) -> Result<PathBuf, PretrainedError> {
        let path = dir.join(format!("{}.safetensors", self.model));
        if path.exists() {
            return Ok(path);
        }
        Err(PretrainedError::Missing { model: self.model, dir: dir.to_owned() })
    }

    /// Fills `variables` from the model's file in `dir`. Only what [`OWN`] names may be missing there.
    ///
    /// # Errors
    /// [`PretrainedError`]; the variables are then unchanged.
    pub fn load(self, variables: &VarStore, dir: &Path) -> Result<(), PretrainedError> {
        let path = self.file(dir)?;
        checkpoint::refuse_duplicates(variables)?;
        let found = Tensor::read_safetensors(&path)
            .map_err(|source| PretrainedError::Read { path: path.clone(), source })?;
        let wanted: BTreeMap<_, _> = variables.variables().into_iter().collect();
        let pairs = self.pairs(&wanted, found.into_iter().collect());
        let pairs = pairs.map_err(|difference| PretrainedError::Mismatch {
            path,
            model: self.model,
            difference,
        })?;
        tch::no_grad(|| {
            for (mut ours, theirs) in pairs {
                ours.copy_(&theirs);
            }
        });
        Ok(())
    }

    /// Our variables with their new values, or what does not fit.
    fn pairs(
        self,
        wanted: &BTreeMap<String, Tensor>,
        found: BTreeMap<String, Tensor>,
    ) -> Result<Vec<(Tensor, Tensor)>, String> {
        let mut pairs = BTreeMap::new();
        let mut wrong = Wrong::default();
        for (theirs, tensor) in found {
            match (self.public)(&theirs) {
                Public::Ignored => {}
                Public::Unknown => wrong.surplus.push(theirs),
                Public::Ours(name) => match wanted.get(&name) {
                    None => wrong.surplus.push(theirs),
                    Some(ours) if ours.size() != tensor.size() => {
                        let (found, needed) = (tensor.size(), ours.size());
                        wrong.unlike.push(format!("{theirs} ({found:?} for {needed:?})"));
                    }
                    Some(ours) => drop(pairs.insert(name, (ours.shallow_clone(), tensor))),
                },
            }
        }
        let is_needed = |name: &&String| {
            !OWN.iter().any(|own| name.starts_with(own)) && !name.ends_with("num_batches_tracked")
        };
        let missing = wanted.keys().filter(is_needed).filter(|name| !pairs.contains_key(*name));
        wrong.missing = missing.cloned().collect();
        wrong.told().map_or_else(|| Ok(pairs.into_values().collect()), Err)
    }
}

#[derive(Default)]
struct Wrong {
    missing: Vec<String>,
    surplus: Vec<String>,
    unlike: Vec<String>,
}

impl Wrong {
    fn told(&self) -> Option<String> {
        let list = |word: &str, names: &[String]| {
            let more = if names.len() > SHOWN { ", …" } else { "" };
            let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            (!names.is_empty()).then(|| format!("{} {word}: {shown}{more}", names.len()))
        };
        let told: Vec<_> = [
            list("missing", &self.missing),
            list("unknown", &self.surplus),
            list("of another shape", &self.unlike),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

#[cfg(test)]
#[path = "pretrained_tests.rs"]
mod tests;
