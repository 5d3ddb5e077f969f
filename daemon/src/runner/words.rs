//! What the daemon and the init of a run tell each other: one argument, single bytes, one line.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ResourceLimits;

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
}

/// What an init makes of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// Make a PID namespace, with a user namespace around it if need be, and wait for its init.
    Namespace { user: bool },
    /// Be the first process of that namespace.
    First,
    /// Adopt whatever the program leaves behind.
    Subreaper,
    /// Tell what a contained program sees; for the probe.
    Probe,
}

/// The one line that an init tells before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// The program ended with this wait status; so many processes were left and had to be killed.
    Ended { status: i32, killed: u32 },
    /// The program could not be started.
    NotStarted { errno: i32 },
    /// The namespace could not be made, or the init could not do its work.
    NotContained { errno: i32 },
}

impl Word {
    pub(super) fn print(self) -> String {
        serde_json::to_string(&self).expect("plain data becomes JSON")
    }

    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}
