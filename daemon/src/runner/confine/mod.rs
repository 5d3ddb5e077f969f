//! What a sandbox says, made so for one program: by mounts where its init has a namespace of its
//! own, by Landlock, a filter of system calls and another user everywhere.
//!
//! All that must be opened or compiled is made in the init; the program's own process then only
//! closes the doors behind itself, the last one the filter. What fails on the way fails the run.

use std::io;

use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_dumpable, set_no_new_privs, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::words::{NotContained, Step};
use crate::sandbox::Sandbox;
use landlock::Fence;
use places::Places;
use system_calls::{Filters, Guards};

mod landlock;
mod mounts;
mod places;
mod system_calls;
mod user;

pub use places::gpu_nodes;
pub use user::{RunUser, RunUserError};

/// What an init is told of the sandbox of its program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Confinement {
    pub sandbox: Sandbox,
    /// The user to become; absent, the program keeps the init's.
    pub user: Option<RunUser>,
}

/// Everything ready, for the program's process to close.
pub(super) struct Doors {
    user: Option<RunUser>,
    mounts: bool,
    fence: Option<Fence>,
    filters: Filters,
}

impl Doors {
    /// Makes ready what is needed; with `mounts` this process itself goes into the new root.
    pub(super) fn make(confinement: &Confinement, mounts: bool) -> Result<Self, NotContained> {
        let Confinement { sandbox, user } = confinement;
        let at = NotContained::at;
        let places = Places::resolve(sandbox).map_err(at(Step::Paths))?;
        // What it may only read is mounted so, and devices do not belong to it.
        let files = mounts && (user.is_some() || !geteuid().is_root());
        let guards = Guards { files, processes: mounts || user.is_some() };
        let filters = Filters::compile(sandbox.code, guards).map_err(at(Step::SystemCalls))?;
        if mounts {
            mounts::enter(&places).map_err(at(Step::Mounts))?;
            // The program sees this process, and may be of the same user.
            set_dumpable(false).map_err(|errno| at(Step::Mounts)(errno.into()))?;
        }
        let fence = Fence::make(&places, mounts).map_err(at(Step::Landlock))?;
        Ok(Self { user: *user, mounts, fence, filters })
    }

    /// In the program's process, in its control groups, right before it is executed.
    pub(super) fn close(&mut self, reach: &dyn Fn(Step) -> io::Result<()>) -> io::Result<()> {
        if self.mounts {
            // From here on its own group is the first one.
            reach(Step::Namespace)?;
            unshare(CloneFlags::CLONE_NEWCGROUP)?;
        }
        reach(Step::User)?;
        user::give_up(self.user, !self.mounts)?;
        set_no_new_privs()?;
        // The kernel forgets this when the user changes.
        set_pdeathsig(Signal::SIGKILL)?;
        close_files_on_exec()?;
        reach(Step::Landlock)?;
        if let Some(fence) = self.fence.take() {
            fence.close()?;
        }
        reach(Step::SystemCalls)?;
        self.filters.apply()
    }
}

/// All but the standard ones.
fn close_files_on_exec() -> io::Result<()> {
    let flags = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).map_err(io::Error::other)?;
    // SAFETY: takes three integers; no descriptor is closed before the program is executed.
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, flags) };
    Ok(nix::errno::Errno::result(result).map(drop)?)
}

/// The error of the operating system below another one.
fn os_error(error: &(dyn std::error::Error + 'static)) -> io::Error {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(errno) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(errno);
        }
        next = error.source();
    }
    io::Error::from_raw_os_error(libc::ENOTSUP)
}
