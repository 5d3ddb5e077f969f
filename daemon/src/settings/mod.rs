//! Flags, then environment, then `dfr.toml`, into one immutable value.
//!
//! The only room that reads the environment; everything else is handed what it needs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dfr_contract::modality::Modality;
use serde::Deserialize;

use crate::arguments::{Places, RunFlags};
use crate::experiment::{Caps, Rule};
use crate::price::{Price, PriceError, Prices};

mod caps;
mod environment;
mod evidence;
mod runs;

pub use environment::Environment;
pub use evidence::{CERTIFY_RUNS, Evidence, usual_noise_runs};
pub use runs::Runs;

/// Where a session and its data live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locations {
    /// The user's repository.
    pub repo: PathBuf,
    /// Ledger and files for people.
    pub state_dir: PathBuf,
    /// Packs, weights and build products.
    pub cache: PathBuf,
}

impl Locations {
    /// The ledger of all sessions.
    pub fn ledger(&self) -> PathBuf {
        self.state_dir.join("dfr.db")
    }

    /// Public checkpoints that models start from.
    pub fn weights(&self) -> PathBuf {
        self.cache.join("weights")
    }
}

/// Who proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposerChoice {
    /// A model behind an OpenAI-compatible endpoint.
    Llm {
        /// Base address, ending before `/chat/completions`.
        base_url: String,
        /// Its key.
        api_key: Secret,
        /// Model name.
        model: String,
    },
    /// Single-knob ideas, no model.
    Playbook,
    /// Settings of all knobs, by a model of the scores.
    Optimiser,
    /// Replies from files.
    Scripted(PathBuf),
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Everything the loop is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Places.
    pub locations: Locations,
    /// Task name or file; a resumed session knows its own.
    pub task: Option<String>,
    /// The modality that was asked for, to be checked against the task's.
    pub modality: Option<Modality>,
    /// Session name, when given.
    pub tag: Option<String>,
    /// Commit to start from.
    pub base: Option<String>,
    /// Session whose champion and notes to start from.
    pub from_tag: Option<String>,
    /// Go on with an existing session.
    pub resume: bool,
    /// Training budget in seconds, when not the task's.
    pub budget_s: Option<u64>,
    /// Rows after which the loop stops.
    pub max_experiments: Option<u32>,
    /// Who proposes.
    pub proposer: ProposerChoice,
    /// Whether anybody is asked for proposals.
    pub asks: bool,
    /// Whether the playbook proposes while the endpoint is out.
    pub fallback: bool,
    /// Tokens of one answer of the model at most.
    pub max_answer_tokens: Option<u32>,
    /// What the model's tokens cost, where that is known.
    pub price: Option<Price>,
    /// Seed of every random draw, when given.
    pub seed: Option<u64>,
    /// Time between TERM and KILL.
    pub grace: Duration,
    /// What the session may spend, as far as this start says.
    pub caps: Caps,
    /// Forget what earlier starts said of that.
    pub no_caps: bool,
    /// What is asked of a candidate before it is believed.
    pub evidence: Evidence,
    /// What a run may use and how it is kept together.
    pub runs: Runs,
    /// Room that is kept back for a full disk, in MiB, when not the usual.
    pub ballast_mib: Option<u64>,
    /// Refuse to start where a loop must not be left alone.
    pub unattended: bool,
    /// Experiments between two backups of the ledger.
    pub backup_every: u32,
    /// The GPUs that runs may see, as CUDA_VISIBLE_DEVICES has it.
    pub visible_gpus: Option<String>,
    /// NVML's library, when not the system's.
    pub nvml: Option<OsString>,
    /// Where the service manager listens, and how often it wants a sign of life.
    pub service: (Option<String>, Option<Duration>),
    /// Crashes in a row after which the incumbent is measured again.
    pub crash_limit: u32,
    /// First time until something outside that failed is looked at again; it doubles from there.
    pub look: Duration,
    /// First time until a GPU or an environment that failed is tried again; it doubles from there.
    pub probe: Duration,
    /// Longest time until an endpoint that failed is asked again, unless it names a longer one.
    pub endpoint_probe: Duration,
    /// Log filter.
    pub log_filter: Option<String>,
    /// What children may see of our environment.
    pub child_environment: BTreeMap<String, String>,
}

