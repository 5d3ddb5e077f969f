//! The process environment over `.env`, read once.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SettingsError;

/// The variable with the endpoint's key.
const KEY: &str = "OPENAI_API_KEY";
/// File below CREDENTIALS_DIRECTORY where a service manager puts that key.
const KEY_FILE: &str = "openai_api_key";

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
    /// directory, where there is one. The endpoint's key, when neither has it, is the credential
    /// `openai_api_key` of the service manager.
    ///
    /// # Errors
    /// A line of `.env` that cannot be understood; a credential that cannot be read.
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
        Self(from_file.into_iter().chain(set).collect()).with_credential()
    }

    /// The first line that is no comment; a file that was not filled in yet has none.
    fn with_credential(mut self) -> Result<Self, SettingsError> {
        let (None, Some(directory)) = (self.get(KEY), self.get("CREDENTIALS_DIRECTORY")) else {
            return Ok(self);
        };
        let path = Path::new(&directory).join(KEY_FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(self),
            read => read.map_err(|source| SettingsError::Read { path, source })?,
        };
        let mut lines = text.lines().map(str::trim);
        if let Some(key) = lines.find(|line| !line.is_empty() && !line.starts_with('#')) {
            self.0.insert(KEY.to_owned(), key.to_owned());
        }
        Ok(self)
    }

    /// Where the service manager that started this process listens. [sd_notify(3)]
    pub fn notify_socket(&self) -> Option<String> {
        self.get("NOTIFY_SOCKET")
    }

    /// The interval in which the service manager wants a sign of life of this very process.
    ///
    /// # Errors
    /// WATCHDOG_USEC or WATCHDOG_PID that is no number.
    pub fn watchdog(&self) -> Result<Option<Duration>, SettingsError> {
        let of_us =
            self.number("WATCHDOG_PID")?.is_none_or(|pid| pid == u64::from(std::process::id()));
        let interval = self.number("WATCHDOG_USEC")?.filter(|&micros| of_us && micros > 0);
        Ok(interval.map(Duration::from_micros))
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

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
