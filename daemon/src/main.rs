//! `dfr-daemon`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    dfr_daemon::cli::main()
}
