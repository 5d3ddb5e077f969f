//! How a session begins or goes on: what it fixes so that its scores compare, and where that stands
//! in the ledger.

use std::io::Write as _;
use std::path::Path;

use anyhow::anyhow;
use serde_json::Value;

use super::checks::Found;
use super::device::{GPU, Gpus};
use super::legacy;
use crate::clock;
use crate::experiment::{Caps, Entry, History, Rule, Usage};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::{Ledger, LedgerError};
use crate::price::PriceError;
use crate::session::{NewSession, Session};
use crate::settings::{ProposerChoice, Settings, usual_noise_runs};
use crate::task::Task;
use crate::terminal::Terminal;

/// Seed of a session when nobody names one.
const SEED: u64 = 42;

/// A session that goes on.
pub(super) struct Resumed {
    pub(super) session: Session,
    /// An experiment of it was decided.
    pub(super) has_rows: bool,
    /// Its endpoint had asked for patience, and has still to be left alone.
    pub(super) rests: bool,
}

/// What every experiment of a session has in common.
pub(super) struct Terms {
    pub(super) task: Task,
    /// Training budget in seconds.
    pub(super) budget_s: u64,
    /// Seed of every random draw.
    pub(super) seed: u64,
    /// What a candidate must show.
    pub(super) rule: Rule,
    /// Times that the first incumbent is measured again.
    pub(super) noise_runs: u32,
}

impl Terms {
    /// Of a session that begins.
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        let task = load(settings.task.as_deref().unwrap_or_default())?;
        let budget_s = settings.budget_s.unwrap_or(task.budget.train_s);
        let rule = settings.evidence.rule.unwrap_or_default();
        let noise_runs = settings.evidence.noise_runs.unwrap_or_else(|| usual_noise_runs(rule));
        Ok(Self { task, budget_s, seed: settings.seed.unwrap_or(SEED), rule, noise_runs })
    }

    /// Of a session that goes on: those it began with. Others may not be asked for.
    pub(super) fn of(session: &Session, settings: &Settings) -> Result<Self, Failure> {
        let begun = &session.begun;
        let task = begun.recorded_task().or_configuration()?;
        if let Some(name) = &settings.task {
            let asked = load(name)?;
            check_same(&task.name, &asked.name, "task")?;
            // The built-in one may be another in another version; the session keeps its own.
            if name.ends_with(".toml") {
                check_same(&task.text, &asked.text, "task file")?;
            }
        }
        let number = |name: &str, asked: Option<u64>, default| {
            let began_with = begun.settings[name].as_u64().or(asked).unwrap_or(default);
            check_same(&began_with.to_string(), &asked.unwrap_or(began_with).to_string(), name)?;
            Ok::<_, Failure>(began_with)
        };
        let budget_s = number("budget_s", settings.budget_s, task.budget.train_s)?;
        let seed = number("seed", settings.seed, SEED)?;
        let (rule, noise_runs) = evidence(begun);
        let asked = settings.evidence;
        check_same(rule.as_str(), asked.rule.unwrap_or(rule).as_str(), "verdict")?;
        let asked_runs = asked.noise_runs.unwrap_or(noise_runs);
        check_same(&noise_runs.to_string(), &asked_runs.to_string(), "noise_runs")?;
        Ok(Self { task, budget_s, seed, rule, noise_runs })
    }
}

/// What a session asks of its candidates; those of an early daemon asked for a higher score.
pub(super) fn evidence(begun: &NewSession) -> (Rule, u32) {
    let rule = begun.settings["verdict"].as_str().and_then(Rule::named).unwrap_or_default();
    let runs = begun.settings["noise_runs"].as_u64().and_then(|runs| runs.try_into().ok());
    (rule, runs.unwrap_or(0))
}

/// Whether a search that stands still is asked to go another way: those that ask no model have ways of
/// their own.
pub(super) fn rethinks(begun: &NewSession) -> bool {
    begun.settings["proposer"].as_str().is_some_and(|who| who.starts_with("llm "))
}

fn load(name: &str) -> Result<Task, Failure> {
    Task::load(name).map_err(|error| {
        let unknown = matches!(error, crate::task::TaskError::Unknown { .. });
        Failure::new(if unknown { Kind::Usage } else { Kind::Configuration }, error)
    })
}

/// The session that shall go on. Changes nothing.
pub(super) async fn resumed(ledger: &Path, tag: &str) -> Result<Resumed, Failure> {
    session(ledger, tag).await?.ok_or_else(|| {
        let error = anyhow!("the ledger knows no session {tag}");
        Failure::new(Kind::Configuration, error)
            .hint("start it without --resume; dfr-daemon list shows those that can go on")
    })
}

