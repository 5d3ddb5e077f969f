//! The binding to NVIDIA's library, driven through a stand-in for the library itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use dfr_daemon::device::gate::{Admission, Floor, admission, harm};
use dfr_daemon::device::health::{Event, Health, Step};
use dfr_daemon::device::{
    self, Broken, DeviceError, Devices, Gpu, Memory, Nvml, Occupant, Recovery, Visible, Vitals,
};

#[path = "support/driver.rs"]
mod driver;

use driver::{Driver, IDLE, LOST};

/// Longer than any look at the stand-in takes on a busy machine.
const PATIENT: Duration = Duration::from_secs(60);
const IMPATIENT: Duration = Duration::from_millis(200);

impl Driver {
    fn nvml(&self, visible: Option<&str>) -> Nvml {
        Nvml::new(Some(self.library()), Visible::parse(visible)).waiting(PATIENT)
    }

    fn look(&self) -> Vec<Gpu> {
        self.nvml(None).look().unwrap()
    }
}

#[test]
fn a_gpu_is_described_whole() {
    let me = std::process::id();
    let driver = Driver::new(&format!("{IDLE}compute 0 {me} 300\ngraphics 0 999999999 -1\n"));
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    let expected = Gpu {
        index: 0,
        uuid: "GPU-aa".to_owned(),
        name: "NVIDIA Fake".to_owned(),
        driver: "580.95.05".to_owned(),
        vitals: Ok(Vitals {
            memory: Memory { total_mib: 80_000, used_mib: 500, free_mib: 79_500 },
            compute: vec![Occupant {
                pid: me,
                name: Some(comm.trim_end().to_owned()),
                used_mib: Some(300),
            }],
            graphics: vec![Occupant { pid: 999_999_999, name: None, used_mib: None }],
            recovery: Some(Recovery::None),
            ecc_uncorrected: Some(0),
        }),
    };
    assert_eq!(driver.look(), [expected]);
    assert_eq!((driver.calls("nvmlInit_v2"), driver.calls("nvmlShutdown")), (1, 1));
}

#[test]
fn what_a_device_does_not_tell_is_no_error() {
    let driver = Driver::new("gpu GPU-old 0 0 8000 10 -1 -1\n");
    let vitals = driver.look()[0].vitals.clone().unwrap();
    assert_eq!((vitals.recovery, vitals.ecc_uncorrected), (None, None));
}

#[test]
fn only_gpus_in_use_are_looked_at() {
    let driver = Driver::new(&format!("{IDLE}gpu GPU-bb 0 999 80000 0 0 0\n"));
    for visible in [Some("0"), Some("GPU-a")] {
        let gpus = driver.nvml(visible).look().unwrap();
        assert_eq!(gpus.iter().map(|gpu| gpu.uuid.as_str()).collect::<Vec<_>>(), ["GPU-aa"]);
    }
    assert!(driver.nvml(Some("-1")).look().unwrap().is_empty());
    let all = driver.nvml(None).look();
    assert!(matches!(all, Err(DeviceError::Failed { .. })), "{all:?}");
}

#[test]
fn somebody_else_is_seen() {
    let driver = Driver::new(IDLE);
    let floor = Floor::of_idle(&driver.look()).unwrap();
    assert_eq!(admission(&driver.look(), &floor, &[]), Admission::Ready);
    let me = std::process::id();
    driver.now(&format!("gpu GPU-aa 0 0 80000 900 0 0\ncompute 0 {me} 400\n"));
    let admitted = admission(&driver.look(), &floor, &[]);
    assert!(
        matches!(admitted, Admission::Foreign { pid, used_mib: 400, .. } if pid == me),
        "{admitted:?}"
    );
    // In a container: memory is gone, and nobody is to be seen.
    driver.now("gpu GPU-aa 0 0 80000 900 0 0\n");
    let held = Admission::MemoryHeld { gpu: 0, used_mib: 900, floor_mib: 500 };
    assert_eq!(admission(&driver.look(), &floor, &[]), held);
    driver.now(IDLE);
    assert_eq!(admission(&driver.look(), &floor, &[]), Admission::Ready);
}

#[test]
fn a_broken_device_says_so_wherever_it_is_asked() {
    let driver = Driver::new(IDLE);
    let before = driver.look();
    let cases = [
        (LOST, "GPU-aa", Broken::Lost),
        ("gpu GPU-aa 0 16 80000 500 0 0\n", "GPU-aa", Broken::ResetRequired),
        // No handle, so no name either.
        ("gpu GPU-aa 15 0 80000 500 0 0\n", "", Broken::Lost),
    ];
    for (state, uuid, broken) in cases {
        driver.now(state);
        let gpus = driver.look();
        assert_eq!((gpus[0].uuid.as_str(), &gpus[0].vitals), (uuid, &Err(broken)));
        let why = harm(&before, &gpus).unwrap();
        assert!(why.contains(&broken.to_string()), "{why}");
    }
    for (action, word) in [(1, "reset"), (2, "reboot"), (3, "drained"), (4, "drained")] {
        driver.now(&format!("gpu GPU-aa 0 0 80000 500 {action} 0\n"));
        let why = harm(&before, &driver.look()).unwrap();
        assert!(why.contains(word), "{why}");
    }
    driver.now("gpu GPU-aa 0 0 80000 500 0 2\n");
    assert!(harm(&before, &driver.look()).unwrap().contains("2 memory errors"));
}

