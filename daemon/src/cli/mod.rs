//! From the command line to an exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use dfr_contract::exit;

use crate::arguments::{Arguments, Command};
use crate::experiment::StopLevel;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::report::{self, Style};
use crate::settings::{Environment, Locations, Settings, SettingsError};
use crate::supervisor;
use crate::terminal::{self, Terminal};

mod certify;
mod deliver;
mod doctor;
mod inspect;
mod simulate;

/// The whole program.
pub fn main() -> ExitCode {
    let ended = dispatch(Arguments::of_process());
    let code = ended.unwrap_or_else(|failure| {
        let _ = writeln!(Terminal, "{failure}");
        failure.exit_code()
    });
    terminal::finish();
    ExitCode::from(code)
}

fn dispatch(arguments: Arguments) -> Result<u8, Failure> {
    let environment = Environment::read().map_err(classify)?;
    // One thread: children are tied to the life of the thread that starts them.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_outside()?;
    let Some(command) = arguments.command else {
        let settings = Settings::resolve(&arguments.places, &arguments.run, &environment);
        let settings = settings.map_err(classify)?;
        if settings.unattended {
            refuse_unattended(&arguments, &environment)?;
        }
        let level = runtime.block_on(supervisor::run(settings))?;
        return Ok(if level == StopLevel::Now { exit::INTERRUPTED } else { exit::OK });
    };
    let style = if std::io::stdout().is_terminal() { Style::COLOUR } else { Style::PLAIN };
    let places = &arguments.places;
    let (text, code) = match &command {
        Command::Doctor(flags) => {
            let asked = doctor::Asked { places, flags, environment: &environment };
            let checkup = doctor::checkup(asked)?;
            let refused = report::refuse_unattended(&checkup, flags.resume).is_some();
            let code = if refused { exit::CONFIGURATION } else { exit::OK };
            (report::doctor_text(&checkup, style), code)
        }
        Command::Recover { tag } => {
            let locations = Locations::resolve(places, &environment).map_err(classify)?;
            told(runtime.block_on(supervisor::recover(&locations, tag))?)
        }
        Command::Rollback { tag, to } => {
            let locations = Locations::resolve(places, &environment).map_err(classify)?;
            told(runtime.block_on(supervisor::roll_back(&locations, tag, *to))?)
        }
        Command::Rebuild { tag } => {
            let locations = Locations::resolve(places, &environment).map_err(classify)?;
            told(runtime.block_on(supervisor::rebuild(&locations, tag))?)
        }
        Command::Certify { runs, run } => {
            let told = certify::run((places, run, *runs), &environment, &runtime)?;
            (told, exit::OK)
        }
        Command::Evaluate(keep) => {
            let asked = (supervisor::Delivery::Evaluate, keep);
            (String::new(), deliver::run((places, asked), &environment, &runtime)?)
        }
        Command::Export(keep) => {
            let asked = (supervisor::Delivery::Export, keep);
            (String::new(), deliver::run((places, asked), &environment, &runtime)?)
        }
        Command::Full { times, skip_export, check, keep } => {
            let asked = (*times, !skip_export, keep);
            match check {
                true => (deliver::check((places, asked), &environment, &runtime)?, exit::OK),
                false => {
                    (String::new(), deliver::in_full((places, asked), &environment, &runtime)?)
                }
            }
        }
        Command::Push { tag, experiment, in_full, more } => {
            let keep = ((*experiment, *in_full), more.as_slice());
            (String::new(), deliver::push((places, tag), keep, &environment, &runtime)?)
        }
        Command::Simulate(flags) => (simulate::run(flags, style)?, exit::OK),
        Command::Inspect(command) => {
            let locations = Locations::resolve(places, &environment).map_err(classify)?;
            (runtime.block_on(inspect::run(command, &locations, style))?, exit::OK)
        }
    };
    // A reader that has gone away (`| head`) is not our failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(code)
}

/// What cannot be had again is the world's loss, not a failure of the command.
fn told(told: supervisor::Told) -> (String, u8) {
    (told.text, if told.is_whole { exit::OK } else { exit::OUTSIDE })
}

fn refuse_unattended(arguments: &Arguments, environment: &Environment) -> Result<(), Failure> {
    let asked = doctor::Asked { places: &arguments.places, flags: &arguments.run, environment };
    let lacks = report::refuse_unattended(&doctor::checkup(asked)?, arguments.run.resume);
    let Some(lacks) = lacks else { return Ok(()) };
    let error = anyhow::anyhow!("this is not fit for --unattended: {lacks}");
    Err(Failure::new(Kind::Configuration, error).hint("dfr-daemon doctor says what helps"))
}

fn classify(error: SettingsError) -> Failure {
    let kind = match error {
        SettingsError::Task
        | SettingsError::Tag
        | SettingsError::Model
        | SettingsError::Range { .. }
        | SettingsError::Cap { .. }
        | SettingsError::Containment(_)
        | SettingsError::Verdict(_)
        | SettingsError::NoiseRuns { .. }
        | SettingsError::CertifyRuns { .. }
        | SettingsError::Hour(_)
        | SettingsError::Share { .. }
        | SettingsError::UnknownProposer(_)
        | SettingsError::UnknownFallback(_) => Kind::Usage,
        _ => Kind::Configuration,
    };
    Failure::new(kind, error)
}
