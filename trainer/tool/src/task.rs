//! What `dfr` needs of a task: its input, its preset and its limits.

use std::fs;
use std::time::Duration;

use dfr_contract::input::{InputSpec, Source};
use dfr_contract::modality::Modality;
use dfr_contract::tasks;
use serde::Deserialize;

/// The sections that are read here; the daemon reads the others.
#[derive(Debug, Deserialize)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What finds it again: its name, or the whole path of its file.
    #[serde(skip)]
    pub named: String,
    /// Kind of media.
    pub modality: Modality,
    /// Default preset of `dfr-train`.
    pub preset: String,
    /// What a record holds.
    pub input: InputSpec,
    /// Limits of the phases.
    pub budget: Budget,
}

/// Limits of the phases, in seconds.
#[derive(Debug, Deserialize)]
pub struct Budget {
    /// Default time budget of training.
    pub train_s: u64,
    /// Limit of prediction.
    pub predict_s: u64,
}

impl Budget {
    /// Limit of prediction.
    pub fn predict(&self) -> Duration {
        Duration::from_secs(self.predict_s)
    }
}

/// Why a task cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No such task.
    #[error("unknown task {name:?}: choose {}, or a file whose name ends in .toml", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// A file that cannot be read, or is no task.
    #[error("task file {name}: {why}")]
    File {
        /// The file.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A task of another modality.
    #[error("task {task} is about {found}, not {asked}")]
    Modality {
        /// The task.
        task: String,
        /// Its modality.
        found: Modality,
        /// The one on the command line.
        asked: Modality,
    },
    /// A task of other data.
    #[error("task {task} is not about {wanted} data: leave --task out, or change --sample")]
    Source {
        /// The task.
        task: String,
        /// What the command line asked for.
        wanted: &'static str,
    },
}

/// A task as it is written down: a file by its whole path.
pub fn named(name: &str) -> String {
    let file = name.ends_with(".toml").then(|| fs::canonicalize(name).ok()).flatten();
    file.map_or_else(|| name.to_owned(), |file| file.to_string_lossy().into_owned())
}

fn names() -> String {
    tasks::BUILT_IN.map(|(name, _)| name).join(", ")
}

impl Task {
    /// The task of that name, the one in that file when the name ends in `.toml`, or the modality's
    /// default one.
    ///
    /// # Errors
    /// Unknown, unreadable, or of another modality.
    pub fn find(name: Option<&str>, modality: Modality, source: Source) -> Result<Self, TaskError> {
        let default = match source {
            Source::Downloaded => modality.to_string(),
            Source::Sample => format!("{modality}-sample"),
        };
        let name = name.unwrap_or(&default);
        let task = if name.ends_with(".toml") { Self::read(name)? } else { Self::built_in(name)? };
        Self { named: named(name), ..task }.require_modality(modality)
    }

    /// Refuses a task of another kind of media.
    ///
    /// # Errors
    /// Names both.
    pub fn require_modality(self, asked: Modality) -> Result<Self, TaskError> {
        if self.modality == asked {
            return Ok(self);
        }
        Err(TaskError::Modality { task: self.name, found: self.modality, asked })
    }

    /// The task in a text, which is called `name` in a message.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(name: &str, text: &str) -> Result<Self, TaskError> {
        let wrong = |error: toml::de::Error| TaskError::File {
            name: name.to_owned(),
            why: error.to_string(),
        };
        let task: Self = toml::from_str(text).map_err(wrong)?;
        Ok(Self { named: task.name.clone(), ..task })
    }

    fn built_in(name: &str) -> Result<Self, TaskError> {
        let unknown = || TaskError::Unknown { name: name.to_owned() };
        let text = tasks::built_in(name).ok_or_else(unknown)?;
        Ok(toml::from_str(text).expect("built-in tasks are valid: tested"))
    }

    fn read(name: &str) -> Result<Self, TaskError> {
        let wrong = |error: std::io::Error| TaskError::File {
            name: name.to_owned(),
            why: error.to_string(),
        };
        Self::parse(name, &fs::read_to_string(name).map_err(wrong)?)
    }

    /// Refuses a task whose records come from other data than the command line asked for.
    ///
    /// # Errors
    /// Names the task.
    pub fn require_source(self, source: Source) -> Result<Self, TaskError> {
        if self.input.source == source {
            return Ok(self);
        }
        let wanted = match source {
            Source::Downloaded => "downloaded",
            Source::Sample => "sample",
        };
        Err(TaskError::Source { task: self.name, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_task_is_found_by_its_name_and_its_shares_add_up() {
        for (name, text) in tasks::BUILT_IN {
            let task: Task = toml::from_str(text).unwrap();
            let shares = task.input.splits;
            assert_eq!(task.name, name);
            assert_eq!(shares.train + shares.validation + shares.holdout, 100, "{name}");
        }
    }

    #[test]
    fn the_default_follows_modality_and_source() {
        for modality in Modality::ALL {
            let name = |source| Task::find(None, modality, source).unwrap().name;
            assert_eq!(name(Source::Downloaded), modality.as_str());
            assert_eq!(name(Source::Sample), format!("{modality}-sample"));
        }
    }

    #[test]
    fn a_task_may_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        let find = || Task::find(file.to_str(), Modality::Video, Source::Sample);
        assert!(find().unwrap_err().to_string().contains("mine.toml: No such file"));
        let text = tasks::built_in("video").unwrap();
        fs::write(&file, text.replace("name = \"video\"", "name = \"mine\"")).unwrap();
        assert_eq!(find().unwrap().name, "mine");
        fs::write(&file, "name = 1").unwrap();
        assert!(find().unwrap_err().to_string().contains("expected a string"));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_choices() {
        let find = |name, modality| Task::find(name, modality, Source::Sample).unwrap_err();
        assert_eq!(
            find(Some("vidoe"), Modality::Video).to_string(),
            "unknown task \"vidoe\": choose image, image-sample, video, video-sample, audio, audio-sample, \
             or a file whose name ends in .toml"
        );
        assert!(matches!(find(Some("video"), Modality::Image), TaskError::Modality { .. }));
        let task = Task::find(Some("video"), Modality::Video, Source::Sample).unwrap();
        assert!(task.require_source(Source::Sample).is_err());
    }
}
