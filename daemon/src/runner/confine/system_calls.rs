//! The filter of system calls: what no trainer and no compiler needs is refused. The first of two
//! guards for what the mounts and Landlock keep, the only one for sockets and namespaces.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

use super::os_error;
use crate::sandbox::Code;

/// Refused with EPERM whatever the arguments.
const REFUSED: &[libc::c_long] = &[
    // Other machines and other programs.
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_mq_open,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_shmget,
    // Those of others, by their number.
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Ways around this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Large parts of the kernel that nobody here needs.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_fanotify_init,
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_request_key,
    // What is mounted, and files by handles.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
];
/// Those of old that only this architecture has.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

/// Refused to all, because Landlock does not know them and no compiler needs them: what changes files
/// that may only be read, where they have the run's user, and watching what others do with files.
const UNKNOWN_TO_LANDLOCK: &[libc::c_long] = &[
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
];
#[cfg(target_arch = "x86_64")]
const UNKNOWN_TO_LANDLOCK_HERE: &[libc::c_long] =
    &[libc::SYS_chown, libc::SYS_lchown, libc::SYS_inotify_init];
#[cfg(not(target_arch = "x86_64"))]
const UNKNOWN_TO_LANDLOCK_HERE: &[libc::c_long] = &[];

/// Refused to a candidate for the same reason; a compiler sets the times of what it makes.
const TIMES: &[libc::c_long] = &[libc::SYS_utimensat];
#[cfg(target_arch = "x86_64")]
const TIMES_HERE: &[libc::c_long] = &[libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const TIMES_HERE: &[libc::c_long] = &[];

/// Refused to a candidate: what tells or decides which parts of a file are in memory. All runs read the
/// same libraries and records, and what one left there would tell the next what it saw.
const PAGES: &[libc::c_long] =
    &[libc::SYS_fadvise64, libc::SYS_readahead, libc::SYS_mincore, SYS_CACHESTAT];
/// Advice about memory that puts pages of files out of it, or near the door.
const PUTS_OUT: [u64; 2] = [libc::MADV_COLD as u64, libc::MADV_PAGEOUT as u64];
/// Reading that fails where it would have to wait for a disk. With the place of its flags.
const TELLING_READS: [(libc::c_long, u8); 2] = [(libc::SYS_preadv2, 5), (libc::SYS_pwritev2, 5)];

/// Answered to a candidate as by a file system that has none: attributes of files that it may not read,
/// which Landlock does not know either. Programs that copy files ask for them and do without.
const ATTRIBUTES: &[libc::c_long] = &[
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    SYS_GETXATTRAT,
    SYS_LISTXATTRAT,
];

/// Refused as well where a candidate owns files that it may only read. Elsewhere copying a file, which
/// sets the mode of the copy, is left to it. With the place of the mode among the arguments.
const MODES: &[(libc::c_long, u8)] =
    &[(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (libc::SYS_fchmodat2, 2)];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(libc::c_long, u8)] = &[(libc::SYS_chmod, 1)];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[(libc::c_long, u8)] = &[];
/// Whoever executes such a file becomes its owner, also outside.
const BECOMES_OWNER: [u64; 2] = [libc::S_ISUID as u64, libc::S_ISGID as u64];

/// Refused to a candidate that has the daemon's user and sees its processes, but for itself: a daemon
/// made slow makes all that come later slow. With the place of the process among the arguments.
const PACE: [(libc::c_long, u8); 6] = [
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// Since Linux 6.5, 6.13 and 6.17, the same number everywhere.
const SYS_CACHESTAT: libc::c_long = 451;
const SYS_SETXATTRAT: libc::c_long = 463;
const SYS_GETXATTRAT: libc::c_long = 464;
const SYS_LISTXATTRAT: libc::c_long = 465;
const SYS_REMOVEXATTRAT: libc::c_long = 466;
const SYS_FILE_SETATTR: libc::c_long = 469;

/// Namespaces that `clone` can make.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Requests that put input into a terminal.
const TERMINAL: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];
/// Requests about files that may only be read, which Landlock does not know: what changes how they are kept
/// or what is kept beside them, and what tells that.
const KEEPING: [u64; 8] = [
    FS_IOC_SETFLAGS,
    FS_IOC_FSSETXATTR,
    FS_IOC_SETVERSION,
    FS_IOC_ENABLE_VERITY,
    FS_IOC_FIEMAP,
    FIDEDUPERANGE,
    BTRFS_IOC_DEFRAG,
    BTRFS_IOC_DEFRAG_RANGE,
];
const FS_IOC_SETFLAGS: u64 = 0x4008_6602;
const FS_IOC_FSSETXATTR: u64 = 0x401c_5820;
const FS_IOC_SETVERSION: u64 = 0x4008_7602;
const FS_IOC_ENABLE_VERITY: u64 = 0x4080_6685;
const FS_IOC_FIEMAP: u64 = 0xc020_660b;
const FIDEDUPERANGE: u64 = 0xc018_9436;
const BTRFS_IOC_DEFRAG: u64 = 0x5000_9402;
const BTRFS_IOC_DEFRAG_RANGE: u64 = 0x4030_9410;
/// Of a socket's kind: without what is said of blocking and of descriptors.
const KIND: u64 = 0xf;
/// Marks the numbers of another set of system calls on x86_64, which is refused as a whole.
const X32: u32 = 0x4000_0000;

/// What else keeps a candidate from what is not its own.
#[derive(Clone, Copy)]
pub(super) struct Guards {
    /// It owns no file, and no device, that it may not write.
    pub files: bool,
    /// It sees no process of its user but its own.
    pub processes: bool,
}

/// Compiled filters, all of which hold.
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    pub(super) fn compile(code: Code, guards: Guards) -> io::Result<Self> {
        let refused = compile(rules(code, guards).map_err(|error| os_error(&error))?, libc::EPERM)?;
        // Its flags lie in memory that a filter cannot read; libraries then take the older call.
        let unknown = compile(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
        let mut filters = vec![unknown, refused];
        if code == Code::Candidate {
            let without = ATTRIBUTES.iter().map(|call| (*call, Vec::new())).collect();
            filters.push(compile(without, libc::EOPNOTSUPP)?);
        }
        if cfg!(target_arch = "x86_64") {
            filters.insert(0, without_x32());
        }
        Ok(Self(filters))
    }

    /// Puts them in force for this process and all that come of it.
    pub(super) fn apply(&self) -> io::Result<()> {
        self.0.iter().try_for_each(|filter| apply_filter(filter).map_err(|error| os_error(&error)))
    }
}

type Rules = BTreeMap<libc::c_long, Vec<SeccompRule>>;

fn compile(rules: Rules, errno: libc::c_int) -> io::Result<BpfProgram> {
    let arch: TargetArch = ARCH.try_into().map_err(|error| os_error(&error))?;
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)
        .map_err(|error| os_error(&error))?;
    filter.try_into().map_err(|error| os_error(&error))
}

