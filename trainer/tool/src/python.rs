//! Python: what judges a module by the competition's rules, and proves that it answers as the model did.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Duration;

use dfr_contract::modality::Modality;
use dfr_export::config::Config;
use dfr_export::package;
use dfr_media::files::{FileError, at};
use serde::Deserialize;

use crate::phase::{Phase, PhaseError, Watcher};
use crate::settings::Settings;

/// What `make setup-python` makes in a repository.
const PREPARED: &str = "third_party/python/bin/python";
const NAME: &str = "python3";
/// What of the environment it needs. Keys are none of its business.
const KEPT: [&str; 4] = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"];
/// Of the rules, which only read.
const RULES_LIMIT: Duration = Duration::from_secs(60);
/// Of a proof: three batches on a CPU.
const PROOF_LIMIT: Duration = Duration::from_secs(1800);
/// How far answers may be from those of the model.
pub const TOLERANCE: f64 = 1e-4;

/// Why Python gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// There is none.
    #[error(
        "no python3 on PATH or at {PREPARED} (here and in the repository of dfr), which must check the module: \
         install one, make setup-python, or name one with --python"
    )]
    Missing,
    /// --python names nothing.
    #[error("--python {}: no such file", .0.display())]
    Named(PathBuf),
    /// It ended badly.
    #[error("{source}; it said:\n{said}")]
    Phase {
        /// How.
        source: PhaseError,
        /// Its output.
        said: String,
    },
    /// It printed something else.
    #[error("python printed no result but:\n{0}")]
    Output(String),
    /// The disk.
    #[error(transparent)]
    File(#[from] FileError),
}

/// An interpreter.
pub struct Python(PathBuf);

/// What came of comparing a submission's answers with the model's.
#[derive(Debug, PartialEq)]
pub enum Proof {
    /// Largest difference of a logit, by number of records; the version of torch.
    Differences(BTreeMap<u64, f64>, String),
    /// A library that is not there.
    Missing(String),
    /// It cannot be loaded or asked.
    Failed(String),
}

/// The script's line: one of the three.
#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    torch: String,
    differences: Option<BTreeMap<u64, f64>>,
    missing: Option<String>,
    error: Option<String>,
}

impl Python {
    /// The named interpreter, else that of `make setup-python`, else python3 on PATH.
    ///
    /// # Errors
    /// There is none.
    pub fn find(named: Option<&Path>, settings: &Settings) -> Result<Self, PythonError> {
        if let Some(named) = named {
            let found = named.is_file().then(|| Self(named.to_owned()));
            return found.ok_or_else(|| PythonError::Named(named.to_owned()));
        }
        let prepared = prepared(env::current_exe().ok().as_deref());
        prepared.or_else(|| settings.on_path(NAME)).map(Self).ok_or(PythonError::Missing)
    }

    /// What in a module breaks the competition's rules, a line each.
    ///
    /// # Errors
    /// It gave no verdict.
    pub fn broken_rules(&self, module: &Path) -> Result<Vec<String>, PythonError> {
        let mut command = self.command(dfr_export::RULES);
        command.arg(module);
        run(Phase {
            name: "the check of the rules",
            command,
            input: Stdio::null(),
            limit: RULES_LIMIT,
        })
    }

    /// Loads the submission in `dir` as the competition does and compares its answers.
    ///
    /// # Errors
    /// It gave no verdict.
    pub fn prove(&self, dir: &Path, config: &Config, answers: &Path) -> Result<Proof, PythonError> {
        write_loader(dir, config)?;
        let mut command = self.command(dfr_export::PROVE);
        command.arg(dir).arg(answers);
        let lines =
            run(Phase { name: "the proof", command, input: Stdio::null(), limit: PROOF_LIMIT })?;
        let reply = lines.last().and_then(|line| serde_json::from_str(line).ok());
        match reply {
            Some(Reply { differences: Some(differences), torch, .. }) => {
                Ok(Proof::Differences(differences, torch))
            }
            Some(Reply { missing: Some(library), .. }) => Ok(Proof::Missing(library)),
            Some(Reply { error: Some(reason), .. }) => Ok(Proof::Failed(reason)),
            _ => Err(PythonError::Output(lines.join("\n"))),
        }
    }

    /// Asks the submission in `model` about the records on `input`, which are of this shape;
    /// [`answers::of`](crate::answers::of) reads what it says. Pictures come 32 at a time, clips 4, sounds 16.
    pub fn asking(
        &self,
        model: &Path,
        (modality, shape): (Modality, &[u64]),
        input: Stdio,
        limit: Duration,
    ) -> Phase {
        let (kind, batch) = match modality {
            Modality::Image => ("uint8", 32),
            Modality::Video => ("uint8", 4),
            Modality::Audio => ("int16", 16),
        };
        let mut command = self.command(dfr_export::EXAM);
        command.arg(model).args([kind, &batch.to_string()]);
        command.args(shape.iter().map(u64::to_string));
        Phase { name: "the exam", command, input, limit }
    }

    /// A script with nothing of the user's own environment, and no network where that can be had.
    pub fn command(&self, script: &str) -> Command {
        let mut command = without_network(&self.0);
        command
            .env_clear()
            .envs(KEPT.into_iter().filter_map(|name| Some((name, env::var_os(name)?))));
        command.args(["-I", "-B", "-c", script]);
        command
    }
}

/// Below the working directory, else in the repository that `dfr` was built in: it is `target/release/dfr` there.
fn prepared(dfr: Option<&Path>) -> Option<PathBuf> {
    let repository = dfr.and_then(|dfr| dfr.ancestors().nth(3)).map(|root| root.join(PREPARED));
    [PathBuf::from(PREPARED)].into_iter().chain(repository).find(|path| path.is_file())
}

/// `unshare` gives a program a network of its own, which has nothing in it, where the kernel lets users.
fn without_network(program: &Path) -> Command {
    let unshare = |program: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net"]).arg(program);
        command
    };
    let quiet = |mut command: Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    let works = quiet(unshare(Path::new("true"))).is_ok_and(|status| status.success());
    if works {
        return unshare(program);
    }
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        eprintln!("note: users have no network of their own here: Python runs with the machine's");
    });
    Command::new(program)
}

/// What the script needs of the configuration: Python alone reads no YAML.
pub fn write_loader(dir: &Path, config: &Config) -> Result<(), FileError> {
    let path = dir.join("loader.json");
    let mut arguments = config.model.more.clone();
    arguments.insert("num_classes".to_owned(), config.model.num_classes.into());
    let loader = serde_json::json!({
        "weights_file": package::WEIGHTS,
        "dtype": config.dtype.as_deref().unwrap_or("float32"),
        "arguments": arguments,
    });
    fs::write(&path, loader.to_string()).map_err(at("write", &path))
}

/// Runs a program to its end and gives its lines.
fn run(phase: Phase) -> Result<Vec<String>, PythonError> {
    let mut lines = Lines::default();
    match phase.run(&mut lines) {
        Ok(_) => Ok(lines.0),
        Err(source) => Err(PythonError::Phase { source, said: lines.0.join("\n") }),
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl Watcher for Lines {
    fn line(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }

    fn tick(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_of_the_repository_is_found_from_anywhere() {
        let repository = tempfile::tempdir().unwrap();
        let dfr = repository.path().join("target/release/dfr");
        assert_eq!(prepared(Some(&dfr)), None);
        let python = repository.path().join(PREPARED);
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        fs::write(&python, "").unwrap();
        assert_eq!(prepared(Some(&dfr)), Some(python));
        assert_eq!(prepared(Some(Path::new("/dfr"))), None);
    }
}
