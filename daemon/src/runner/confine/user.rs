//! The user that a run is, and what is given up on the way there.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::set_keepcaps;
use nix::unistd::{Gid, Uid, User, geteuid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

/// Taken from the password file when nobody names another.
const NAME: &str = "dfr-run";
/// Taken when that name is not there either; belongs to nobody on the usual systems.
const NOBODY: u32 = 65_533;
/// `linux/capability.h`.
const CAP_DAC_READ_SEARCH: u32 = 2;
const CAP_SETPCAP: u32 = 8;
/// `linux/securebits.h`: a change of user changes no capability; locked.
const SECBIT_NO_SETUID_FIXUP: u32 = 1 << 2 | 1 << 3;
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// An unprivileged user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunUser {
    /// User id, never 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Why runs cannot have the user asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RunUserError {
    /// Only root can become somebody else.
    #[error("runs cannot become user {0}: only root can hand them to another user")]
    NotRoot(u32),
    /// The point is to be somebody else.
    #[error("runs must not be root's")]
    Root,
}

impl RunUser {
    /// The user asked for, else `dfr-run` of the password file, else 65533. `None` where the daemon
    /// is no root: runs then are of its own user.
    ///
    /// # Errors
    /// A user is asked for by somebody who is not root, or it is root.
    pub fn choose(asked: Option<u32>) -> Result<Option<Self>, RunUserError> {
        match asked {
            Some(0) => Err(RunUserError::Root),
            Some(uid) if !geteuid().is_root() => Err(RunUserError::NotRoot(uid)),
            None if !geteuid().is_root() => Ok(None),
            Some(uid) => Ok(Some(Self::numbered(uid))),
            None => Ok(Some(Self::named(NAME).unwrap_or_else(|| Self::numbered(NOBODY)))),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let user = User::from_name(name).ok()??;
        (!user.uid.is_root()).then(|| Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }

    fn numbered(uid: u32) -> Self {
        let known = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        Self { uid, gid: known.map_or(uid, |user| user.gid.as_raw()) }
    }
}

/// Becomes the user, if there is one to become, and gives up every capability. Where no mount stands
/// in for them, the homes of mode 0700 above a toolchain are passed by reading whatever modes say: then
/// Landlock alone guards what is read, and this one is kept. Writing is not among what it gives.
pub(super) fn give_up(user: Option<RunUser>, keep_search: bool) -> io::Result<()> {
    let held = Capabilities::held()?;
    let kept = match user {
        Some(_) if keep_search => held.permitted & (1 << CAP_DAC_READ_SEARCH),
        _ => 0,
    };
    if held.effective & (1 << CAP_SETPCAP) != 0 {
        bound(kept)?;
        if kept != 0 {
            // Else access(2), by which compilers look for their linker, would not know of it.
            prctl(libc::PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0)?;
        }
    }
    if let Some(RunUser { uid, gid }) = user {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        set_keepcaps(true)?;
        setgroups(&[gid])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    Capabilities::set(kept)?;
    ambient(kept)
}

/// No program below this one has more, whatever it executes.
fn bound(kept: u64) -> io::Result<()> {
    for capability in 0..u64::BITS {
        if kept & (1 << capability) == 0 {
            match prctl(libc::PR_CAPBSET_DROP, capability, 0) {
                // Beyond the last one that this kernel knows.
                Err(Errno::EINVAL) => break,
                result => result?,
            }
        }
    }
    Ok(())
}

fn ambient(kept: u64) -> io::Result<()> {
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL.cast_unsigned();
    let raise = libc::PR_CAP_AMBIENT_RAISE.cast_unsigned();
    prctl(libc::PR_CAP_AMBIENT, clear, 0)?;
    if kept != 0 {
        prctl(libc::PR_CAP_AMBIENT, raise, CAP_DAC_READ_SEARCH)?;
    }
    Ok(())
}

fn prctl(operation: libc::c_int, first: u32, second: u32) -> nix::Result<()> {
    let (first, second) = (libc::c_ulong::from(first), libc::c_ulong::from(second));
    let none: libc::c_ulong = 0;
    // SAFETY: the operations used here take integers only.
    Errno::result(unsafe { libc::prctl(operation, first, second, none, none) }).map(drop)
}

/// Bit sets by capability number: capabilities(7).
struct Capabilities {
    effective: u64,
    permitted: u64,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Capabilities {
    fn held() -> io::Result<Self> {
        let (mut header, mut halves) = (Header::of_this_process(), [Half::default(); 2]);
        // SAFETY: version 3 writes two halves.
        let result =
            unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
        Errno::result(result)?;
        let joined = |half: fn(&Half) -> u32| {
            u64::from(half(&halves[1])) << 32 | u64::from(half(&halves[0]))
        };
        Ok(Self { effective: joined(|h| h.effective), permitted: joined(|h| h.permitted) })
    }

    /// These and no others, to be inherited as well.
    fn set(kept: u64) -> io::Result<()> {
        let half = |bits: u64| {
            let bits = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
            Half { effective: bits, permitted: bits, inheritable: bits }
        };
        let (mut header, halves) = (Header::of_this_process(), [half(kept), half(kept >> 32)]);
        // SAFETY: version 3 reads two halves.
        let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, halves.as_ptr()) };
        Ok(Errno::result(result).map(drop)?)
    }
}

impl Header {
    fn of_this_process() -> Self {
        Self { version: CAPABILITY_VERSION_3, pid: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_hands_runs_to_another_user_and_never_to_root() {
        assert_eq!(RunUser::choose(Some(0)), Err(RunUserError::Root));
        if geteuid().is_root() {
            let asked = RunUser { uid: 54_321, gid: 54_321 };
            assert_eq!(RunUser::choose(Some(54_321)), Ok(Some(asked)));
            assert!(RunUser::choose(None).unwrap().is_some_and(|user| user.uid != 0));
        } else {
            assert_eq!(RunUser::choose(Some(5)), Err(RunUserError::NotRoot(5)));
            assert_eq!(RunUser::choose(None), Ok(None));
        }
    }
}