fn rules(code: Code, guards: Guards) -> Result<Rules, BackendError> {
    let unknown = UNKNOWN_TO_LANDLOCK.iter().chain(UNKNOWN_TO_LANDLOCK_HERE);
    let mut refused: Vec<_> = REFUSED.iter().chain(REFUSED_HERE).chain(unknown).collect();
    if code == Code::Candidate {
        refused.extend(TIMES.iter().chain(TIMES_HERE).chain(PAGES));
    }
    let mut rules: Rules = refused.into_iter().map(|call| (*call, Vec::new())).collect();
    let namespace = |flag: &libc::c_int| {
        let flag = u64::from(flag.cast_unsigned());
        rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)])
    };
    if code == Code::Candidate {
        rules.extend(modes(guards)?);
        rules.extend(pages()?);
    }
    if code == Code::Candidate && !guards.processes {
        rules.extend(pace()?);
    }
    rules.insert(libc::SYS_clone, NAMESPACES.iter().map(namespace).collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socketpair, pairs()?);
    rules.insert(libc::SYS_ioctl, requests(code)?);
    // Limits of others, and the one by which a leftover is known.
    rules.insert(libc::SYS_prlimit64, vec![rule(&[(0, SeccompCmpOp::Ne, 0)])?, unmarking()?]);
    let marks = libc::RLIMIT_LOCKS.into();
    rules.insert(libc::SYS_setrlimit, vec![rule(&[(0, SeccompCmpOp::Eq, marks)])?]);
    Ok(rules)
}

/// Setting it; asking for it has no new value.
fn unmarking() -> Result<SeccompRule, BackendError> {
    let (word, pointer) = (SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword);
    let marks = SeccompCondition::new(1, word, SeccompCmpOp::Eq, libc::RLIMIT_LOCKS.into())?;
    SeccompRule::new(vec![marks, SeccompCondition::new(2, pointer, SeccompCmpOp::Ne, 0)?])
}

