//! The real driver, asked through NVML.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError};
use nvml_wrapper::enums::device::{SampleValue, UsedGpuMemory};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_GET_GPU_RECOVERY_ACTION;
use nvml_wrapper::{Device, Nvml as Library};

use super::patience::{Patience, Unanswered};
use super::{Broken, DeviceError, Devices, Gpu, Memory, Occupant, Recovery, Visible, Vitals};

/// How long a look may take. Loading an idle driver takes a second or two for each GPU; one that takes longer
/// than this is sick.
const LONGEST_LOOK: Duration = Duration::from_secs(20);

/// NVIDIA's management library.
pub struct Nvml {
    library: Arc<Option<OsString>>,
    visible: Visible,
    patience: Patience<Result<Vec<Gpu>, DeviceError>>,
}

impl Nvml {
    /// The library in the given file, by default the system's `libnvidia-ml.so.1`; only `visible`
    /// GPUs are told of. Loads nothing yet.
    pub fn new(library: Option<OsString>, visible: Visible) -> Self {
        Self { library: Arc::new(library), visible, patience: Patience::new(LONGEST_LOOK) }
    }

    /// The same, for a driver that is waited for longer or shorter than usual.
    #[must_use]
    pub fn waiting(self, longest: Duration) -> Self {
        Self { patience: Patience::new(longest), ..self }
    }
}

impl Devices for Nvml {
    fn look(&self) -> Result<Vec<Gpu>, DeviceError> {
        let (library, visible) = (Arc::clone(&self.library), self.visible.clone());
        let answer = self.patience.ask(move || gpus(library.as_deref(), &visible));
        answer.unwrap_or_else(|unanswered| {
            Err(match unanswered {
                Unanswered::Silent => {
                    DeviceError::Silent { waited_s: self.patience.longest().as_secs() }
                }
                Unanswered::Broken(error) => DeviceError::Failed { why: error.to_string() },
            })
        })
    }
}

fn gpus(file: Option<&OsStr>, visible: &Visible) -> Result<Vec<Gpu>, DeviceError> {
    let mut builder = Library::builder();
    if let Some(file) = file {
        builder.lib_path(file);
    }
    let nvml = builder.init().map_err(|error| refused(&error))?;
    let all = || -> Result<Vec<_>, NvmlError> {
        let driver = nvml.sys_driver_version()?;
        let look = |index| gpu(&nvml, index, visible).transpose();
        let seen = (0..nvml.device_count()?).filter_map(look);
        seen.map(|gpu| Ok(Gpu { driver: driver.clone(), ..gpu? })).collect()
    };
    all().map_err(|error| DeviceError::Failed { why: error.to_string() })
}

fn refused(error: &NvmlError) -> DeviceError {
    let why = error.to_string();
    match error {
        NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded => {
            DeviceError::Absent { why }
        }
        _ => DeviceError::Failed { why },
    }
}

/// One that is in use, described as far as it still answers; any error but that it is broken
/// concerns the driver.
fn gpu(nvml: &Library, index: u32, visible: &Visible) -> Result<Option<Gpu>, NvmlError> {
    let device = or_broken(nvml.device_by_index(index))?;
    let uuid = match &device {
        Ok(device) => or_broken(device.uuid())?.unwrap_or_default(),
        Err(_) => String::new(),
    };
    if !visible.shows(index, &uuid) {
        return Ok(None);
    }
    let (name, vitals) = match device {
        Ok(device) => (or_broken(device.name())?.unwrap_or_default(), or_broken(vitals(&device))?),
        Err(broken) => (String::new(), Err(broken)),
    };
    Ok(Some(Gpu { index, uuid, name, driver: String::new(), vitals }))
}

fn or_broken<T>(told: Result<T, NvmlError>) -> Result<Result<T, Broken>, NvmlError> {
    match told {
        Ok(value) => Ok(Ok(value)),
        Err(NvmlError::GpuLost) => Ok(Err(Broken::Lost)),
        Err(NvmlError::ResetRequired) => Ok(Err(Broken::ResetRequired)),
        Err(error) => Err(error),
    }
}

/// What not every device, driver or container tells.
fn if_told<T>(told: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match told {
        Ok(value) => Ok(Some(value)),
        Err(
            NvmlError::NotSupported
            | NvmlError::NoPermission
            | NvmlError::InvalidArg
            | NvmlError::FunctionNotFound
            | NvmlError::FailedToLoadSymbol(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

fn vitals(device: &Device) -> Result<Vitals, NvmlError> {
    let memory = device.memory_info()?;
    Ok(Vitals {
        memory: Memory {
            total_mib: mib(memory.total),
            used_mib: mib(memory.used),
            free_mib: mib(memory.free),
        },
        compute: occupants(device.running_compute_processes())?,
        graphics: occupants(device.running_graphics_processes())?,
        recovery: recovery(device)?,
        ecc_uncorrected: if_told(
            device.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile),
        )?,
    })
}

fn occupants(told: Result<Vec<ProcessInfo>, NvmlError>) -> Result<Vec<Occupant>, NvmlError> {
    Ok(if_told(told)?.unwrap_or_default().iter().map(occupant).collect())
}

fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

fn occupant(process: &ProcessInfo) -> Occupant {
    let used_mib = match &process.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some(mib(*bytes)),
        UsedGpuMemory::Unavailable => None,
    };
    let name = fs::read_to_string(format!("/proc/{}/comm", process.pid)).ok();
    Occupant { pid: process.pid, name: name.map(|name| name.trim_end().to_owned()), used_mib }
}

/// Older drivers do not know the question.
fn recovery(device: &Device) -> Result<Option<Recovery>, NvmlError> {
    let asked = [FieldId(NVML_FI_DEV_GET_GPU_RECOVERY_ACTION)];
    let told = if_told(device.field_values_for(&asked))?;
    let sample = told.and_then(|values| values.into_iter().next()).and_then(Result::ok);
    let action = sample.and_then(|sample| match sample.value.ok()? {
        SampleValue::U32(action) => Some(action.into()),
        SampleValue::U64(action) => Some(action),
        SampleValue::I64(action) => action.try_into().ok(),
        SampleValue::F64(_) => None,
    });
    Ok(action.map(|action: u64| match action {
        0 => Recovery::None,
        1 => Recovery::Reset,
        2 => Recovery::Reboot,
        3 | 4 => Recovery::Drain,
        other => Recovery::Other(other),
    }))
}
