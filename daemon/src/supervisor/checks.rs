//! What a session needs and finds: task, repository, data, build, proposer. Makes nothing; names
//! what is missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;

use super::candidates::Candidates;
use super::opening::{self, Resumed, Terms};
use super::{legacy, private, question};
use crate::clock;
use crate::experiment::{Legacy, Spent, Usage};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::patch::Scope;
use crate::proposer::{
    Llm, LlmSettings, Patient, Playbook, Policy, Proposer, ProposerError, Scripted,
};
use crate::repository::{Repository, valid_tag};
use crate::session::Session;
use crate::settings::{ProposerChoice, Settings};
use crate::task::{Places, Task, expand_paths};

/// Longest wait for one answer of a model: long enough for one that thinks.
const LLM_TIMEOUT: Duration = Duration::from_secs(600);

/// Everything that was found to be there.
pub(super) struct Found {
    pub(super) terms: Terms,
    pub(super) tag: String,
    pub(super) repository: Repository,
    pub(super) scope: Scope,
    pub(super) base: String,
    pub(super) pack: PathBuf,
    pub(super) proposer: Patient,
    /// Why the endpoint gives no answer now, if it does not.
    pub(super) out: Option<ProposerError>,
    /// What trying it cost.
    pub(super) tried: Usage,
    /// What it takes over from another session.
    pub(super) legacy: Option<Legacy>,
}

impl Found {
    pub(super) fn candidates(&self) -> Candidates<'_> {
        Candidates { repository: &self.repository, scope: &self.scope, tag: &self.tag }
    }
}

/// Finds everything, or names the first thing that is missing. A session that is `known` goes on with
/// what it began with.
pub(super) async fn find(settings: &Settings, known: Option<&Resumed>) -> Result<Found, Failure> {
    let session = known.map(|known| &known.session);
    let terms = match session {
        Some(session) => Terms::of(session, settings)?,
        None => Terms::new(settings)?,
    };
    let task = &terms.task;
    if let Some(modality) = settings.modality.filter(|asked| *asked != task.modality) {
        let error = anyhow!("task {} is about {}, not {modality}", task.name, task.modality);
        return Err(Failure::new(Kind::Usage, error));
    }
    let tag = settings
        .tag
        .clone()
        .unwrap_or_else(|| format!("{}-{}", task.modality, clock::month_day(clock::wall_ms())));
    valid_tag(&tag).or_usage()?;
    let scope = Scope::new(&task.edit.paths).or_configuration()?;
    let repository = Repository::open(&settings.locations.repo).or_configuration()?;
    check_root(&settings.locations.repo, &repository)?;
    let legacy = match (session, &settings.from_tag) {
        (None, Some(from)) => Some(legacy::find(settings, &repository, (task, from)).await?),
        _ => None,
    };
    let base = match (session, &legacy) {
        (Some(session), _) => session.begun.base_commit.clone(),
        (None, Some(legacy)) => legacy.commit.clone(),
        (None, None) => repository.base(settings.base.as_deref()).or_configuration()?,
    };
    if session.is_none() {
        // A session that is there has its branch: the ledger knows more about both.
        opening::refuse_known(&settings.locations.ledger(), &tag).await?;
        check_branch(&repository, &tag)?;
    }
    let pack = match session {
        Some(session) => own_pack(settings, task, session)?,
        None => find_pack(settings, task)?,
    };
    let project = repository.root(&base).or_outside()?;
    let site = private::Site { pack: &pack, project: &project, tag: &tag };
    private::require_labels(settings, task, &site)?;
    private::check(settings, task, &site)?;
    check_build(settings, task)?;
    let fallback = settings.fallback.then(|| Box::new(Playbook::new(terms.seed)) as _);
    let primary = make_proposer(settings, terms.seed)?;
    let policy = Policy::waiting_at_most(settings.endpoint_probe);
    let mut proposer = Patient::new(primary, fallback, policy, terms.seed);
    let out = check_proposer(&mut proposer, known).await?;
    let is_new = known.is_none() && settings.caps.reached(Spent::default()).next().is_none();
    let tried = match is_new {
        true => proposer.try_out().await.map_err(unusable)?,
        false => Usage::default(),
    };
    Ok(Found { terms, tag, repository, scope, base, pack, proposer, out, tried, legacy })
}

