//! The competition's own program: where it is, what it is asked, how it runs.

pub mod perf;
pub mod push;
mod record;
mod statuses;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::exit;
use dfr_contract::modality::Modality;
use dfr_media::files::FileError;

use crate::cli::Wallet;
use crate::phase::{Phase, PhaseError, Watcher};
use crate::settings::Settings;

use record::LIMIT;

const PROGRAM: &str = "gascli";

/// Why nothing was submitted, or nothing is known of what was.
#[derive(Debug, thiserror::Error)]
pub enum GascliError {
    /// It is not installed.
    #[error(
        "no gascli on PATH: it comes with https://github.com/BitMind-AI/bitmind-subnet (docs/Installation.md there); \
         activate its environment (source .venv/bin/activate) and start dfr from the same shell, or let --dry-run \
         print what to start"
    )]
    Missing,
    /// There are enough of that modality.
    #[error(
        "{}: hotkey {wallet}/{hotkey} has {LIMIT} {modality} models already, and more are not taken: push from another \
         hotkey, or, if the competition no longer holds one, delete its lines in {}",
        .zip.display(), .record.display()
    )]
    Enough {
        /// The archive.
        zip: PathBuf,
        /// Kind of media.
        modality: Modality,
        /// Wallet.
        wallet: String,
        /// Hotkey.
        hotkey: String,
        /// Where they are counted.
        record: PathBuf,
    },
    /// It ended badly.
    #[error("{0}; what it printed is above")]
    Run(#[from] PhaseError),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

impl GascliError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing => exit::CONFIGURATION,
            Self::Enough { .. } => exit::REFUSED,
            Self::Run(PhaseError::Interrupted(_)) => exit::INTERRUPTED,
            Self::Run(_) | Self::File(_) => exit::OUTSIDE,
        }
    }
}

/// Where it is.
fn find(settings: &Settings) -> Result<PathBuf, GascliError> {
    settings.on_path(PROGRAM).ok_or(GascliError::Missing)
}

/// What it is asked: `d push …` or `d perf …`.
#[derive(Debug, PartialEq, Eq)]
struct Asked(Vec<String>);

impl Asked {
    fn new(action: &str) -> Self {
        Self(["d", action].map(str::to_owned).to_vec())
    }

    fn with(mut self, flag: &str, value: impl Into<String>) -> Self {
        self.0.extend([format!("--{flag}"), value.into()]);
        self
    }

    fn of(self, wallet: &Wallet) -> Self {
        self.with("wallet-name", &wallet.wallet_name).with("wallet-hotkey", &wallet.wallet_hotkey)
    }

    /// As one would type it.
    fn typed(&self) -> String {
        let words = std::iter::once(PROGRAM).chain(self.0.iter().map(String::as_str));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    /// Runs it to its end, its output shown as it comes, and gives the lines.
    fn run(&self, settings: &Settings, limit: Duration) -> Result<Vec<String>, GascliError> {
        let mut command = Command::new(find(settings)?);
        // Into a pipe, Python writes line by line only when it is told to.
        command.args(&self.0).env("PYTHONUNBUFFERED", "1");
        let mut shown = Shown::default();
        Phase { name: PROGRAM, command, input: Stdio::null(), limit }.run(&mut shown)?;
        Ok(shown.0)
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Passes lines on and keeps them.
#[derive(Default)]
struct Shown(Vec<String>);

impl Watcher for Shown {
    fn line(&mut self, line: &str) {
        println!("{line}");
        self.0.push(line.to_owned());
    }

    fn tick(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_one_command_of_a_shell() {
        let wallet = Wallet { wallet_name: "it's $mine".into(), wallet_hotkey: String::new() };
        let typed = Asked::new("perf").of(&wallet).typed();
        assert_eq!(typed, r"gascli d perf --wallet-name 'it'\''s $mine' --wallet-hotkey ''");
        let script = format!("gascli() {{ printf '%s|' \"$@\"; }}; {typed}");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(output.stdout, b"d|perf|--wallet-name|it's $mine|--wallet-hotkey||");
    }
}
