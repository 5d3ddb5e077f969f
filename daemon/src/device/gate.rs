//! Whether an experiment may start on the GPUs, and whether one harmed them. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::{Gpu, Occupant, Recovery, Vitals};

/// Device memory above the floor that is nobody's: contexts of the driver come and go.
pub const ALLOWANCE_MIB: u64 = 256;
/// What a device that nothing is known of has in use at most when nobody computes there: a screen, or
/// contexts of the driver; of a small one no more than this part, one in so many.
const IDLE_MIB: u64 = 2048;
const IDLE_SHARE: u64 = 4;

/// Memory in use per GPU, in MiB by UUID, when nobody computes there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Floor(BTreeMap<String, u64>);

/// Whether an experiment may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Ready,
    /// Another process computes there.
    Foreign {
        /// Index of the GPU.
        gpu: u32,
        /// Its process id, as the driver tells it.
        pid: u32,
        /// Its name, where it is known.
        name: Option<String>,
        /// Device memory in use by it; by all, where the driver does not tell.
        used_mib: u64,
    },
    /// Memory is in use that was not at the start, and nobody is to be seen.
    MemoryHeld {
        /// Index of the GPU.
        gpu: u32,
        /// In use now.
        used_mib: u64,
        /// In use when the device was idle.
        floor_mib: u64,
    },
    /// No run would work there.
    Sick {
        /// What is wrong, and the way out where there is one.
        why: String,
    },
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Foreign { gpu, pid, name, used_mib } => {
                let name = name.as_deref().unwrap_or("of another namespace");
                write!(f, "GPU {gpu} is in use by process {pid} ({name}): {used_mib} MiB")
            }
            Self::MemoryHeld { gpu, used_mib, floor_mib } => write!(
                f,
                "GPU {gpu} has {used_mib} MiB in use instead of {floor_mib} MiB, by a process that \
                 cannot be seen from here"
            ),
            Self::Sick { why } => f.write_str(why),
        }
    }
}

impl Floor {
    /// The floor of GPUs that nobody uses now.
    ///
    /// # Errors
    /// They are sick or in use; a device with more than 2 GiB in use, or a quarter of its memory, has
    /// somebody on it.
    pub fn of_idle(gpus: &[Gpu]) -> Result<Self, Admission> {
        Self::default().again(gpus)
    }

    /// The same where some were seen idle before: those keep the floor that they had, however much is
    /// in use now.
    ///
    /// # Errors
    /// As [`Self::of_idle`]; or one has more in use than it had.
    pub fn again(&self, gpus: &[Gpu]) -> Result<Self, Admission> {
        let of = |gpu: &Gpu| {
            let used_mib = match self.0.get(&gpu.uuid) {
                Some(known_mib) => admit(gpu, self, &[]).map(|()| *known_mib),
                None => idle_mib(gpu),
            };
            Ok((gpu.uuid.clone(), used_mib?))
        };
        gpus.iter().map(of).collect::<Result<_, _>>().map(Self)
    }

    /// In MiB by UUID.
    pub fn mib(&self) -> &BTreeMap<String, u64> {
        &self.0
    }
}

impl From<BTreeMap<String, u64>> for Floor {
    fn from(mib: BTreeMap<String, u64>) -> Self {
        Self(mib)
    }
}

/// Memory in use on a GPU of which nothing is known yet.
fn idle_mib(gpu: &Gpu) -> Result<u64, Admission> {
    let vitals = sound(gpu)?;
    let used_mib = vitals.memory.used_mib;
    let held = used_mib > IDLE_MIB.min(vitals.memory.total_mib / IDLE_SHARE);
    match foreign(vitals, held, &[]) {
        Some(occupant) => Err(crowded(gpu.index, vitals, occupant)),
        None if held => Err(Admission::MemoryHeld { gpu: gpu.index, used_mib, floor_mib: 0 }),
        None => Ok(used_mib),
    }
}