fn modes(guards: Guards) -> Result<Rules, BackendError> {
    let refused = |(call, place): &(libc::c_long, u8)| {
        let bit = |bit| rule(&[(*place, SeccompCmpOp::MaskedEq(bit), bit)]);
        let bits = BECOMES_OWNER.into_iter().filter(|_| guards.files).map(bit);
        Ok((*call, bits.collect::<Result<_, _>>()?))
    };
    MODES.iter().chain(MODES_HERE).map(refused).collect()
}

fn pages() -> Result<Rules, BackendError> {
    let advice = PUTS_OUT.map(|advice| rule(&[(2, SeccompCmpOp::Eq, advice)]));
    let mut rules =
        Rules::from([(libc::SYS_madvise, advice.into_iter().collect::<Result<_, _>>()?)]);
    for (call, flags) in TELLING_READS {
        rules.insert(call, vec![rule(&[(flags, SeccompCmpOp::Ne, 0)])?]);
    }
    Ok(rules)
}

fn pace() -> Result<Rules, BackendError> {
    let others = |(call, place)| Ok((call, vec![rule(&[(place, SeccompCmpOp::Ne, 0)])?]));
    let mut rules = PACE.into_iter().map(others).collect::<Result<Rules, _>>()?;
    // Of a group or a user, whose number may be left out as well.
    let of_others = |call, process: libc::c_int| {
        Ok((call, rule(&[(0, SeccompCmpOp::Ne, process.cast_unsigned().into())])?))
    };
    /// `IOPRIO_WHO_PROCESS`.
    const PROCESS: libc::c_int = 1;
    for (call, rule) in [
        of_others(libc::SYS_setpriority, libc::PRIO_PROCESS.cast_signed())?,
        of_others(libc::SYS_ioprio_set, PROCESS)?,
    ] {
        rules.entry(call).or_default().push(rule);
    }
    Ok(rules)
}

/// Only streams between relatives: a datagram can be sent to any socket that has a name.
fn pairs() -> Result<Vec<SeccompRule>, BackendError> {
    let local = libc::AF_UNIX.cast_unsigned().into();
    let kind =
        |kind: libc::c_int| rule(&[(1, SeccompCmpOp::MaskedEq(KIND), kind.cast_unsigned().into())]);
    let other = rule(&[(0, SeccompCmpOp::Ne, local)])?;
    Ok(vec![other, kind(libc::SOCK_DGRAM)?, kind(libc::SOCK_RAW)?])
}

fn requests(code: Code) -> Result<Vec<SeccompRule>, BackendError> {
    let mut requests = TERMINAL.to_vec();
    if code == Code::Candidate {
        requests.extend(KEEPING);
    }
    requests.into_iter().map(|request| rule(&[(1, SeccompCmpOp::Eq, request)])).collect()
}

/// Holds when all of (argument, comparison, value) hold; the kernel looks at the lower half of each
/// of these arguments only.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, BackendError> {
    let condition = |(argument, operator, value): &(u8, SeccompCmpOp, u64)| {
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, operator.clone(), *value)
    };
    SeccompRule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)
}

/// `if (number >= X32) return EPERM; return ALLOW`, in the kernel's instructions.
fn without_x32() -> BpfProgram {
    let refuse = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
    let (load, jump, end) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let step = |code: u32, jf, k| sock_filter { code: code as u16, jt: 0, jf, k };
    vec![
        step(load, 0, 0),
        step(jump, 1, X32),
        step(end, 0, refuse),
        step(end, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_refused_more_than_a_compiler() {
        let of = |code| rules(code, Guards { files: true, processes: true }).unwrap();
        let (trusted, candidate) = (of(Code::Trusted), of(Code::Candidate));
        let more: Vec<_> = candidate.keys().filter(|call| !trusted.contains_key(call)).collect();
        assert_eq!(
            more.len(),
            TIMES.len()
                + TIMES_HERE.len()
                + MODES.len()
                + MODES_HERE.len()
                + PAGES.len()
                + TELLING_READS.len()
                + 1
        );
        assert!(trusted.keys().all(|call| candidate.contains_key(call)));
        for call in [libc::SYS_execve, libc::SYS_openat, libc::SYS_write, libc::SYS_mmap] {
            assert!(!candidate.contains_key(&call), "{call}");
        }
        let alone = Guards { files: false, processes: false };
        let (some, all) = (&candidate[&libc::SYS_fchmod], rules(Code::Candidate, alone).unwrap());
        assert_eq!((some.len(), all[&libc::SYS_fchmod].len()), (2, 0), "none stands for any");
        assert_eq!(all[&libc::SYS_setpriority].len(), 2);
        assert!(Filters::compile(Code::Candidate, alone).is_ok());
    }
}