/// `dfr.toml`; the names are those of the flags.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    repo: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    modality: Option<Modality>,
    task: Option<String>,
    base: Option<String>,
    budget_s: Option<u64>,
    max_experiments: Option<u32>,
    proposer: Option<String>,
    model: Option<String>,
    base_url: Option<String>,
    seed: Option<u64>,
    grace_s: Option<u64>,
    crash_limit: Option<u32>,
    look_s: Option<u64>,
    probe_s: Option<u64>,
    endpoint_probe_s: Option<u64>,
    max_usd: Option<f64>,
    max_tokens: Option<u64>,
    max_answer_tokens: Option<u32>,
    max_gpu_hours: Option<f64>,
    max_hours: Option<f64>,
    max_disk_gib: Option<f64>,
    fallback: Option<String>,
    verdict: Option<String>,
    noise_runs: Option<u32>,
    again_share: Option<f64>,
    certify: Option<u32>,
    certify_at: Option<String>,
    prices: Prices,
    containment: Option<String>,
    run_as: Option<u32>,
    memory_gib: Option<f64>,
    processes: Option<u64>,
    file_gib: Option<f64>,
    run_gib: Option<f64>,
    floor_mib: Option<u64>,
    ballast_mib: Option<u64>,
    backup_every: Option<u32>,
    unattended: bool,
}

/// What is missing or cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The configuration file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration file cannot be understood.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// An environment variable cannot be understood.
    #[error("environment variable {name}={value:?} is not {expected}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be.
        expected: &'static str,
    },
    /// Neither a task nor a modality.
    #[error("what shall be improved? give --modality image, video or audio (or --task)")]
    Task,
    /// Which session to go on with.
    #[error("which session shall go on? give --tag (dfr-daemon list shows them)")]
    Tag,
    /// A number that makes no sense.
    #[error("{name} is {value}; it must be from 1 to {most}")]
    Range {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: u64,
        /// The largest that makes sense.
        most: u64,
    },
    /// A cap that makes no sense.
    #[error("{name} is {value}; it must be a number above 0")]
    Cap {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// A word that names no rule.
    #[error("unknown verdict {0:?}: choose strict, yield or confirmed")]
    Verdict(String),
    /// A rule that needs to know the noise, and nothing to learn it from.
    #[error(
        "--verdict {rule} needs to know by how much scores differ by chance: noise_runs must be at least {least}"
    )]
    NoiseRuns {
        /// The rule.
        rule: Rule,
        /// The fewest runs that tell.
        least: u32,
    },
    /// Too few runs to tell anything.
    #[error("--certify must be at least {least}: one run does not tell what it owes to chance")]
    CertifyRuns {
        /// The fewest runs that tell.
        least: u32,
    },
    /// No time of day.
    #[error("--certify-at {0:?} is no time of day, such as 07:30")]
    Hour(String),
    /// A share that is none.
    #[error("{name} is {value}; it must be from 0 to 1")]
    Share {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// A word that names no tier.
    #[error("containment {0:?}: choose auto, full or container")]
    Containment(String),
    /// `.env` cannot be understood.
    #[error(".env: {0}")]
    DotEnv(String),
    /// Nobody to propose.
    #[error(
        "nobody proposes: set OPENAI_API_KEY (or the credential openai_api_key) for an LLM, or choose --proposer playbook"
    )]
    Proposer,
    /// An LLM without a model name.
    #[error("which model? give --model NAME (or DFR_MODEL, or model in dfr.toml)")]
    Model,
    /// A word that names no proposer.
    #[error("unknown proposer {0:?}: choose llm, playbook, optimiser or scripted:<DIR>")]
    UnknownProposer(String),
    /// A word that names no fallback.
    #[error("unknown fallback {0:?}: the one there is, is playbook")]
    UnknownFallback(String),
    /// Dollars are capped and nobody knows what is paid.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// No home directory to put a cache in.
    #[error("neither DFRESEARCH_CACHE nor HOME is set: where shall the cache be?")]
    Cache,
}

