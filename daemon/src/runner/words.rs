//! What the daemon and the init of a run tell each other: one argument, single bytes, one line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ResourceLimits;
use super::confine::Confinement;

/// The hidden first argument that makes an init of this program.
pub(super) const CONTAIN: &str = "contain";
/// This very program, also when its file has been replaced meanwhile.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Byte to an init: ask everything to end.
pub(super) const TERMINATE: u8 = b'T';
/// Byte to an init: kill everything. The end of the line means the same.
pub(super) const KILL: u8 = b'K';

/// The second argument of an init, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub stage: Stage,
    pub limits: ResourceLimits,
    /// `cgroup.procs` files that the program enters.
    pub groups: Vec<PathBuf>,
    /// What a loader heeds of the program's environment, and must not of the init's: it may lead to
    /// what a candidate wrote.
    #[serde(default)]
    pub loader: BTreeMap<String, String>,
    /// What the program and all that comes of it are known by, as a limit.
    #[serde(default)]
    pub mark: Option<u64>,
    /// What it may see and touch; absent, whatever its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
}

/// What an init makes of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Make a PID namespace, with a user namespace around it if need be, and wait for its init.
    Namespace { user: bool },
    /// Adopt whatever the program leaves behind.
    Subreaper,
    /// Tell what a contained program sees, and whether this file is among it; for the probe.
    Probe { canary: PathBuf },
}

/// The one line that an init tells before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// The program ended with this wait status; so many processes were left and had to be killed.
    Ended { status: i32, killed: u32 },
    /// The first process of the namespace ended with this wait status, and could tell nothing.
    Lost { status: i32 },
    /// The program could not be started.
    NotStarted { errno: i32 },
    /// The program was not started, because it would not have been contained.
    NotContained(NotContained),
}

/// Where an init failed, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}: {}", std::io::Error::from_raw_os_error(*errno))]
pub struct NotContained {
    /// What it was about to do.
    pub step: Step,
    /// The operating system's error number.
    pub errno: i32,
}

impl NotContained {
    pub(super) fn at(step: Step) -> impl Fn(std::io::Error) -> Self {
        move |error| Self { step, errno: error.raw_os_error().unwrap_or_default() }
    }
}

/// The steps of an init, and of the program's process before it is the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Step {
    /// Taking over the line to the daemon, adopting, hearing of the dead.
    Init,
    /// Making the namespaces.
    Namespace,
    /// Following the paths of the sandbox.
    Paths,
    /// Making a root of what may be seen.
    Mounts,
    /// Entering control groups and lowering limits.
    Limits,
    /// Becoming another user and giving up capabilities.
    User,
    /// Closing off files.
    Landlock,
    /// Closing off system calls.
    SystemCalls,
    /// Executing the program.
    Start,
}

impl Step {
    const ALL: [Self; 9] = [
        Self::Init,
        Self::Namespace,
        Self::Paths,
        Self::Mounts,
        Self::Limits,
        Self::User,
        Self::Landlock,
        Self::SystemCalls,
        Self::Start,
    ];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u8 == byte)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "being an init",
            Self::Namespace => "making namespaces",
            Self::Paths => "following the paths of its sandbox",
            Self::Mounts => "making a root of mounts",
            Self::Limits => "setting limits",
            Self::User => "becoming the user of runs",
            Self::Landlock => "closing off files with Landlock",
            Self::SystemCalls => "closing off system calls with seccomp",
            Self::Start => "executing the program",
        })
    }
}

impl Word {
    pub(super) fn print(self) -> String {
        serde_json::to_string(&self).expect("plain data becomes JSON")
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

/// What a contained program of ours saw; for the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub pid: i32,
    pub file_bytes: u64,
    pub uid: u32,
    /// A file that anybody may read, outside.
    pub canary: bool,
    pub socket: bool,
}
