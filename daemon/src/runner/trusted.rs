//! Programs that people trust: started as they would start them, with this process's own rights,
//! surroundings and terminal.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::experiment::StopLevel;

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(10);
/// What a shell adds to the number of a signal.
const SIGNALLED: i32 = 128;

/// Why such a program came to no end of its own.
#[derive(Debug, thiserror::Error)]
pub enum TrustedError {
    /// It cannot be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// As it was looked for.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It took too long.
    #[error("{program} was ended: it was not done within {} s", .limit.as_secs())]
    TimedOut {
        /// As it was looked for.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It cannot be waited for.
    #[error(transparent)]
    Wait(#[from] io::Error),
}

/// Runs a program in the foreground and says its exit code, as a shell tells it. One that is named
/// without a directory is looked for beside this program first, then on the path. A stop is handed on.
///
/// # Errors
/// It cannot be started, or is not done within `limit`.
pub async fn run_trusted(
    argv: &[String],
    limit: Duration,
    mut stop: watch::Receiver<StopLevel>,
) -> Result<u8, TrustedError> {
    let program = beside(&argv[0]);
    let named = || program.to_string_lossy().into_owned();
    let started = Command::new(&program).args(&argv[1..]).kill_on_drop(true).spawn();
    let mut child = started.map_err(|source| TrustedError::Start { program: named(), source })?;
    let status = tokio::select! {
        ended = timeout(limit, child.wait()) => match ended {
            Ok(status) => status?,
            Err(_) => {
                end(&mut child).await?;
                return Err(TrustedError::TimedOut { program: named(), limit });
            }
        },
        Ok(_) = stop.wait_for(|level| *level > StopLevel::Continue) => end(&mut child).await?,
    };
    let code = status.code().or(status.signal().map(|signal| SIGNALLED + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

async fn end(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // It may just have ended.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
    if let Ok(ended) = timeout(GRACE, child.wait()).await {
        return ended;
    }
    child.start_kill()?;
    child.wait().await
}

fn beside(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(name));
    let named = || PathBuf::from(name);
    beside.filter(|path| !name.contains('/') && path.is_file()).unwrap_or_else(named)
}