#[test]
fn a_driver_that_hangs_is_silent_and_is_not_asked_again() {
    for symbol in ["nvmlInit_v2", "nvmlDeviceGetMemoryInfo_v2", "nvmlShutdown"] {
        let driver = Driver::new(&format!("{IDLE}hang {symbol}\n"));
        let nvml = driver.nvml(None).waiting(IMPATIENT);
        for _ in 0..3 {
            let silent = nvml.look();
            assert!(matches!(silent, Err(DeviceError::Silent { .. })), "{silent:?}");
        }
        // It came back: what it says from now on counts.
        driver.now(IDLE);
        let again = std::iter::repeat_with(|| nvml.look()).find_map(Result::ok).unwrap();
        assert_eq!(again[0].uuid, "GPU-aa");
    }
}

#[test]
fn while_it_hangs_no_second_thread_waits_with_the_first() {
    let driver = Driver::new(&format!("{IDLE}hang nvmlSystemGetDriverVersion\n"));
    let nvml = driver.nvml(None).waiting(IMPATIENT);
    for _ in 0..10 {
        assert!(nvml.look().is_err());
    }
    assert!(driver.calls("nvmlInit_v2") <= 1);
    driver.now(IDLE);
}

#[test]
fn a_machine_without_a_driver_has_no_gpu() {
    let nowhere = Some("/nowhere/libnvidia-ml.so.1".into());
    let driver = Driver::new("init 9\n");
    for library in [nowhere, Some(driver.library())] {
        let opened = device::open(library, Visible::All, false);
        assert!(opened.first.unwrap().is_empty());
        driver.now(IDLE);
        assert!(opened.devices.look().unwrap().is_empty());
        driver.now("init 9\n");
    }
}

#[test]
fn a_driver_that_is_expected_may_come_yet() {
    let driver = Driver::new("init 9\n");
    let opened = device::open(Some(driver.library()), Visible::All, true);
    assert!(matches!(opened.first, Err(DeviceError::Absent { .. })), "{:?}", opened.first);
    driver.now(IDLE);
    assert_eq!(opened.devices.look().unwrap().len(), 1);
}

#[test]
fn a_driver_that_goes_away_is_missed() {
    let driver = Driver::new(IDLE);
    let opened = device::open(Some(driver.library()), Visible::All, false);
    assert_eq!(opened.first.unwrap().len(), 1);
    driver.now("init 9\n");
    let gone = opened.devices.look();
    assert!(matches!(gone, Err(DeviceError::Absent { .. })), "{gone:?}");
    // The library was updated under a driver that still runs.
    driver.now("init 18\n");
    let mismatch = opened.devices.look();
    assert!(
        matches!(&mismatch, Err(DeviceError::Failed { why }) if why.contains("mismatch")),
        "{mismatch:?}"
    );
}

/// One turn as the loop does it: look, admit, tell.
fn turn(devices: &dyn Devices, floor: &Floor, health: Health) -> (Health, Step) {
    let event = match devices.look() {
        Ok(gpus) => Event::of_admission(&admission(&gpus, floor, &[])),
        Err(error) => Some(Event::from(&error)),
    };
    event.map_or((health, Step::GoOn), |event| health.on(event))
}

#[test]
fn two_failures_bring_it_down_and_a_canary_brings_it_back() {
    let driver = Driver::new(IDLE);
    let devices: Arc<dyn Devices> = Arc::new(driver.nvml(None));
    let floor = Floor::of_idle(&devices.look().unwrap()).unwrap();
    let turn = |health| turn(devices.as_ref(), &floor, health);
    assert_eq!(turn(Health::Healthy), (Health::Healthy, Step::GoOn));
    driver.now(LOST);
    assert_eq!(turn(Health::Healthy), (Health::Suspect, Step::Canary));
    let (down, step) = turn(Health::Suspect);
    assert_eq!(down, Health::Down { waits: 1 });
    assert!(matches!(step, Step::Pause { why, .. } if why.contains("GPU 0 is lost")));
    assert_eq!(turn(down).0, Health::Down { waits: 2 });
    driver.now(IDLE);
    assert_eq!(down.on(Event::Waited).1, Step::Canary);
    let (trial, step) = down.on(Event::CanaryPassed);
    assert_eq!(step, Step::GoOn);
    assert_eq!(turn(trial).1, Step::GoOn);
    assert_eq!(trial.on(Event::RunEnded), (Health::Healthy, Step::GoOn));
    driver.now(&format!("{IDLE}compute 0 {} 90\n", std::process::id()));
    let (health, step) = turn(Health::Healthy);
    assert_eq!(health, Health::Healthy);
    assert!(matches!(step, Step::Pause { .. }));
}
