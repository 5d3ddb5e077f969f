//! GPUs, their driver, and whether they are free.

use std::ffi::OsString;
use std::path::Path;

use super::gib;
use crate::device::gate::{Admission, Floor};
use crate::device::{self, Gpu, Visible};
use crate::report::Finding;
use crate::settings::Environment;

const NAME: &str = "gpu";
/// What the driver's kernel part looks like.
const CONTROL: &str = "/dev/nvidiactl";

pub(super) fn findings(environment: &Environment) -> Vec<Finding> {
    let library = environment.get("DFR_NVML").map(OsString::from);
    let visible = Visible::parse(environment.get("CUDA_VISIBLE_DEVICES").as_deref());
    match device::open(library, visible, false).first {
        Ok(gpus) if gpus.is_empty() => vec![none(Path::new(CONTROL).exists())],
        Ok(gpus) => gpus.iter().map(finding).collect(),
        Err(error) => vec![Finding::missing_now(
            NAME,
            error.to_string(),
            "reboot the machine, or look at dmesg for NVRM and Xid",
        )],
    }
}

fn none(has_driver: bool) -> Finding {
    if has_driver {
        let meaning = "there is a driver, but no GPU that may be looked at: in a container \
            NVIDIA_DRIVER_CAPABILITIES needs `utility`; CUDA_VISIBLE_DEVICES may hide them";
        return Finding::warn(NAME, "none to be seen", meaning);
    }
    Finding::warn(NAME, "none", "training runs on the CPU")
}

fn finding(gpu: &Gpu) -> Finding {
    let named = format!("{} {}, driver {}", gpu.index, gpu.name, gpu.driver);
    let found = match &gpu.vitals {
        Ok(vitals) => {
            let memory = vitals.memory;
            format!("{named}, {} of {} free", gib(memory.free_mib), gib(memory.total_mib))
        }
        Err(_) => named,
    };
    match Floor::of_idle(std::slice::from_ref(gpu)) {
        Ok(_) => Finding::ok(NAME, found),
        Err(Admission::Sick { why }) => Finding::missing_now(NAME, found, why),
        Err(crowded) => {
            Finding::warn(NAME, found, format!("{crowded}; the loop waits until it ends"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Broken, Memory, Occupant, Vitals};
    use crate::report::Grade;

    fn gpu(vitals: Result<Vitals, Broken>) -> Gpu {
        let (uuid, name) = ("GPU-aa".to_owned(), "NVIDIA H100".to_owned());
        Gpu { index: 1, uuid, name, driver: "580.95.05".to_owned(), vitals }
    }

    #[test]
    fn a_gpu_is_graded_by_what_a_run_would_meet() {
        let memory = Memory { total_mib: 81_920, used_mib: 0, free_mib: 81_920 };
        let idle = Vitals { memory, ..Vitals::default() };
        let python = Occupant { pid: 7, name: Some("python3".to_owned()), used_mib: Some(300) };
        let crowded = Vitals { compute: vec![python], ..idle.clone() };
        let cases = [
            (Ok(idle), Grade::Ok, "80.0 GiB of 80.0 GiB free"),
            (Ok(crowded), Grade::Warn, "process 7 (python3)"),
            (Err(Broken::Lost), Grade::Missing, "GPU 1 is lost"),
        ];
        for (vitals, grade, word) in cases {
            let finding = finding(&gpu(vitals));
            assert_eq!(finding.grade, grade);
            let told = finding.found + &finding.meaning;
            assert!(told.contains(word) && told.contains("driver 580.95.05"), "{told}");
        }
    }
}