/// Somebody watches a first start; a later one may be the service manager's, at night, which waits for
/// an endpoint that is out, and once there is something to go on with for whatever it says: a page of its
/// maintenance, or that a human has to pay. One that asked for patience is not asked before it is over.
async fn check_proposer(
    proposer: &mut Patient,
    known: Option<&Resumed>,
) -> Result<Option<ProposerError>, Failure> {
    if known.is_some_and(|known| known.rests) {
        return Ok(None);
    }
    let Err(error) = proposer.check().await else { return Ok(None) };
    let has_rows = known.is_some_and(|known| known.has_rows);
    match has_rows || (known.is_some() && error.is_outage()) {
        true => Ok(Some(error)),
        false => Err(unusable(error)),
    }
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

/// The session's branch must not be there, nor anything that git would not let stand beside it.
fn check_branch(repository: &Repository, tag: &str) -> Result<(), Failure> {
    let branch = format!("autoresearch/{tag}");
    if repository.branch_tip(&branch).or_configuration()?.is_some() {
        let error =
            anyhow!("branch {branch} exists already, and the ledger knows no session {tag}");
        return Err(Failure::new(Kind::Configuration, error)
            .hint("choose another --tag")
            .hint(format!("or give the branch another name: git branch -m {branch} NAME"))
            .hint("--state-dir names the place of another ledger"));
    }
    if let Some(other) = repository.in_the_way_of(&branch).or_configuration()? {
        let error = anyhow!("branch {other} is in the way of {branch}");
        return Err(Failure::new(Kind::Configuration, error)
            .hint(format!("give it another name: git branch -m {other} NAME")));
    }
    Ok(())
}

pub(super) fn find_pack(settings: &Settings, task: &Task) -> Result<PathBuf, Failure> {
    let link = task.pack_link(&settings.locations.cache);
    link.canonicalize().map_err(|_| {
        let error = anyhow!("no data for task {}: {} is not there", task.name, link.display());
        Failure::new(Kind::Configuration, error)
            .hint(format!("make it: dfr prepare --modality {}", task.modality))
            .hint(format!(
                "or try the loop on a small set: dfr prepare --sample --modality {}, \
                 then --task {}-sample",
                task.modality, task.modality
            ))
    })
}

/// The data that a session began with, beside newer ones: scores of others would not compare.
fn own_pack(settings: &Settings, task: &Task, session: &Session) -> Result<PathBuf, Failure> {
    let link = task.pack_link(&settings.locations.cache);
    let name = &session.begun.pack_hash;
    if let Ok(own) = link.with_file_name(name).canonicalize() {
        return Ok(own);
    }
    // Somebody may have it at another place.
    let newest = find_pack(settings, task)?;
    if newest.ends_with(name) {
        return Ok(newest);
    }
    let error = anyhow!(
        "the data that the session began with are gone: {} is not there",
        link.with_file_name(name).display()
    );
    Err(Failure::new(Kind::Configuration, error)
        .hint("put them back, or make them again of the same files and with the same shuffle.key")
        .hint("scores on other data would not compare: for those, start a new --tag"))
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

fn make_proposer(settings: &Settings, seed: u64) -> Result<Box<dyn Proposer>, Failure> {
    Ok(match &settings.proposer {
        ProposerChoice::Playbook => Box::new(Playbook::new(seed)),
        ProposerChoice::Optimiser => Box::new(Playbook::optimiser(seed)),
        ProposerChoice::Scripted(dir) => {
            Box::new(Scripted::from_directory(dir).or_configuration()?)
        }
        ProposerChoice::Llm { base_url, api_key, model } => {
            let llm = LlmSettings {
                base_url: base_url.clone(),
                api_key: api_key.0.clone(),
                model: model.clone(),
                timeout: LLM_TIMEOUT,
                max_answer_tokens: settings.max_answer_tokens,
            };
            let templates = question::templates(&settings.locations.repo)?;
            Box::new(Llm::new(llm).map_err(unusable)?.with_templates(templates))
        }
    })
}

fn unusable(error: ProposerError) -> Failure {
    let kind = if error.is_outage() { Kind::Outside } else { Kind::Configuration };
    let is_model = matches!(error, ProposerError::UnknownModel { .. });
    let failure = Failure::new(kind, error);
    let failure = match is_model {
        true => failure.hint("--model (DFR_MODEL) is to be a name that the endpoint lists"),
        false => failure,
    };
    failure
        .hint("the endpoint is OPENAI_BASE_URL, its key OPENAI_API_KEY, the model --model")
        .hint("or work without one: --proposer playbook")
}
