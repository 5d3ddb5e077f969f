//! A session's best keep in full. Its program is a candidate's, so it is dfr-daemon that runs it, in the
//! sandbox.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dfr_contract::checked::Checked;
use dfr_contract::exit;
use dfr_contract::input::Source;

use super::FullError;
use crate::cli::Full;
use crate::failure::Failure;
use crate::phase::PhaseError;
use crate::settings::Settings;
use crate::task::Task;
use crate::train::TrainError;

const DAEMON: &str = "dfr-daemon";

/// A session whose keep dfr-daemon would train.
pub struct Session<'a> {
    tag: &'a str,
    daemon: PathBuf,
    /// What the keep is trained for.
    pub task: Task,
}

impl<'a> Session<'a> {
    /// Asks dfr-daemon, before hours of fetching, whether it would train that keep now, and for which task.
    ///
    /// # Errors
    /// There is no dfr-daemon, it would not, or the command line is about something else.
    pub fn ask(tag: &'a str, request: &Full, settings: &Settings) -> Result<Self, Failure> {
        let daemon = settings.own(DAEMON).ok_or(FullError::NoDaemon)?;
        let mut command = command(&daemon, tag, request);
        let asked = command.arg("--check").stderr(Stdio::inherit()).output().map_err(start)?;
        if !asked.status.success() {
            let code = asked.status.code().and_then(|code| u8::try_from(code).ok());
            let code = code.unwrap_or(exit::OUTSIDE);
            return Err(FullError::Refused { tag: tag.to_owned(), code }.into());
        }
        let wrong = |source| FullError::Answer { tag: tag.to_owned(), source };
        let checked: Checked = serde_json::from_slice(&asked.stdout).map_err(wrong)?;
        let task = Task::parse(&format!("of session {tag}"), &checked.task)?;
        let task = require_asked(tag, request, task)?;
        println!("{tag}: experiment {}, for task {}", checked.experiment, task.name);
        Ok(Self { tag, daemon, task })
    }

    /// Trains, evaluates and exports. This process becomes dfr-daemon: its terminal, its signals and its exit code
    /// are that one's.
    ///
    /// # Errors
    /// Always one, where it returns: dfr-daemon could not be started.
    pub fn train(&self, request: &Full) -> Failure {
        start(command(&self.daemon, self.tag, request).exec())
    }
}

fn command(daemon: &Path, tag: &str, request: &Full) -> Command {
    let mut command = Command::new(daemon);
    command.args(["full", "--tag", tag, "--hours", &request.hours.to_string()]);
    command.args(["--checkpoint-minutes", &request.checkpoint_minutes.to_string()]);
    if request.skip_export {
        command.arg("--skip-export");
    }
    command
}

fn start(source: std::io::Error) -> Failure {
    TrainError::from(PhaseError::Start { program: DAEMON.to_owned(), source }).into()
}

/// The session's task, unless the command line says another one.
fn require_asked(tag: &str, request: &Full, task: Task) -> Result<Task, Failure> {
    let task = task.require_modality(request.modality)?;
    let task = if request.sample { task.require_source(Source::Sample)? } else { task };
    let Some(name) = request.task.as_deref() else { return Ok(task) };
    let asked = Task::find(Some(name), request.modality, task.input.source)?;
    if (&asked.name, &asked.input) == (&task.name, &task.input) {
        return Ok(task);
    }
    let (tag, found, asked) = (tag.to_owned(), task.name, name.to_owned());
    Err(FullError::OtherTask { tag, found, asked }.into())
}
