//! `dfr`: data, and training by hand.

mod cli;
mod failure;
mod phase;
mod prepare;
mod progress;
mod settings;
mod task;
mod train;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = settings::Settings::from_environment();
    let done = match cli.command {
        Command::Prepare(request) => prepare::run(&request, &settings),
        Command::Train(request) => train::run(&request, &settings),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("dfr: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