/// A tag that the ledger knows is not begun again. Changes nothing.
pub(super) async fn refuse_known(ledger: &Path, tag: &str) -> Result<(), Failure> {
    if session(ledger, tag).await?.is_none() {
        return Ok(());
    }
    let error = anyhow!("the ledger knows session {tag} already");
    Err(Failure::new(Kind::Configuration, error)
        .hint("go on with it (--resume) or choose another --tag"))
}

async fn session(ledger: &Path, tag: &str) -> Result<Option<Resumed>, Failure> {
    // Without a ledger there may still be copies of one, to make it from.
    if !ledger.parent().is_some_and(Path::exists) {
        return Ok(None);
    }
    let (ledger, restored) = Ledger::open_checked(ledger).await.or_outside()?;
    if let Some(restored) = restored {
        // The log of the session is not open yet.
        let _ = writeln!(Terminal, "{restored}");
    }
    let known = known(&ledger, tag).await.or_outside();
    ledger.close().await;
    known
}

async fn known(ledger: &Ledger, tag: &str) -> Result<Option<Resumed>, LedgerError> {
    let Some(session) = ledger.session(tag).await? else { return Ok(None) };
    let has_rows = ledger.history(session.id).await?.decided().next().is_some();
    let beat = ledger.heartbeat(session.id).await?;
    let rests = beat.is_some_and(|beat| !beat.postponed(clock::wall_ms()).is_zero());
    Ok(Some(Resumed { session, has_rows, rests }))
}

/// Writes a new session down.
pub(super) async fn begin(
    settings: &Settings,
    found: &Found,
    (ledger, gpus): (&Ledger, &Gpus),
) -> Result<(i64, String, History), Failure> {
    let mut told = settings.told();
    told[GPU] = gpus.has_gpu.into();
    told["budget_s"] = found.terms.budget_s.into();
    told["seed"] = found.terms.seed.into();
    told["verdict"] = found.terms.rule.as_str().into();
    told["noise_runs"] = found.terms.noise_runs.into();
    if let Some(legacy) = &found.legacy {
        told[legacy::FROM_TAG] = serde_json::to_value(legacy).or_bug()?;
    }
    told["task_text"] = Value::from(found.terms.task.text.clone());
    let new = NewSession {
        tag: found.tag.clone(),
        task: found.terms.task.name.clone(),
        modality: found.terms.task.modality,
        base_commit: found.base.clone(),
        pack_hash: pack_hash(&found.pack),
        repository: settings.locations.repo.clone(),
        settings: told,
        created_at_ms: clock::wall_ms(),
    };
    let session = ledger.create_session(&new).await.or_outside()?;
    let mut history = History::default();
    if found.tried != Usage::default() {
        let (usage, at_ms) = (found.tried, clock::wall_ms());
        let cost_usd = settings.price.map_or(0.0, |price| price.cost_usd(usage));
        let tried = Entry::Tried { usage, cost_usd };
        ledger.append(session.id, history.current(), &tried, at_ms).await.or_outside()?;
        history.apply(history.current(), &tried, at_ms).or_bug()?;
    }
    legacy::inherit(ledger, &session, &mut history).await?;
    Ok((session.id, session.begun.base_commit, history))
}

/// What a session may spend: what this start names, and of the rest what an earlier one did.
pub(super) fn caps(settings: &Settings, history: &History) -> Result<Caps, Failure> {
    let kept = if settings.no_caps { Caps::default() } else { history.caps };
    let caps = settings.caps.or(kept);
    match &settings.proposer {
        ProposerChoice::Llm { model, .. } if caps.usd.is_some() && settings.price.is_none() => {
            Err(PriceError::Unknown { model: model.clone() }).or_configuration()
        }
        _ => Ok(caps),
    }
}

/// The content hash of the data: the name of the pack's directory.
fn pack_hash(pack: &Path) -> String {
    pack.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Scores of one session are comparable only when nothing under them changes.
fn check_same(before: &str, now: &str, what: &str) -> Result<(), Failure> {
    if before == now {
        return Ok(());
    }
    let error = match before.lines().nth(1) {
        None => anyhow!("this session's {what} is {before}, not {now}"),
        Some(_) => anyhow!("this session's {what} has changed since it began"),
    };
    Err(Failure::new(Kind::Configuration, error)
        .hint("scores would not compare; leave it out to go on as it began, or start a new --tag"))
}
