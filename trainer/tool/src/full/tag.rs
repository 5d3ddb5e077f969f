//! A session's best keep in full. Its program is a candidate's, so it is dfr-daemon that runs it, in the
//! sandbox.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dfr_contract::exit;

use crate::cli::Full;
use crate::failure::Failure;
use crate::phase::PhaseError;
use crate::settings::Settings;
use crate::train::TrainError;

const DAEMON: &str = "dfr-daemon";

/// No dfr-daemon.
#[derive(Debug, thiserror::Error)]
#[error(
    "no dfr-daemon beside dfr, in target/release or on PATH, which --from-tag needs: build it with \
     `cargo build --release -p dfr-daemon`"
)]
pub struct NoDaemon;

impl NoDaemon {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        exit::CONFIGURATION
    }
}

/// Finds it before hours of fetching.
pub fn find(settings: &Settings) -> Result<PathBuf, NoDaemon> {
    settings.own(DAEMON).ok_or(NoDaemon)
}

/// Trains, evaluates and exports the best keep of a tag. This process becomes dfr-daemon: its terminal, its
/// signals and its exit code are that one's.
///
/// # Errors
/// Always one, where it returns: dfr-daemon could not be started.
pub fn run(daemon: &Path, tag: &str, request: &Full) -> Failure {
    let mut command = Command::new(daemon);
    command.args(["full", "--tag", tag, "--hours", &request.hours.to_string()]);
    command.args(["--checkpoint-minutes", &request.checkpoint_minutes.to_string()]);
    if request.skip_export {
        command.arg("--skip-export");
    }
    let (program, source) = (DAEMON.to_owned(), command.exec());
    TrainError::from(PhaseError::Start { program, source }).into()
}
