//! A stand-in for the driver's library, compiled for one test and told what to say by a file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Idle, with 500 of 80000 MiB in use, nothing to recover, no memory errors.
pub const IDLE: &str = "gpu GPU-aa 0 0 80000 500 0 0\n";
/// `NVML_ERROR_GPU_IS_LOST` when its memory is asked for.
pub const LOST: &str = "gpu GPU-aa 0 15 80000 500 0 0\n";

/// A driver of its own for every test.
pub struct Driver {
    directory: TempDir,
}

impl Driver {
    /// Says this.
    pub fn new(state: &str) -> Self {
        let driver = Self { directory: TempDir::new().unwrap() };
        driver.now(state);
        let define =
            |name: &str, file: &str| format!("-D{name}=\"{}\"", driver.path(file).display());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/fake_nvml.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(driver.library())
            .args([define("STATE", "state"), define("CALLS", "calls")])
            .arg(source)
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        driver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What `DFR_NVML` should be.
    pub fn library(&self) -> OsString {
        self.path("libnvidia-ml.so.1").into()
    }

    /// Changes what the driver says from now on, at once.
    pub fn now(&self, state: &str) {
        fs::write(self.path("next"), state).unwrap();
        fs::rename(self.path("next"), self.path("state")).unwrap();
    }

    /// How often this was called.
    pub fn calls(&self, symbol: &str) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().filter(|line| *line == symbol).count()
    }
}
