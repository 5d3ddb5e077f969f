//! A session's best keep in full. Its program is a candidate's, so it is dfr-daemon that runs it, in the
//! sandbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dfr_contract::exit;

use crate::cli::Full;
use crate::evaluate::OnStderr;
use crate::failure::Failure;
use crate::phase::Phase;
use crate::settings::Settings;
use crate::train::TrainError;

const DAEMON: &str = "dfr-daemon";
/// Predicting, checking and packing, beyond the training itself.
const ALLOWANCE: Duration = Duration::from_secs(12 * 3600);

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

/// Trains, evaluates and exports the best keep of a tag.
pub fn run(daemon: &Path, tag: &str, request: &Full) -> Result<u8, Failure> {
    let mut command = Command::new(daemon);
    command.args(["full", "--tag", tag, "--hours", &request.hours.to_string()]);
    if request.skip_export {
        command.arg("--skip-export");
    }
    let limit = Duration::from_secs_f64(request.hours * super::SECONDS_PER_HOUR) + ALLOWANCE;
    let phase = Phase { name: "dfr-daemon full", command, input: Stdio::null(), limit };
    phase.run(&mut OnStderr).map_err(TrainError::from)?;
    Ok(exit::OK)
}
