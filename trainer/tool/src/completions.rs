//! `dfr completions`: the command line as a script for a shell.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use dfr_contract::exit;
use dfr_media::files::FileError;

use crate::cli::{Cli, Completions};
use crate::failure::Failure;

/// Prints the script.
pub fn run(request: &Completions) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(request.shell, &mut Cli::command(), "dfr", &mut script);
    let write_error =
        |source| FileError { action: "write", path: "standard output".into(), source };
    io::stdout().write_all(&script).map_err(write_error)?;
    Ok(exit::OK)
}
