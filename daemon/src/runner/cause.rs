//! Why a run crashed: a pure decision over what was observed.

use dfr_contract::exit;
use nix::sys::signal::Signal;

use crate::experiment::Cause;

/// Lines at the end of the output in which a device's failure is looked for.
const LAST_LINES: usize = 20;

/// Words of a driver whose device is gone. An illegal memory access is the candidate's own doing
/// and not among them.
const DEVICE_FAULTS: [&str; 7] = [
    "Xid (PCI",
    "fell off the bus",
    "fallen off the bus",
    "uncorrectable ECC",
    "CUDA error: unknown error",
    "device not ready",
    "no CUDA-capable device",
];

/// Words of libtorch and of the driver when a device has no memory left: no run starts where another
/// program holds it, so this is the candidate's own doing.
const DEVICE_FULL: [&str; 3] =
    ["CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED"];

/// What was seen of a run that did not exit with 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence<'a> {
    /// Exit code, when it exited by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The limit for which the daemon ended it.
    pub breach: Option<Cause>,
    /// Kills for memory within its own control group.
    pub group_oom_kills: u64,
    /// Kills for memory on the whole machine while it ran, where its own are not counted.
    pub machine_oom_kills: u64,
    /// Forks that its control group refused.
    pub refused_forks: u64,
    /// The last lines of its output.
    pub tail: &'a str,
}

/// The cause, when there is one beyond the exit status. What the kernel or the daemon saw weighs
/// more than what the program says.
pub(super) fn cause(seen: &Evidence<'_>) -> Option<Cause> {
    let killed = seen.signal == Some(Signal::SIGKILL as i32);
    let code = |code: u8| seen.code == Some(i32::from(code));
    let holds = [
        (seen.group_oom_kills > 0, Cause::OutOfMemory),
        (killed && seen.machine_oom_kills > 0, Cause::OutOfMemory),
        (seen.refused_forks > 0, Cause::TooManyProcesses),
        (seen.signal == Some(Signal::SIGXFSZ as i32), Cause::FileTooLarge),
        (code(exit::NOT_FINITE), Cause::NotFinite),
        (code(exit::CANARY), Cause::DeviceFault),
        (says_any_of(&DEVICE_FAULTS, seen.tail), Cause::DeviceFault),
        (says_any_of(&DEVICE_FULL, seen.tail), Cause::DeviceOutOfMemory),
    ];
    seen.breach.or_else(|| holds.iter().find(|(holds, _)| *holds).map(|(_, cause)| *cause))
}

fn says_any_of(words: &[&str], tail: &str) -> bool {
    let mut last = tail.lines().rev().take(LAST_LINES);
    last.any(|line| words.iter().any(|words| line.contains(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_from_the_others() {
        let none = Evidence::default();
        let code = |code| Evidence { code: Some(code), ..none };
        let signal = |signal| Evidence { signal: Some(signal), ..none };
        let said = |tail| Evidence { tail, ..code(1) };
        let ecc = "CUDA error: uncorrectable ECC error encountered\nnote: run with a backtrace";
        let early = format!("fell off the bus{}", "\nstep".repeat(30));
        for (seen, expected) in [
            (code(1), None),
            (code(101), None),
            (signal(9), None),
            (signal(11), None),
            (code(6), Some(Cause::NotFinite)),
            (code(7), Some(Cause::DeviceFault)),
            (signal(25), Some(Cause::FileTooLarge)),
            (Evidence { group_oom_kills: 1, ..signal(9) }, Some(Cause::OutOfMemory)),
            (Evidence { group_oom_kills: 1, ..code(1) }, Some(Cause::OutOfMemory)),
            (Evidence { machine_oom_kills: 1, ..signal(9) }, Some(Cause::OutOfMemory)),
            // Somebody else's process was killed; this one ended by itself.
            (Evidence { machine_oom_kills: 1, ..code(1) }, None),
            (Evidence { refused_forks: 3, ..code(1) }, Some(Cause::TooManyProcesses)),
            (
                Evidence { breach: Some(Cause::TooManyProcesses), ..signal(9) },
                Some(Cause::TooManyProcesses),
            ),
            (Evidence { breach: Some(Cause::OutOfMemory), ..code(6) }, Some(Cause::OutOfMemory)),
            (
                said("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus."),
                Some(Cause::DeviceFault),
            ),
            (said(ecc), Some(Cause::DeviceFault)),
            (said("RuntimeError: CUDA error: unknown error"), Some(Cause::DeviceFault)),
            (said("CUDA error: device not ready"), Some(Cause::DeviceFault)),
            (said("no CUDA-capable device is detected"), Some(Cause::DeviceFault)),
            (said("CUDA error: an illegal memory access was encountered"), None),
            (
                said("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 8.00 GiB."),
                Some(Cause::DeviceOutOfMemory),
            ),
            (said("CUDA error: out of memory"), Some(Cause::DeviceOutOfMemory)),
            (said("data: no room: out of memory"), None),
            (said(&early), None),
        ] {
            assert_eq!(cause(&seen), expected, "{seen:?}");
        }
    }
}
