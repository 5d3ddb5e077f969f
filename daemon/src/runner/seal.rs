//! Whether a tier makes sandboxes that hold: tried, with a program of ours in one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use super::capabilities::{Asked, landlock_abi, probe};
use super::confine::{Confinement, RunUser};
use super::words::{NotContained, Stage, Step};
use crate::sandbox::{Code, Sandbox};

/// The least version of Landlock that guards files where no mounts do: before it, anything could
/// be truncated.
const LEAST_LANDLOCK: u32 = 3;
/// From this version on it keeps signals in, too.
const LANDLOCK_OF_SIGNALS: u32 = 6;

/// What a sandbox of a tier comes to on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The user of runs; `None` where they keep the daemon's.
    pub user: Option<RunUser>,
    /// Landlock's version, where the kernel has it.
    pub landlock: Option<u32>,
    /// What keeps the daemon out of reach of signals; `None` where nothing does.
    pub signals: Option<&'static str>,
}

/// Why a tier makes no sandbox that holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// The tier itself is not there.
    #[error("the tier is not available here")]
    NoTier,
    /// Without mounts, Landlock is what guards files.
    #[error("Landlock ABI 3 or more is needed without mounts, and this kernel has {}", told(*.0))]
    Landlock(Option<u32>),
    /// A step failed.
    #[error(transparent)]
    Failed(#[from] NotContained),
    /// It could not be tried.
    #[error("a sandbox could not be tried: {0}")]
    Untried(String),
    /// It was tried, and does not hold.
    #[error("a program in a sandbox could {0}")]
    Open(&'static str),
}

impl Unsealed {
    /// Whether it says more of this moment than of the machine.
    pub fn may_pass(&self) -> bool {
        const OF_THE_MOMENT: [Errno; 4] =
            [Errno::EAGAIN, Errno::ENOMEM, Errno::EMFILE, Errno::ENFILE];
        match self {
            Self::Untried(_) => true,
            Self::Failed(failed) => OF_THE_MOMENT.contains(&Errno::from_raw(failed.errno)),
            Self::NoTier | Self::Landlock(_) | Self::Open(_) => false,
        }
    }
}

fn told(abi: Option<u32>) -> String {
    abi.map_or_else(|| "none".to_owned(), |abi| format!("ABI {abi}"))
}

/// Tries a sandbox with an init at this stage.
pub(super) fn seal(init: &Path, stage: &Stage, user: Option<RunUser>) -> Result<Seal, Unsealed> {
    let landlock = landlock_abi();
    let mounts = mounts(stage);
    if !mounts && landlock.is_none_or(|abi| abi < LEAST_LANDLOCK) {
        return Err(Unsealed::Landlock(landlock));
    }
    // In a user namespace of its own, this user is the only one there is.
    let user = user.filter(|_| *stage != Stage::Namespace { user: true });
    let user = match attempt(init, stage, user) {
        // So it is when the daemon itself was started in one.
        Err(Unsealed::Failed(NotContained { step: Step::User, .. })) if user.is_some() => {
            attempt(init, stage, None).map(|()| None)?
        }
        tried => tried.map(|()| user)?,
    };
    let signals = match (mounts, user) {
        (true, _) => Some("a PID namespace"),
        (false, Some(_)) => Some("another user"),
        (false, None) => landlock.filter(|abi| *abi >= LANDLOCK_OF_SIGNALS).map(|_| "Landlock"),
    };
    Ok(Seal { user, landlock, signals })
}

fn attempt(init: &Path, stage: &Stage, user: Option<RunUser>) -> Result<(), Unsealed> {
    let untried = |error: io::Error| Unsealed::Untried(error.to_string());
    let canary = Canary::put().map_err(untried)?;
    let program = fs::canonicalize(init).map_err(untried)?;
    let sandbox = Sandbox::system(Code::Candidate).reads(&program);
    let asked = Asked {
        init,
        program: &program,
        stage,
        canary: &canary.0,
        confinement: Some(Confinement { sandbox, user }),
    };
    let seen = probe(&asked)?;
    let own = nix::unistd::geteuid().as_raw();
    let open = [
        (seen.canary, "read a file outside"),
        (seen.socket, "open a socket"),
        (seen.uid != user.map_or(own, |user| user.uid), "keep its user"),
        (mounts(stage) && seen.pid != 2, "see other processes"),
    ];
    open.iter().find(|(is_open, _)| *is_open).map_or(Ok(()), |(_, what)| Err(Unsealed::Open(what)))
}

fn mounts(stage: &Stage) -> bool {
    matches!(stage, Stage::Namespace { .. })
}

/// Where every user has files, also where the first is full.
const SHARED_MEMORY: &str = "/dev/shm";

/// A file that anybody may read; removed when dropped. There is nothing in it: a disk without space
/// must not look like a machine without sandboxes.
struct Canary(PathBuf);

impl Canary {
    fn put() -> io::Result<Self> {
        let name = format!("dfr-canary-{}-{:?}", std::process::id(), std::thread::current().id());
        let put = |directory: &Path| {
            let path = directory.join(&name);
            let made = File::options().write(true).create_new(true).mode(0o644).open(&path);
            made.map(|_| Self(path))
        };
        put(&std::env::temp_dir()).or_else(|error| put(Path::new(SHARED_MEMORY)).or(Err(error)))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_the_machine_is() {
        let failed = |step, errno: Errno| NotContained { step, errno: errno as i32 }.into();
        let cases: [(Unsealed, bool); 6] = [
            (Unsealed::Untried("timed out".to_owned()), true),
            (failed(Step::Mounts, Errno::ENOMEM), true),
            (failed(Step::Namespace, Errno::EAGAIN), true),
            // So a kernel tells that there may be no namespaces at all.
            (failed(Step::Namespace, Errno::ENOSPC), false),
            (failed(Step::Mounts, Errno::EPERM), false),
            (Unsealed::Landlock(None), false),
        ];
        for (unsealed, expected) in cases {
            assert_eq!(unsealed.may_pass(), expected, "{unsealed}");
        }
    }
}
