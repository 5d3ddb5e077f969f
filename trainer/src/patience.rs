//! Threads that wait without burning a core.
//!
//! libtorch computes with OpenMP, whose threads spin while they wait for each other. On two cores that
//! something else uses too, a training then runs ten times slower. How to wait is read from the
//! environment when the library is loaded, which is before `main`: hence the restart.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const VARIABLE: &str = "OMP_WAIT_POLICY";

/// Replaces this process by itself with waiting threads, unless the environment says how to wait.
/// Returns if that is so, or if it cannot be done: then everything works, only slower under load.
pub fn ensure() {
    if env::var_os(VARIABLE).is_some() {
        return;
    }
    if let Ok(program) = env::current_exe() {
        // `exec` returns only when it fails.
        let _ = Command::new(program).args(env::args_os().skip(1)).env(VARIABLE, "passive").exec();
    }
}
