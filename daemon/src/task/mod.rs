//! A task as data: what is compared, what may be edited, how a candidate is built, run and scored.
//!
//! Nothing about any modality is written into the loop; a task file says it all. Built-in tasks
//! come from the contract, others from a TOML file of the same form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dfr_contract::input::{InputSpec, Source};
use dfr_contract::modality::Modality;
use dfr_contract::pack::file;
use dfr_contract::tasks;
use serde::Deserialize;

mod command;

pub use command::{Command, Places, expand, expand_paths};

/// Everything the loop knows about what it optimises.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Name, also in the ledger.
    pub name: String,
    /// Kind of media.
    pub modality: Modality,
    /// The recipe preset that the trainer runs.
    pub preset: String,
    /// The records that every experiment of a session starts from.
    pub input: InputSpec,
    /// What a proposal may change.
    pub edit: Edit,
    /// Limits of the phases.
    pub budget: Budget,
    /// Command lines, with placeholders.
    pub commands: Commands,
    /// Environment variables that hold a path.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
    /// Further environment variables of the commands.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What runs may read beyond the tree, the data and the system.
    #[serde(default)]
    pub sandbox: Readable,
    /// How predictions become a score.
    pub score: Scoring,
    /// What is done with a keep afterwards, by programs that people trust.
    #[serde(default)]
    pub deliver: Deliver,
    /// The text that this was read from: what a session writes down and goes on with.
    #[serde(skip)]
    pub text: String,
}

/// The editable room.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Globs relative to the repository; `**` crosses directories.
    pub paths: Vec<String>,
    /// The file whose constants are tuned first.
    pub recipe: String,
}

/// Limits, in seconds but for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Training time, from the first step.
    pub train_s: u64,
    /// Building.
    pub build_s: u64,
    /// The smoke step.
    pub smoke_s: u64,
    /// Prediction, start-up included; in a sealed session also held against the baseline's.
    pub predict_s: u64,
    /// Device memory, in GiB, above which a candidate that takes more than the incumbent is warned of.
    #[serde(default = "soft_vram_gib")]
    pub soft_vram_gib: u64,
}

fn soft_vram_gib() -> u64 {
    40
}

/// Argument vectors; the first element is the program.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Makes the trainer from the exported tree.
    pub build: Command,
    /// One forward and backward step.
    pub smoke: Command,
    /// The program that building makes. It is kept with its experiment, and stands for `{program}`.
    #[serde(default)]
    pub product: Option<String>,
    /// Trains for the budget.
    pub train: Command,
    /// Writes the predictions.
    pub predict: Command,
    /// Computes something with a known answer on the device, where the trainer can; exit code 7 is
    /// a wrong answer. Run after a fault, never from a candidate's build.
    #[serde(default)]
    pub canary: Option<Command>,
    /// Trains for hours, and goes on where it was when it is begun again.
    #[serde(default)]
    pub full: Option<Command>,
    /// Writes down what the model computes, for [`Deliver::export`].
    #[serde(default)]
    pub trace: Option<Command>,
}

/// Programs that people trust, run outside of any sandbox on what a keep left. A name without a directory
/// is looked for beside the daemon, then on the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// Tells what a keep is worth, from its predictions.
    pub evaluate: Option<Command>,
    /// Writes a keep in the form in which others run it, from its trace.
    pub export: Option<Command>,
    /// Submits a keep's archive, and notes that in `{submissions}`.
    pub push: Option<Command>,
}

/// Additions to what runs may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readable {
    /// Files and directories, with placeholders: an interpreter, libraries, tools of the build.
    pub readable: Vec<String>,
}

/// From predictions to a row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// The part that decides, with placeholders: what `{inputs}` stands for when it is predicted.
    #[serde(default = "validation")]
    pub inputs: String,
    /// Its label file, with placeholders; only the daemon reads it.
    pub labels: String,
    /// Which data set each record came from, with placeholders; only the daemon reads it.
    #[serde(default)]
    pub sources: Option<String>,
    /// The part that decides nothing and that no proposer is told of.
    #[serde(default)]
    pub holdout: Option<Holdout>,
    /// Whether the trainer scores itself. What it claims is compared with the official scores then;
    /// otherwise it has no business to print scores at all.
    #[serde(default)]
    pub claims: bool,
    /// The score that decides; higher is better.
    pub objective: String,
    /// Columns of results.tsv between `commit` and `memory_gb`.
    pub columns: Vec<String>,
}

