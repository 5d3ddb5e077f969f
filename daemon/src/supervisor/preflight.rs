//! Checks everything before anything is created, and names what is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use std::io::IsTerminal as _;
use tokio::sync::watch;
use tracing::{info, warn};

use super::heartbeat::Pulse;
use super::phases::PhaseClock;
use super::slot::{Slot, SlotError};
use super::{Session, StopLevel, opening};
use crate::clock;
use crate::experiment::Phase;
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook::Notebook;
use crate::patch::Scope;
use crate::proposer::{Llm, LlmSettings, Playbook, Proposer, ProposerError, Scripted};
use crate::repository::{Repository, valid_tag};
use crate::runner::{self, FileLock, Live, LockError};
use crate::settings::{ProposerChoice, Settings};
use crate::task::{Places, Task, expand, expand_paths};
use crate::telemetry;

/// Longest wait for one answer of a model: long enough for one that thinks.
const LLM_TIMEOUT: Duration = Duration::from_secs(600);

/// Everything that was found to be there.
pub(super) struct Found {
    pub(super) task: Task,
    pub(super) tag: String,
    pub(super) repository: Repository,
    scope: Scope,
    pub(super) base: String,
    pub(super) pack: PathBuf,
    proposer: Box<dyn Proposer>,
}

pub(super) async fn prepare(
    mut settings: Settings,
    stop: watch::Receiver<StopLevel>,
) -> Result<Session, Failure> {
    let filter = telemetry::Filter::parse(settings.log_filter.as_deref()).or_configuration()?;
    let found = find(&settings).await?;
    let ledger_path = settings.locations.state_dir.join("dfr.db");
    let known = opening::known(&ledger_path, &found, settings.resume).await?;
    if let Some(session) = &known {
        settings.budget_s = opening::budget_s(session, settings.budget_s)?;
    }
    let notebook = Notebook::new(&settings.locations.state_dir, &found.tag);
    refuse_second(&notebook, &found.tag)?;
    let project = found.repository.root(&found.base).or_outside()?;
    let slot = Slot::claim(&settings.locations.cache, &project[..12]).map_err(crowded)?;
    // From here on things are made.
    notebook.create().or_outside()?;
    let lock = FileLock::take(&notebook.lock()).map_err(|error| busy(error, &found.tag))?;
    telemetry::start(notebook.root(), &filter).or_outside()?;
    let ledger = Ledger::open(&ledger_path).await.or_outside()?;
    let (id, base, history) = match known {
        Some(session) => {
            let history = ledger.history(session.id).await.or_bug()?;
            (session.id, session.begun.base_commit, history)
        }
        None => opening::begin(&settings, &found, &ledger).await?,
    };
    let pulse = Pulse::start(ledger.clone(), id);
    info!(tag = found.tag, task = found.task.name, proposer = found.proposer.name(), "session");
    report_device();
    report_checkout(&found);
    let live = if std::io::stderr().is_terminal() { Live::Terminal } else { Live::Quiet };
    Ok(Session {
        settings,
        task: found.task,
        tag: found.tag,
        base,
        repository: found.repository,
        scope: found.scope,
        ledger,
        id,
        history,
        notebook,
        proposer: found.proposer,
        slot,
        pack: found.pack,
        stop,
        live,
        pulse,
        clock: PhaseClock::start(Phase::Record, clock::now()),
        _lock: lock,
    })
}

async fn find(settings: &Settings) -> Result<Found, Failure> {
    let task = Task::load(&settings.task).or_configuration()?;
    if let Some(modality) = settings.modality.filter(|asked| *asked != task.modality) {
        let error = anyhow!("task {} is about {}, not {modality}", task.name, task.modality);
        return Err(Failure::new(Kind::Usage, error));
    }
    let month_day = clock::month_day(clock::wall_ms());
    let tag = settings.tag.clone().unwrap_or_else(|| format!("{}-{month_day}", task.modality));
    valid_tag(&tag).or_usage()?;
    let scope = Scope::new(&task.edit.paths).or_configuration()?;
    let repository = Repository::open(&settings.locations.repo).or_configuration()?;
    check_root(&settings.locations.repo, &repository)?;
    let base = repository.base(settings.base.as_deref()).or_configuration()?;
    check_branch(settings, &repository, &tag)?;
    let pack = find_pack(settings, &task)?;
    check_build(settings, &task)?;
    let mut proposer = make_proposer(settings)?;
    proposer.check().await.map_err(unusable)?;
    Ok(Found { task, tag, repository, scope, base, pack, proposer })
}

/// Paths of the task and the place of the state are meant from the repository's root.
fn check_root(asked: &Path, repository: &Repository) -> Result<(), Failure> {
    let root = repository.path();
    let same = |a: &Path, b: &Path| a.canonicalize().ok() == b.canonicalize().ok();
    if same(asked, root) {
        return Ok(());
    }
    let error = anyhow!("{} is inside the repository {}", asked.display(), root.display());
    Err(Failure::new(Kind::Configuration, error)
        .hint(format!("start there, or give --repo {}", root.display())))
}

