//! `dfr`: data, training by hand, and what comes of it.

mod answers;
mod audit;
mod cli;
mod clock;
mod completions;
mod download;
mod evaluate;
mod exam;
mod export;
mod failure;
mod full;
mod gascli;
mod pack;
mod phase;
mod prepare;
mod progress;
mod python;
mod seal;
mod settings;
mod task;
mod train;
mod trained;
mod weights;
mod worker;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = settings::Settings::from_environment();
    let done = match cli.command {
        Command::Prepare(request) => prepare::run(&request, &settings),
        Command::Seal(request) => seal::run(&request, &settings),
        Command::Audit(request) => audit::run(&request, &settings),
        Command::Train(request) => train::run(&request, &settings),
        Command::Evaluate(request) => evaluate::run(&request, &settings),
        Command::Export(request) => export::run(&request, &settings),
        Command::Exam(request) => exam::run(&request, &settings),
        Command::Full(request) => full::run(&request, &settings),
        Command::Push(request) => gascli::push::run(&request, &settings),
        Command::Perf(request) => gascli::perf::run(&request, &settings),
        Command::Weights(request) => weights::run(&request, &settings),
        Command::Completions(request) => completions::run(&request),
        Command::DecodeWorker => worker::run(),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("dfr: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