impl Locations {
    /// Resolves the places.
    ///
    /// # Errors
    /// A configuration file that cannot be read or understood; no cache directory.
    pub fn resolve(places: &Places, environment: &Environment) -> Result<Self, SettingsError> {
        let file = File::load(places.config.as_deref())?;
        Self::merge(places, environment, &file)
    }

    fn merge(places: &Places, env: &Environment, file: &File) -> Result<Self, SettingsError> {
        let path = |name| env.get(name).map(PathBuf::from);
        let repo = places.repo.clone().or_else(|| path("DFR_REPO")).or_else(|| file.repo.clone());
        let repo = absolute(&repo.unwrap_or_else(|| PathBuf::from(".")));
        let state_dir = places
            .state_dir
            .clone()
            .or_else(|| path("DFR_STATE_DIR"))
            .or_else(|| file.state_dir.clone())
            .map_or_else(|| repo.join("state"), |dir| absolute(&dir));
        let cache = path("DFRESEARCH_CACHE")
            .map(|cache| env.expand_home(&cache))
            .or_else(|| path("HOME").map(|home| home.join(".cache/dfresearch")))
            .ok_or(SettingsError::Cache)?;
        Ok(Self { repo, state_dir, cache: absolute(&cache) })
    }
}

impl Settings {
    /// Resolves everything for the loop.
    ///
    /// # Errors
    /// What is missing or cannot be understood, by name.
    pub fn resolve(
        places: &Places,
        flags: &RunFlags,
        env: &Environment,
    ) -> Result<Self, SettingsError> {
        let file = File::load(places.config.as_deref())?;
        let text = |name, file: &Option<String>| env.get(name).or_else(|| file.clone());
        let modality = match (flags.modality, env.get("DFR_MODALITY")) {
            (None, Some(word)) => Some(word.parse().map_err(|_| SettingsError::Variable {
                name: "DFR_MODALITY",
                value: word,
                expected: "image, video or audio",
            })?),
            (flag, _) => flag.or(file.modality),
        };
        let task = flags.task.clone().or_else(|| text("DFR_TASK", &file.task));
        let task = task.or_else(|| modality.map(|m| m.to_string()));
        if task.is_none() && !flags.resume {
            return Err(SettingsError::Task);
        }
        let tag = flags.tag.clone().or_else(|| env.get("DFR_TAG"));
        if tag.is_none() && flags.resume {
            return Err(SettingsError::Tag);
        }
        let budget_s = flags.budget_s.or(env.number("DFR_BUDGET_S")?).or(file.budget_s);
        let max_experiments = flags.max_experiments.or(file.max_experiments);
        let who = flags.proposer.clone().or_else(|| text("DFR_PROPOSER", &file.proposer));
        let model = flags.model.clone().or_else(|| text("DFR_MODEL", &file.model));
        let proposer = choose(who.as_deref(), model, env, &file)?;
        let caps = caps::resolve(flags, &file)?;
        Ok(Self {
            locations: Locations::merge(places, env, &file)?,
            task,
            modality,
            tag,
            base: flags.base.clone().or_else(|| text("DFR_BASE", &file.base)),
            from_tag: flags.from_tag.clone(),
            resume: flags.resume,
            budget_s: within("budget_s", budget_s, BUDGET_MOST_S)?,
            max_experiments: within("max_experiments", max_experiments, u32::MAX)?,
            fallback: fallback(flags.fallback.as_deref().or(file.fallback.as_deref()))?,
            max_answer_tokens: within(
                "max_answer_tokens",
                flags.max_answer_tokens.or(file.max_answer_tokens),
                u32::MAX,
            )?,
            price: caps::price_of(&proposer, &file.prices, caps)?,
            proposer,
            asks: true,
            seed: flags.seed.or(env.number("DFR_SEED")?).or(file.seed),
            grace: seconds("grace_s", env.number("DFR_GRACE_S")?.or(file.grace_s), 10)?,
            caps,
            no_caps: flags.no_caps,
            evidence: evidence::resolve(flags, &file)?,
            runs: runs::resolve(flags, env, &file)?,
            ballast_mib: env.number("DFR_BALLAST_MIB")?.or(file.ballast_mib),
            unattended: flags.unattended || file.unattended,
            backup_every: within("backup_every", file.backup_every, u32::MAX)?
                .unwrap_or(BACKUP_EVERY),
            visible_gpus: env.get("CUDA_VISIBLE_DEVICES"),
            nvml: env.get("DFR_NVML").map(OsString::from),
            service: (env.notify_socket(), env.watchdog()?),
            crash_limit: within("crash_limit", file.crash_limit, u32::MAX)?.unwrap_or(CRASH_LIMIT),
            look: seconds("look_s", file.look_s, 1)?,
            probe: seconds("probe_s", file.probe_s, 30)?,
            endpoint_probe: seconds("endpoint_probe_s", file.endpoint_probe_s, 300)?,
            log_filter: env.get("RUST_LOG"),
            child_environment: env.for_children(),
        })
    }
}