/// Whether an experiment may start on `gpus`. Processes in `ours` are no strangers, but the memory
/// that they hold counts; one that cannot be named here is left alone if it is known to hold little.
pub fn admission(gpus: &[Gpu], floor: &Floor, ours: &[u32]) -> Admission {
    let missing = floor.0.keys().find(|uuid| !gpus.iter().any(|gpu| gpu.uuid == **uuid));
    let judged: Result<(), _> = gpus.iter().try_for_each(|gpu| admit(gpu, floor, ours));
    match (judged, missing) {
        (Err(refused), _) => refused,
        (Ok(()), Some(uuid)) => {
            Admission::Sick { why: format!("GPU {uuid} was there at the start and is not now") }
        }
        (Ok(()), None) => Admission::Ready,
    }
}

fn admit(gpu: &Gpu, floor: &Floor, ours: &[u32]) -> Result<(), Admission> {
    let vitals = sound(gpu)?;
    let Some(&floor_mib) = floor.0.get(&gpu.uuid) else {
        return Err(Admission::Sick {
            why: format!("GPU {} was not there at the start", gpu.uuid),
        });
    };
    let used_mib = vitals.memory.used_mib;
    let held = used_mib > floor_mib.saturating_add(ALLOWANCE_MIB);
    match foreign(vitals, held, ours) {
        Some(occupant) => Err(crowded(gpu.index, vitals, occupant)),
        None if held => Err(Admission::MemoryHeld { gpu: gpu.index, used_mib, floor_mib }),
        None => Ok(()),
    }
}

fn sound(gpu: &Gpu) -> Result<&Vitals, Admission> {
    let sick =
        |what: &dyn fmt::Display| Admission::Sick { why: format!("GPU {} {what}", gpu.index) };
    let vitals = gpu.vitals.as_ref().map_err(|broken| sick(broken))?;
    match &vitals.recovery {
        None | Some(Recovery::None) => Ok(vitals),
        Some(recovery) => Err(sick(recovery)),
    }
}

/// The process that computes there and is not ours. A screen's small one may be in both lists.
fn foreign<'a>(vitals: &'a Vitals, held: bool, ours: &[u32]) -> Option<&'a Occupant> {
    let draws = |occupant: &Occupant| {
        let small = occupant.used_mib.is_none_or(|used_mib| used_mib <= ALLOWANCE_MIB);
        small && vitals.graphics.iter().any(|other| other.pid == occupant.pid)
    };
    vitals.compute.iter().find(|occupant| {
        let may_be_large = occupant.used_mib.is_none_or(|used_mib| used_mib > ALLOWANCE_MIB);
        let counts = occupant.name.is_some() || held || may_be_large;
        counts && !ours.contains(&occupant.pid) && !draws(occupant)
    })
}

fn crowded(gpu: u32, vitals: &Vitals, occupant: &Occupant) -> Admission {
    Admission::Foreign {
        gpu,
        pid: occupant.pid,
        name: occupant.name.clone(),
        used_mib: occupant.used_mib.unwrap_or(vitals.memory.used_mib),
    }
}

/// What happened to the GPUs between two looks that makes a run in between worth nothing: one broke,
/// went missing, or had memory errors that it could not correct.
pub fn harm(before: &[Gpu], after: &[Gpu]) -> Option<String> {
    let refused = after.iter().find_map(|gpu| sound(gpu).err());
    refused.map(|refused| refused.to_string()).or_else(|| {
        before.iter().find_map(|gpu| {
            let now = after.iter().find(|now| now.uuid == gpu.uuid);
            match now {
                None => Some(format!("GPU {} is not there any more", gpu.index)),
                Some(now) => more_errors(gpu, now),
            }
        })
    })
}

fn more_errors(before: &Gpu, after: &Gpu) -> Option<String> {
    let count = |gpu: &Gpu| gpu.vitals.as_ref().ok()?.ecc_uncorrected;
    let more = count(after)?.checked_sub(count(before)?).filter(|more| *more > 0)?;
    Some(format!("GPU {} had {more} memory errors that it could not correct", after.index))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
