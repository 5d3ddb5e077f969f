//! A keep in full: trained by its own program for hours on all the data that there is by now, in a
//! sandbox, then evaluated and exported. Begun again after anything, it goes on where it was.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use dfr_contract::{exit, predictions, resumed};
use tokio::sync::watch;

use super::desk::Desk;
use super::keep::{Keep, Run, text};
use super::progress::{EVALUATED, EXPORTED, TRAINED, is_begun, is_waiting, paths, place, tell};
use super::{LIMIT, hand_over, said, stop_at_once, trace};
use crate::experiment::StopLevel;
use crate::failure::{Failure, OrFailure as _};
use crate::notebook::write_atomic;
use crate::runner::level_times;
use crate::settings::Settings;
use crate::supervisor::checks::find_pack;
use crate::supervisor::preflight::crowded;
use crate::supervisor::room::PREDICTION_BYTES;
use crate::supervisor::slot::Slot;
use crate::task::{Command, Places, Task, expand};

/// Start-up, checkpoints, and the end of the last step.
const ALLOWANCE: Duration = Duration::from_secs(1800);
/// The data may be so many times more than when the task's limit was set.
const MORE_DATA: u32 = 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The keep; the best one where none is named.
    pub experiment: Option<u32>,
    /// Training time.
    pub budget: Duration,
    /// Training time between two checkpoints: what an interruption costs at most.
    pub checkpoint: Duration,
    /// Whether it is exported at the end.
    pub exports: bool,
}

/// Trains, evaluates and exports; `more` goes to the program that exports as it is. Says the exit code of
/// the last program that people trust, or that it was stopped.
///
/// # Errors
/// There is no such keep, nothing says how, another session trains on this machine, or a run fails.
pub async fn train_in_full(
    settings: &Settings,
    full: Full,
    more: &[String],
) -> Result<u8, Failure> {
    let keep = Keep::find(settings, full.experiment).await?;
    let Programs { evaluate, export, .. } = Programs::of(&keep.task)?;
    tell(&keep)?;
    let stop = stop_at_once()?;
    let desk = Desk::clear(&keep.notebook).await?;
    desk.write_task(&keep.task)?;
    let project = keep.lay_out(&desk)?;
    // The device is for one at a time.
    let slot = Slot::claim(&settings.locations.cache, &project).map_err(crowded)?;
    let places = places(&keep, &desk, full)?;
    let work = Work { keep: &keep, desk: &desk, slot: &slot, full, places, stop };
    if !(work.train().await? && work.predict().await?) {
        return Ok(exit::INTERRUPTED);
    }
    let evaluated = hand_over(evaluate, (&work.places, &[]), (LIMIT, work.stop.clone())).await?;
    work.note(EVALUATED, evaluated)?;
    if evaluated != exit::OK || !full.exports {
        return Ok(evaluated);
    }
    if !trace(&keep, &desk, (&work.places, work.stop.clone())).await? {
        return Ok(exit::INTERRUPTED);
    }
    let exported = hand_over(export, (&work.places, more), (LIMIT, work.stop.clone())).await?;
    work.note(EXPORTED, exported)?;
    Ok(exported)
}

/// What the task says of a full training.
pub(super) struct Programs<'a> {
    train: &'a Command,
    evaluate: &'a Command,
    export: &'a Command,
}

impl<'a> Programs<'a> {
    pub(super) fn of(task: &'a Task) -> Result<Self, Failure> {
        let (deliver, full) = (&task.deliver, task.commands.full.as_ref());
        Ok(Self {
            evaluate: said(task, "evaluate", deliver.evaluate.as_ref())?,
            export: said(task, "export", deliver.export.as_ref())?,
            train: said(task, "full", full)?,
        })
    }
}

