//! What becomes of a keep once the night is over. Its own program, as it was built then, is run once more
//! in a sandbox, and what that leaves is handed to a program of the task that people trust. Nothing of
//! the session changes: its daemon may be at work meanwhile, but for a full training.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use dfr_contract::exit;
use tokio::sync::watch;

use super::stop;
use crate::experiment::StopLevel;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::runner;
use crate::settings::Settings;
use crate::task::{Command, Places, Task};

mod check;
mod desk;
mod full;
mod keep;
mod progress;
mod push;

pub use check::check_in_full;
pub use full::{Full, train_in_full};
pub use push::submit;

use desk::Desk;
use keep::{Keep, Run, require_files};

/// Two traces of the largest model and three batches on a slow CPU.
const TRACE_LIMIT: Duration = Duration::from_secs(1800);
/// The most that a trace may be: graphs without their weights, their constants, and a few records.
const TRACE_BYTES: u64 = 8 << 30;
/// Checking, proving and packing.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Tell what it is worth, from the predictions that were scored.
    Evaluate,
    /// Write it in the form in which others run it.
    Export,
}

/// Delivers a keep, the best one where none is named; `more` goes to the trusted program as it is. Says
/// that program's exit code, or that it was stopped.
///
/// # Errors
/// There is no such keep, nothing says how, or something of it is gone or was changed.
pub async fn deliver(
    settings: &Settings,
    delivery: Delivery,
    (experiment, more): (Option<u32>, &[String]),
) -> Result<u8, Failure> {
    let keep = Keep::find(settings, experiment).await?;
    let of_the_task = &keep.task.deliver;
    let command = match delivery {
        Delivery::Evaluate => said(&keep.task, "evaluate", of_the_task.evaluate.as_ref())?,
        Delivery::Export => said(&keep.task, "export", of_the_task.export.as_ref())?,
    };
    let stop = stop_at_once()?;
    let desk = Desk::clear(&keep.notebook).await?;
    desk.write_task(&keep.task)?;
    let places = keep.places(&desk);
    if delivery == Delivery::Export {
        keep.lay_out(&desk)?;
        if !trace(&keep, &desk, (&places, stop.clone())).await? {
            return Ok(exit::INTERRUPTED);
        }
    }
    hand_over(command, (&places, more), (LIMIT, stop)).await
}

/// What the task says of how to do this to a keep.
fn said<'a>(
    task: &Task,
    doing: &str,
    command: Option<&'a Command>,
) -> Result<&'a Command, Failure> {
    command.ok_or_else(|| {
        let error = anyhow!("task {} does not say how to {doing} a keep", task.name);
        Failure::new(Kind::Configuration, error)
            .hint(format!("a session whose task has {doing} under [deliver] can"))
    })
}

/// Has the keep's program write down what the model in `{run}` computes.
async fn trace(
    keep: &Keep<'_>,
    desk: &Desk,
    (places, stop): (&Places, watch::Receiver<StopLevel>),
) -> Result<bool, Failure> {
    let Some(command) = &keep.task.commands.trace else {
        let error = anyhow!("task {} has no trace under [commands]", keep.task.name);
        return Err(Failure::new(Kind::Configuration, error));
    };
    let run = PathBuf::from(&places["run"]);
    let trace = Run {
        doing: "tracing",
        command,
        readable: vec![run.clone()],
        out: PathBuf::from(&places["out"]),
        devices: false,
        limit: TRACE_LIMIT,
        most_bytes: Some(TRACE_BYTES),
    };
    let is_done = keep.run(desk, (&trace, places), stop).await?;
    require_files(&run)?;
    Ok(is_done)
}

/// A signal, the first one too, ends what is at work: nobody waits for an experiment here.
fn stop_at_once() -> Result<watch::Receiver<StopLevel>, Failure> {
    let mut heard = stop::listen().or_outside()?;
    let (raise, raised) = watch::channel(StopLevel::Continue);
    tokio::spawn(async move {
        while heard.changed().await.is_ok() {
            let level = (*heard.borrow()).max(StopLevel::AbandonRun);
            eprintln!("stopping");
            raise.send_replace(level);
        }
    });
    Ok(raised)
}

/// Runs a program that people trust.
async fn hand_over(
    command: &Command,
    (places, more): (&Places, &[String]),
    (limit, stop): (Duration, watch::Receiver<StopLevel>),
) -> Result<u8, Failure> {
    let argv = [command.expand(places), more.to_vec()].concat();
    runner::run_trusted(&argv, limit, stop).await.or_outside()
}
