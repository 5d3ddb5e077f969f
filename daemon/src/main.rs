//! `dfr-daemon`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dfr_daemon::runner::contained().unwrap_or_else(dfr_daemon::cli::main)
}
