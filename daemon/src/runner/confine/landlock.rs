//! Landlock: which files a program may open whatever mounts and modes say, no TCP, no signal and no
//! abstract socket out of the sandbox.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, PathBeneath,
    PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope,
};

use super::os_error;
use super::places::Places;
use crate::runner::capabilities::landlock_abi;

/// The least that guards files by itself: before it, truncation is free.
const LEAST: ABI = ABI::V3;
/// The most that is made use of.
const MOST: ABI = ABI::V9;

/// A ruleset, not yet in force.
pub(super) struct Fence {
    ruleset: RulesetCreated,
    /// Nothing else guards files.
    alone: bool,
}

impl Fence {
    /// `None` on a kernel without Landlock, where mounts do without it.
    pub(super) fn make(places: &Places, mounts: bool) -> io::Result<Option<Self>> {
        if mounts && landlock_abi().is_none() {
            return Ok(None);
        }
        let fence =
            Self { ruleset: ruleset(!mounts).map_err(|error| os_error(&error))?, alone: !mounts };
        fence.admit(places, mounts).map(Some)
    }

    fn admit(mut self, places: &Places, mounts: bool) -> io::Result<Self> {
        for path in &places.readable {
            self = self.allow(path, reading())?;
        }
        for path in &places.writable {
            self = self.allow(path, writing())?;
        }
        for path in &places.devices {
            self =
                self.allow(path, AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev)?;
        }
        if mounts {
            self = self.allow(Path::new("/proc"), reading())?;
            for own in ["/tmp", "/dev/shm"] {
                self = self.allow(Path::new(own), writing())?;
            }
        }
        Ok(self)
    }

    fn allow(self, path: &Path, access: BitFlags<AccessFs>) -> io::Result<Self> {
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(MOST) };
        let place = PathFd::new(path).map_err(|error| os_error(&error))?;
        let ruleset = self
            .ruleset
            .add_rule(PathBeneath::new(place, access))
            .map_err(|error| os_error(&error))?;
        Ok(Self { ruleset, ..self })
    }

    /// Puts it in force for this process and all that come of it, with what /proc says of this very
    /// process, by which libraries find their own stack and maps.
    pub(super) fn close(self) -> io::Result<()> {
        let Self { ruleset, alone } = self.allow(Path::new("/proc/self"), reading())?;
        let status = ruleset.restrict_self().map_err(|error| os_error(&error))?;
        let open = status.ruleset == RulesetStatus::NotEnforced && alone;
        if open { Err(io::Error::from(nix::errno::Errno::ENOTSUP)) } else { Ok(()) }
    }
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir
}

/// Everything but nodes and sockets.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::from_all(LEAST) & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock)
}

/// With the least that is needed, and as much more as this kernel knows.
fn ruleset(alone: bool) -> Result<RulesetCreated, RulesetError> {
    let least = if alone { CompatLevel::HardRequirement } else { CompatLevel::BestEffort };
    Ruleset::default()
        .set_compatibility(least)
        .handle_access(AccessFs::from_all(LEAST))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(MOST))?
        .handle_access(AccessNet::from_all(MOST))?
        .scope(Scope::from_all(MOST))?
        .create()
}
