//! The process environment over `.env`, read once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::SettingsError;

/// Variables that programs we start may see; keys and tokens are not among them.
const CHILDREN_SEE: [&str; 13] = [
    "CARGO_HOME",
    "CUDA_VISIBLE_DEVICES",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "PATH",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "RUST_BACKTRACE",
    "TMPDIR",
    "TZ",
];

/// Variables by name. Values that are not UTF-8 are as good as absent.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process environment; what is not set there is taken from `.env` in the current
    /// directory, where there is one.
    ///
    /// # Errors
    /// A line of `.env` that cannot be understood.
    pub fn read() -> Result<Self, SettingsError> {
        let from_file = match dotenvy::from_path_iter(".env") {
            Err(_) => Vec::new(),
            Ok(lines) => lines
                .collect::<Result<_, _>>()
                .map_err(|error| SettingsError::DotEnv(error.to_string()))?,
        };
        let set = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Self(from_file.into_iter().chain(set).collect()))
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, SettingsError> {
        let parse = |value: String| {
            let expected = "a whole number";
            value.parse().map_err(|_| SettingsError::Variable { name, value, expected })
        };
        self.get(name).map(parse).transpose()
    }

    pub(super) fn expand_home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.get("HOME")) {
            (Ok(rest), Some(home)) => Path::new(&home).join(rest),
            _ => path.to_owned(),
        }
    }

    pub(super) fn for_children(&self) -> BTreeMap<String, String> {
        CHILDREN_SEE.iter().filter_map(|&name| Some((name.to_owned(), self.get(name)?))).collect()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}
