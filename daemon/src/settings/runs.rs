//! What a run may use and how it is kept together, from flags, environment and file.

use super::caps::{bytes, number};
use super::{Environment, File, SettingsError, within};
use crate::arguments::{Places, RunFlags};
use crate::tier::Tier;

/// How runs are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// The tier that is asked for; the best there is when none is.
    pub containment: Option<Tier>,
    /// Go without a sandbox.
    pub unsealed: bool,
    /// The user that runs are, when the daemon is root and one is asked for.
    pub run_as: Option<u32>,
    /// Main memory of all processes of a run, in bytes, when not the usual.
    pub memory_bytes: Option<u64>,
    /// Processes and threads of a run.
    pub processes: Option<u64>,
    /// Size of any one file that a run writes, in bytes.
    pub file_bytes: Option<u64>,
    /// All that a run writes together, in bytes.
    pub directory_bytes: Option<u64>,
    /// Free space below which nothing new is started, in MiB, when not the usual.
    pub floor_mib: Option<u64>,
}

/// Enough for any trainer's threads, too few for a bomb to be felt.
const PROCESSES: u64 = 4096;
/// More than a kernel counts.
const PROCESSES_MOST: u64 = 1 << 22;
/// Larger than any checkpoint of a model that fits the competition.
const FILE_BYTES: u64 = 64 << 30;

/// Several such checkpoints, or a build.
const RUN_BYTES: u64 = 128 << 30;

impl Runs {
    /// As a loop that is told this would hold its runs.
    ///
    /// # Errors
    /// A file, a word or a number that cannot be understood.
    pub fn resolve(
        places: &Places,
        flags: &RunFlags,
        env: &Environment,
    ) -> Result<Self, SettingsError> {
        resolve(flags, env, &File::load(places.config.as_deref())?)
    }
}

pub(super) fn resolve(
    flags: &RunFlags,
    env: &Environment,
    file: &File,
) -> Result<Runs, SettingsError> {
    let word = flags.containment.clone().or_else(|| env.get("DFR_CONTAINMENT"));
    let containment = match word.or_else(|| file.containment.clone()).as_deref() {
        None | Some("auto") => None,
        Some("full") => Some(Tier::Full),
        Some("container") => Some(Tier::Container),
        Some(other) => return Err(SettingsError::Containment(other.to_owned())),
    };
    let run_as = flags.run_as.map(u64::from).or(env.number("DFR_RUN_AS")?);
    let run_as = run_as.or(file.run_as.map(u64::from));
    Ok(Runs {
        containment,
        unsealed: flags.unsealed,
        run_as: within("run_as", run_as, u64::from(u32::MAX - 1))?
            .and_then(|uid| uid.try_into().ok()),
        memory_bytes: number("memory_gib", None, file.memory_gib)?.map(bytes),
        processes: Some(within("processes", file.processes, PROCESSES_MOST)?.unwrap_or(PROCESSES)),
        file_bytes: Some(number("file_gib", None, file.file_gib)?.map_or(FILE_BYTES, bytes)),
        directory_bytes: Some(number("run_gib", None, file.run_gib)?.map_or(RUN_BYTES, bytes)),
        floor_mib: file.floor_mib,
    })
}
