//! What the driver says of the GPUs. [nvml-wrapper]
//!
//! The library is loaded at run time: a machine without it is a machine without NVIDIA GPUs. It is
//! initialised anew for every look, so that between looks an operator can reset a device, which no
//! open handle may hold. Whether an experiment may start ([`gate`]) and what a failure means for
//! the next one ([`health`]) is decided from plain data.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

pub mod gate;
pub mod health;
mod nvml;
mod patience;
mod visible;

pub use nvml::Nvml;
pub use visible::Visible;

/// One GPU as the driver describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// Position in the driver's order, that of the PCI bus.
    pub index: u32,
    /// `GPU-…`; empty when the driver cannot name it any more.
    pub uuid: String,
    /// Product name.
    pub name: String,
    /// Version of the driver.
    pub driver: String,
    /// What it says of itself, or why it cannot.
    pub vitals: Result<Vitals, Broken>,
}

/// What a GPU that answers says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Memory of the device.
    pub memory: Memory,
    /// Processes that compute on it.
    pub compute: Vec<Occupant>,
    /// Processes that draw on it.
    pub graphics: Vec<Occupant>,
    /// What the driver wants done before further use, when it is new enough to tell.
    pub recovery: Option<Recovery>,
    /// Uncorrected memory errors since the driver was loaded, where the device counts them.
    pub ecc_uncorrected: Option<u64>,
}

/// Device memory in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Installed.
    pub total_mib: u64,
    /// In use; what the driver reserves for itself is not counted.
    pub used_mib: u64,
    /// Not in use.
    pub free_mib: u64,
}

/// A process on a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// As the driver tells it: in a container it may belong to another namespace.
    pub pid: u32,
    /// Its name, when this namespace knows a process of that id.
    pub name: Option<String>,
    /// Its device memory in MiB, when the driver tells.
    pub used_mib: Option<u64>,
}

/// Why a GPU cannot say anything of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It fell off the bus or is otherwise out of reach.
    Lost,
    /// It must be reset before it can be used.
    ResetRequired,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lost => "is lost: it fell off the bus or cannot be reached",
            Self::ResetRequired => "needs a reset: nvidia-smi --gpu-reset",
        })
    }
}

/// What the driver wants done with a device.
///
/// # Source
/// `nvmlDeviceGpuRecoveryAction_t` of NVIDIA's `nvml.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing.
    None,
    /// Reset the device.
    Reset,
    /// Reboot the machine.
    Reboot,
    /// Let nothing new start on it; then reset it.
    Drain,
    /// Something that is newer than this program.
    Other(u64),
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("asks for nothing"),
            Self::Reset => f.write_str("asks for a reset: nvidia-smi --gpu-reset"),
            Self::Reboot => f.write_str("asks for a reboot of the machine"),
            Self::Drain => f.write_str("asks to be drained: let nothing run on it, then reset it"),
            Self::Other(action) => write!(f, "asks for recovery action {action}"),
        }
    }
}

/// Why nothing is known of any GPU.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No library or no driver.
    #[error("no NVIDIA driver answers: {why}")]
    Absent {
        /// What the loader or the library said.
        why: String,
    },
    /// The driver does not come back from a call.
    #[error("the NVIDIA driver has been silent for more than {waited_s} s")]
    Silent {
        /// How long it was waited for.
        waited_s: u64,
    },
    /// The driver answers with an error that concerns no single device.
    #[error("the NVIDIA driver fails: {why}")]
    Failed {
        /// What it said.
        why: String,
    },
}

/// Who can be asked about GPUs.
pub trait Devices: Send + Sync {
    /// The GPUs in use as they are now. Blocks the calling thread, at most for as long as a silent
    /// driver is waited for.
    ///
    /// # Errors
    /// Nothing can be said of any GPU.
    fn look(&self) -> Result<Vec<Gpu>, DeviceError>;
}

/// A machine without NVIDIA GPUs.
#[derive(Clone, Copy, Debug)]
pub struct NoGpu;

impl Devices for NoGpu {
    fn look(&self) -> Result<Vec<Gpu>, DeviceError> {
        Ok(Vec::new())
    }
}

/// What this machine turned out to have, and the first look at it.
pub struct Opened {
    /// To be asked from now on.
    pub devices: Arc<dyn Devices>,
    /// What was seen; an error means a driver that is there and sick.
    pub first: Result<Vec<Gpu>, DeviceError>,
}

/// Looks once: without a driver there is [`NoGpu`] from now on, unless one is expected, which may come
/// yet; a driver that is there now and gone later is an error then. `library` is NVML's file, by default
/// the system's.
pub fn open(library: Option<OsString>, visible: Visible, is_expected: bool) -> Opened {
    let nvml = Nvml::new(library, visible);
    match nvml.look() {
        Err(DeviceError::Absent { .. }) if !is_expected => {
            Opened { devices: Arc::new(NoGpu), first: Ok(Vec::new()) }
        }
        first => Opened { devices: Arc::new(nvml), first },
    }
}