/// Longest training budget that is not a slip of the finger: a year.
const BUDGET_MOST_S: u64 = 365 * 24 * 3600;
/// Longest grace or first wait: a day.
const SECONDS_MOST: u64 = 24 * 3600;
/// A backup costs milliseconds.
const BACKUP_EVERY: u32 = 25;
/// Crashes in a row that are no accident.
const CRASH_LIMIT: u32 = 5;

fn within<T: Into<u64> + Copy>(
    name: &'static str,
    value: Option<T>,
    most: T,
) -> Result<Option<T>, SettingsError> {
    match value.map(Into::into) {
        Some(found) if !(1..=most.into()).contains(&found) => {
            Err(SettingsError::Range { name, value: found, most: most.into() })
        }
        _ => Ok(value),
    }
}

fn seconds(
    name: &'static str,
    given: Option<u64>,
    default: u64,
) -> Result<Duration, SettingsError> {
    Ok(Duration::from_secs(within(name, given, SECONDS_MOST)?.unwrap_or(default)))
}

impl Settings {
    /// What is written down with a session, for people. No secret is in it; an address may hold one.
    pub fn told(&self) -> serde_json::Value {
        let proposer = match &self.proposer {
            ProposerChoice::Llm { model, .. } => format!("llm {model}"),
            ProposerChoice::Playbook => "playbook".to_owned(),
            ProposerChoice::Optimiser => "optimiser".to_owned(),
            ProposerChoice::Scripted(dir) => format!("scripted {}", dir.display()),
        };
        serde_json::json!({
            "task": self.task,
            "proposer": proposer,
            "max_experiments": self.max_experiments,
            "grace_s": self.grace.as_secs(),
        })
    }
}

fn choose(
    who: Option<&str>,
    model: Option<String>,
    env: &Environment,
    file: &File,
) -> Result<ProposerChoice, SettingsError> {
    let key = env.get("OPENAI_API_KEY");
    match (who, key) {
        (Some("playbook"), _) => Ok(ProposerChoice::Playbook),
        (Some("optimiser"), _) => Ok(ProposerChoice::Optimiser),
        (None | Some("llm"), None) => Err(SettingsError::Proposer),
        (None | Some("llm"), Some(key)) => Ok(ProposerChoice::Llm {
            base_url: env
                .get("OPENAI_BASE_URL")
                .or_else(|| file.base_url.clone())
                .unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
            api_key: Secret(key),
            model: model.ok_or(SettingsError::Model)?,
        }),
        (Some(other), _) => match other.strip_prefix("scripted:") {
            Some(dir) => Ok(ProposerChoice::Scripted(PathBuf::from(dir))),
            None => Err(SettingsError::UnknownProposer(other.to_owned())),
        },
    }
}

/// The one proposer that needs nothing from outside.
fn fallback(who: Option<&str>) -> Result<bool, SettingsError> {
    match who {
        None => Ok(false),
        Some("playbook") => Ok(true),
        Some(other) => Err(SettingsError::UnknownFallback(other.to_owned())),
    }
}

impl File {
    fn load(named: Option<&Path>) -> Result<Self, SettingsError> {
        let path = named.unwrap_or(Path::new("dfr.toml"));
        if named.is_none() && !path.exists() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| SettingsError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().collect()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
