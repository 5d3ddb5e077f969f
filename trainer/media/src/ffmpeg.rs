//! The ffmpeg program: where it is, and running it with a deadline.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::Group;

/// How the reason of [`FfmpegError::TimedOut`] begins: another time may be quicker.
pub const TIMED_OUT: &str = "not done within";

/// Why ffmpeg gave no result.
#[derive(Debug, thiserror::Error)]
pub enum FfmpegError {
    /// None found.
    #[error(
        "no ffmpeg found: run `make setup` (keeps a static one per user), or install it \
         (`apt-get install ffmpeg`), or set DFR_FFMPEG to its path"
    )]
    Missing,
    /// DFR_FFMPEG names something that cannot be run.
    #[error("DFR_FFMPEG={}: no executable file there", .0.display())]
    NotExecutable(PathBuf),
    /// It could not be started or spoken to.
    #[error("cannot run {}: {source}", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("{TIMED_OUT} {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It ended with an error; the last line that it printed.
    #[error("{0}")]
    Failed(String),
}

/// Where to look for ffmpeg, in this order.
#[derive(Clone, Debug, Default)]
pub struct SearchPlaces {
    /// DFR_FFMPEG: used as it is, or an error.
    pub named: Option<PathBuf>,
    /// The user's cache home, where `make setup` puts `dfr/ffmpeg-<version>/ffmpeg`. Before PATH:
    /// it is there only when the one on PATH lacked libx264.
    pub cache_home: Option<PathBuf>,
    /// PATH.
    pub path: Option<std::ffi::OsString>,
}

/// A program that was found.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    program: PathBuf,
}

impl Ffmpeg {
    /// Finds ffmpeg.
    ///
    /// # Errors
    /// [`FfmpegError::Missing`], or [`FfmpegError::NotExecutable`] when the named one is not there.
    pub fn find(places: &SearchPlaces) -> Result<Self, FfmpegError> {
        if let Some(named) = &places.named {
            let found = is_executable(named).then(|| Self { program: named.clone() });
            return found.ok_or_else(|| FfmpegError::NotExecutable(named.clone()));
        }
        let on_path = places.path.iter().flat_map(std::env::split_paths).map(|d| d.join("ffmpeg"));
        let cached = places.cache_home.iter().flat_map(|home| cached_builds(home));
        let program = cached.chain(on_path).find(|program| is_executable(program));
        program.map(|program| Self { program }).ok_or(FfmpegError::Missing)
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Runs ffmpeg with `arguments`, feeding `input`, and returns what it wrote to stdout.
    ///
    /// # Errors
    /// It cannot start, does not end within `limit` (then its group is killed), or fails.
    pub fn run<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
        limit: Duration,
    ) -> Result<Vec<u8>, FfmpegError> {
        let mut command = Command::new(&self.program);
        command.args(["-hide_banner", "-loglevel", "error", "-nostats"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let start = |source| FfmpegError::Start { program: self.program.clone(), source };
        let finished = exchange(&mut command, input, limit).map_err(start)?;
        let Some((status, stdout, stderr)) = finished else {
            return Err(FfmpegError::TimedOut(limit));
        };
        if status.success() {
            Ok(stdout)
        } else {
            Err(FfmpegError::Failed(reason(&stderr, status)))
        }
    }
}

type Finished = (ExitStatus, Vec<u8>, Vec<u8>);

/// Feeds and reads all three pipes at once; `None` when the limit passed.
fn exchange(command: &mut Command, input: &[u8], limit: Duration) -> io::Result<Option<Finished>> {
    let deadline = Instant::now() + limit;
    let mut group = Group::spawn(command)?;
    let (stdin, stdout, stderr) = group.take_pipes();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program that stops reading ends with its own message; that one counts.
            stdin.map(|mut pipe| pipe.write_all(input))
        });
        let stdout = scope.spawn(move || read_all(stdout));
        let stderr = scope.spawn(move || read_all(stderr));
        let status = group.wait_until(deadline);
        // Also ends what it may have left behind, so that the pipes close and the readers end.
        group.kill();
        let collect = |reader: thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
            reader.join().expect("reading a pipe does not panic")
        };
        let (stdout, stderr) = (collect(stdout)?, collect(stderr)?);
        Ok(status?.map(|status| (status, stdout, stderr)))
    })
}

fn read_all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn reason(stderr: &[u8], status: ExitStatus) -> String {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next();
    // What follows from a frame that is too large says nothing of it.
    let too_large = lines.find(|line| line.contains("max pixel count"));
    too_large.or(last).map_or_else(|| format!("ffmpeg ended with {status}"), str::to_owned)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn cached_builds(cache_home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache_home.join("dfr")).into_iter().flatten().flatten();
    let mut builds: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"ffmpeg-"))
        .map(|entry| entry.path().join("ffmpeg"))
        .collect();
    builds.sort();
    builds.reverse();
    builds
}
