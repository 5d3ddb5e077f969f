//! `dfr-train`: the phases of one experiment. It is rebuilt for every experiment and so links little.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod failure;
mod phases;

fn main() -> ExitCode {
    ExitCode::from(failure::report(|| phases::run(&cli::Cli::parse())))
}
