//! `dfr-train`: the phases of one experiment. It is rebuilt for every experiment and so links little.

use std::process::ExitCode;

use clap::Parser as _;

mod cli;
mod exportable;
mod failure;
mod patience;
mod phases;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    patience::ensure();
    ExitCode::from(failure::report(|| phases::run(&cli)))
}