/// The keep's own, but for the newest data and a place that outlives an interruption.
fn places(keep: &Keep<'_>, desk: &Desk, full: Full) -> Result<Places, Failure> {
    let n = keep.row.experiment;
    let newest = find_pack(keep.settings, &keep.task)?;
    let state = keep.notebook.root().canonicalize().or_outside()?;
    let all = state.join(format!("full-{n}"));
    let begun = |pack: &PathBuf| {
        let root = all.join(place(pack, full.budget));
        is_begun(&root) || is_waiting(&root, full)
    };
    // One that was cut short goes on with its own data: on newer ones it would begin anew, for all the hours.
    let packs = paths(newest.parent().unwrap_or(&newest))?.into_iter();
    let packs = packs.filter_map(|path| path.canonicalize().ok());
    let pack = packs.filter(|pack| *pack != newest).find(begun).unwrap_or(newest);
    let root = all.join(place(&pack, full.budget));
    std::fs::create_dir_all(&root).or_outside()?;
    eprintln!("data: {}", pack.display());
    let mut places = keep.places(desk);
    let seed = keep.session.begun.settings["seed"].as_u64().unwrap_or_default();
    places.extend([
        ("pack", text(&pack)),
        ("run", text(&root.join("run"))),
        ("budget_s", full.budget.as_secs().to_string()),
        ("checkpoint_s", full.checkpoint.as_secs().to_string()),
        ("seed", seed.to_string()),
        ("name", keep.name_in_full()),
        ("predictions", text(&desk.out("predictions").join(predictions::FILE))),
    ]);
    let inputs = expand(&keep.task.score.inputs, &places);
    places.insert("inputs", inputs);
    Ok(places)
}

struct Work<'a> {
    keep: &'a Keep<'a>,
    desk: &'a Desk,
    slot: &'a Slot,
    full: Full,
    places: Places,
    stop: watch::Receiver<StopLevel>,
}

impl Work<'_> {
    async fn train(&self) -> Result<bool, Failure> {
        let command = Programs::of(&self.keep.task)?.train;
        if !command.names("checkpoint_s") {
            eprintln!("how often a checkpoint is written is fixed by the session's task");
        }
        let run = self.of("run");
        let trained = run.with_file_name(TRAINED);
        if trained.exists() {
            eprintln!("trained already: {}", run.display());
            return Ok(true);
        }
        let train = Run {
            doing: "training",
            command,
            readable: vec![Path::new(&self.places["pack"]).join("train"), self.of("weights")],
            out: run,
            devices: true,
            limit: self.full.budget + ALLOWANCE,
            most_bytes: None,
        };
        let is_done = self.keep.run(self.desk, (&train, &self.places), self.stop.clone()).await;
        let is_done = is_done.map_err(|failure| self.with_way_out(failure))?;
        if is_done {
            self.note(TRAINED, exit::OK)?;
            // Hours of moments and averages, which nothing needs any more.
            drop(std::fs::remove_dir_all(self.of("run").join(resumed::DIR)));
        }
        Ok(is_done)
    }

    /// Says beside the training's directory what was done, if it was.
    fn note(&self, what: &str, code: u8) -> Result<(), Failure> {
        match code {
            exit::OK => write_atomic(&self.of("run").with_file_name(what), b"").or_outside(),
            _ => Ok(()),
        }
    }

    /// A loss that is not finite, say, comes again on the way from the checkpoint before it.
    fn with_way_out(&self, failure: Failure) -> Failure {
        let resume = self.of("run").join(resumed::DIR);
        if !resume.is_dir() {
            return failure;
        }
        failure.hint(format!(
            "begun again it goes on from its last checkpoint; where that ends the same way, remove {} to begin anew",
            resume.display()
        ))
    }

    async fn predict(&self) -> Result<bool, Failure> {
        let out = self.desk.out("predictions");
        let mut places = self.places.clone();
        places.insert("out", text(&out));
        let predict = Run {
            doing: "predicting",
            command: &self.keep.task.commands.predict,
            readable: vec![self.of("inputs"), self.of("run")],
            out,
            devices: true,
            limit: Duration::from_secs(self.keep.task.budget.predict_s) * MORE_DATA,
            most_bytes: Some(PREDICTION_BYTES),
        };
        // What it reads stays in memory: the next session begins with what it does then.
        self.slot.set_level(false).or_outside()?;
        let is_done = self.keep.run(self.desk, (&predict, &places), self.stop.clone()).await;
        self.level();
        is_done
    }

    /// What stays of the model tells nothing of what the prediction saw: a later candidate may ask for times of
    /// files that it cannot read.
    fn level(&self) {
        let at = u64::try_from(self.keep.row.decided_at_ms).unwrap_or(0);
        let (run, at) = (self.of("run"), UNIX_EPOCH + Duration::from_millis(at));
        if let Err(error) = level_times(&run, at) {
            eprintln!("warning: the times of {} cannot be set: {error}", run.display());
        }
    }

    fn of(&self, place: &str) -> PathBuf {
        PathBuf::from(&self.places[place])
    }
}
