//! The word for how runs are kept together: asked for in settings, kept by the runner, told by
//! reports.

use serde::{Deserialize, Serialize};

/// How much keeps a run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// A PID namespace: the kernel ends everything in it with its first process, which ends with the
    /// daemon.
    Full,
    /// A subreaper and a sweep of its descendants, for machines that allow no namespaces.
    Container,
}

impl Tier {
    /// The word in settings and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Container => "container",
        }
    }
}