fn check_branch(settings: &Settings, repository: &Repository, tag: &str) -> Result<(), Failure> {
    let branch = format!("autoresearch/{tag}");
    if repository.branch_tip("autoresearch").or_configuration()?.is_some() {
        let error = anyhow!("branch autoresearch is in the way of {branch}");
        return Err(Failure::new(Kind::Configuration, error)
            .hint("give it another name: git branch -m autoresearch NAME"));
    }
    let exists = repository.branch_tip(&branch).or_configuration()?.is_some();
    if exists && !settings.resume {
        let error = anyhow!("branch {branch} exists already");
        return Err(Failure::new(Kind::Configuration, error)
            .hint(format!("go on with it: dfr-daemon --resume --tag {tag} …"))
            .hint("or choose another --tag"));
    }
    Ok(())
}

fn find_pack(settings: &Settings, task: &Task) -> Result<PathBuf, Failure> {
    let link = task.pack_link(&settings.locations.cache);
    let pack = link.canonicalize().map_err(|_| {
        let error = anyhow!("no data for task {}: {} is not there", task.name, link.display());
        Failure::new(Kind::Configuration, error)
            .hint(format!("make it: dfr prepare --modality {}", task.modality))
            .hint(format!(
                "or try the loop on a small set: dfr prepare --sample --modality {}, \
                 then --task {}-sample",
                task.modality, task.modality
            ))
    })?;
    let places = Places::from([("pack", pack.to_string_lossy().into_owned())]);
    let labels = expand(&task.score.labels, &places);
    std::fs::metadata(&labels).with_context(|| format!("labels {labels}")).or_configuration()?;
    Ok(pack)
}

/// What the build needs before it is worth starting: its program and its paths.
fn check_build(settings: &Settings, task: &Task) -> Result<(), Failure> {
    let repository = settings.locations.repo.to_string_lossy().into_owned();
    let places = Places::from([("repository", repository)]);
    for (name, path) in expand_paths(&task.paths, &places) {
        if !Path::new(&path).exists() {
            let error = anyhow!("{name}: {path} is not there");
            return Err(Failure::new(Kind::Configuration, error).hint("make setup puts it there"));
        }
    }
    let argv = task.commands.build.expand(&places);
    let program = argv.first().map_or("", String::as_str);
    let path = settings.child_environment.get("PATH").cloned().unwrap_or_default();
    let found = program.contains(['/', '{'])
        || std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if found {
        return Ok(());
    }
    let error = anyhow!("the build needs {program:?}, which is not on PATH");
    Err(Failure::new(Kind::Configuration, error))
}

fn make_proposer(settings: &Settings) -> Result<Box<dyn Proposer>, Failure> {
    Ok(match &settings.proposer {
        ProposerChoice::Playbook => Box::new(Playbook::new(settings.seed)),
        ProposerChoice::Scripted(dir) => {
            Box::new(Scripted::from_directory(dir).or_configuration()?)
        }
        ProposerChoice::Llm { base_url, api_key, model } => {
            let llm = LlmSettings {
                base_url: base_url.clone(),
                api_key: api_key.0.clone(),
                model: model.clone(),
                timeout: LLM_TIMEOUT,
                temperature: None,
            };
            Box::new(Llm::new(llm).map_err(unusable)?)
        }
    })
}

fn unusable(error: ProposerError) -> Failure {
    let kind = match error {
        ProposerError::Unavailable { .. } => Kind::Outside,
        _ => Kind::Configuration,
    };
    Failure::new(kind, error)
        .hint("the endpoint is OPENAI_BASE_URL, its key OPENAI_API_KEY, the model --model")
        .hint("or work without one: --proposer playbook")
}

/// A daemon that runs this session is told before anything else about it is looked at.
fn refuse_second(notebook: &Notebook, tag: &str) -> Result<(), Failure> {
    let path = notebook.lock();
    runner::is_held(&path)
        .map_or(Ok(()), |owner| Err(busy(LockError::Held { path, owner: owner.to_string() }, tag)))
}

fn crowded(error: SlotError) -> Failure {
    match error {
        SlotError::Busy(LockError::Held { .. }) => Failure::new(Kind::Configuration, error)
            .hint("wait for it, or stop it: dfr-daemon list, dfr-daemon stop --tag TAG"),
        _ => Failure::new(Kind::Outside, error),
    }
}

fn busy(error: LockError, tag: &str) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Kind::Configuration, error)
            .hint(format!("a daemon runs this session already: dfr-daemon status --tag {tag}")),
        LockError::Io { .. } => Failure::new(Kind::Outside, error),
    }
}

fn report_device() {
    if Path::new("/dev/nvidiactl").exists() {
        info!("device: NVIDIA GPU");
    } else {
        warn!("device: no NVIDIA GPU; training runs on the CPU");
    }
}

/// A branch moves under a human who has it checked out: their files stay, and so seem changed.
fn report_checkout(found: &Found) {
    let branch = format!("autoresearch/{}", found.tag);
    if found.repository.is_checked_out(&branch) {
        warn!(
            "{branch} is checked out: the branch moves and your files do not, so git will show \
             them as modified; `git switch main` avoids that"
        );
    }
}