/// A part that is predicted for every keep.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holdout {
    /// What `{inputs}` stands for then, with placeholders.
    pub inputs: String,
    /// Label file, with placeholders; only the daemon reads it.
    pub labels: String,
}

fn validation() -> String {
    "{pack}/validation".to_owned()
}

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No task has this name.
    #[error("no task is called {name:?}; built in: {known}; a file's name ends in .toml")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read task file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a task.
    #[error("task {name}: {source}")]
    Parse {
        /// Name or path.
        name: String,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
}

impl Task {
    /// A built-in task by name, or the task in a file when the name ends in `.toml`.
    ///
    /// # Errors
    /// An unknown name, an unreadable file, a text that is not a task.
    pub fn load(name: &str) -> Result<Self, TaskError> {
        if !name.ends_with(".toml") {
            return Self::parse(name, tasks::built_in(name).ok_or_else(|| absent(name))?);
        }
        let path = PathBuf::from(name);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| TaskError::Read { path: path.clone(), source })?;
        Self::parse(name, &text)
    }

    /// The task in a text; `name` is for messages.
    ///
    /// # Errors
    /// The text is not a task.
    pub fn parse(name: &str, text: &str) -> Result<Self, TaskError> {
        let task: Self = toml::from_str(text).map_err(|source| TaskError::Parse {
            name: name.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self { text: text.to_owned(), ..task })
    }

    /// The link to the newest pack of this task's input, below the cache root.
    pub fn pack_link(&self, cache: &Path) -> PathBuf {
        let root = match self.input.source {
            Source::Downloaded => cache.to_owned(),
            Source::Sample => cache.join("sample"),
        };
        root.join("packs").join(self.modality.as_str()).join(self.input.name()).join(file::CURRENT)
    }
}

fn absent(name: &str) -> TaskError {
    let known = tasks::BUILT_IN.map(|(known, _)| known).join(", ");
    TaskError::Unknown { name: name.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_task_is_whole() {
        for (name, _) in tasks::BUILT_IN {
            let task = Task::load(name).unwrap();
            assert_eq!(task.name, name);
            let splits = task.input.splits;
            assert_eq!(splits.train + splits.validation + splits.holdout, 100, "{name}");
            assert_eq!(task.score.columns[0], task.score.objective, "{name}");
        }
    }

    #[test]
    fn a_task_that_is_not_there_names_those_that_are() {
        let message = Task::load("vidoe").unwrap_err().to_string();
        assert!(message.contains("\"vidoe\"") && message.contains("audio-sample"), "{message}");
    }

    #[test]
    fn every_modality_has_a_task_of_its_own_and_one_on_the_sample_set() {
        for modality in Modality::ALL {
            let of =
                |name: String| Task::load(&name).map(|task| (task.modality, task.input.source));
            assert_eq!(of(modality.to_string()).unwrap(), (modality, Source::Downloaded));
            assert_eq!(of(format!("{modality}-sample")).unwrap(), (modality, Source::Sample));
        }
    }

    #[test]
    fn a_task_may_have_a_canary() {
        let video = Task::load("video").unwrap();
        let argv = video
            .commands
            .canary
            .unwrap()
            .expand(&Places::from([("program", "/t/dfr-train".into())]));
        assert_eq!(argv, ["/t/dfr-train", "canary"]);
        let text: Vec<_> = video.text.lines().filter(|line| !line.starts_with("canary")).collect();
        assert_eq!(Task::parse("x", &text.join("\n")).unwrap().commands.canary, None);
        let empty = video.text.replace("\"{program}\", \"canary\"", "");
        assert!(Task::parse("x", &empty).is_err());
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_line() {
        let text = tasks::BUILT_IN[0].1.replace("train_s", "train_sec");
        let message = Task::parse("x", &text).unwrap_err().to_string();
        assert!(message.contains("train_sec") && message.contains("line"), "{message}");
    }
}
