//! What the trainer is run for, and what each of these runs is given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Session;
use crate::experiment::Phase;
use crate::failure::{Failure, OrFailure as _};
use crate::runner::{MARK, remove_written};
use crate::settings::Settings;
use crate::task::{Command, Places, Task, expand, expand_paths};

/// What a program of the task is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Makes the product from the tree.
    Build,
    /// One forward and backward step.
    Smoke,
    /// Trains for the budget.
    Train,
    /// Predicts the part that decides.
    Predict,
    /// Predicts the part that decides nothing.
    HoldOut,
    /// Computes on the device what is known.
    Canary,
}

impl Work {
    /// The phase that it is a part of.
    pub(super) fn phase(self) -> Phase {
        match self {
            Self::Build | Self::Smoke | Self::Canary => Phase::Build,
            Self::Train => Phase::Train,
            Self::Predict => Phase::Predict,
            Self::HoldOut => Phase::Holdout,
        }
    }
}

impl Session {
    pub(super) fn command(&self, work: Work) -> Option<&Command> {
        let commands = &self.task.commands;
        match work {
            Work::Build => Some(&commands.build),
            Work::Smoke => Some(&commands.smoke),
            Work::Train => Some(&commands.train),
            Work::Predict | Work::HoldOut => Some(&commands.predict),
            Work::Canary => commands.canary.as_ref(),
        }
    }

    /// The one directory that a run leaves something in, where it has one.
    pub(super) fn output(&self, work: Work) -> Option<PathBuf> {
        let n = self.history.current();
        match work {
            Work::Build | Work::Smoke | Work::Canary => None,
            Work::Train => Some(self.notebook.run(n)),
            Work::Predict => Some(self.notebook.out(n)),
            Work::HoldOut => Some(self.notebook.holdout(n)),
        }
    }

    /// Makes that directory anew: nothing of an earlier attempt is in it.
    pub(super) async fn clear_output(&self, work: Work) -> Result<(), Failure> {
        let Some(directory) = self.output(work) else { return Ok(()) };
        let anew = move || {
            remove_written(&directory)?;
            std::fs::create_dir_all(&directory)
        };
        self.aside(anew).await.or_outside()
    }

    /// Placeholders of the task's commands.
    pub(super) fn places(&self, work: Work) -> Places {
        let n = self.history.current();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let out =
            if work == Work::HoldOut { self.notebook.holdout(n) } else { self.notebook.out(n) };
        let mut places = BTreeMap::from([
            ("repository", text(&self.settings.locations.repo)),
            ("tree", text(&self.slot.tree)),
            ("target", text(&self.slot.target)),
            ("pack", text(&self.pack)),
            ("weights", text(&self.settings.locations.weights())),
            ("run", text(&self.notebook.run(n))),
            ("out", text(&out)),
            ("preset", self.task.preset.clone()),
            ("budget_s", self.budget.as_secs().to_string()),
            ("seed", self.history.seed(self.seed).to_string()),
        ]);
        let inputs = match (&self.task.score.holdout, work) {
            (Some(holdout), Work::HoldOut) => &holdout.inputs,
            _ => &self.task.score.inputs,
        };
        places.insert("inputs", expand(inputs, &places));
        if let Some(product) = &self.task.commands.product {
            let kept = match work {
                // The base's own build, which no experiment has.
                Work::Canary => expand(product, &places),
                _ => text(&self.notebook.program(n)),
            };
            places.insert("program", kept);
        }
        places
    }
}

/// The environment of every run of a task; its mark tells whose it is.
pub(super) fn common_environment(
    settings: &Settings,
    task: &Task,
    (places, mark): (&Places, &str),
) -> BTreeMap<String, String> {
    let mut environment = settings.child_environment.clone();
    environment.extend(task.environment.clone());
    environment.extend(expand_paths(&task.paths, places));
    // So that CUDA counts devices as their driver does.
    environment.insert("CUDA_DEVICE_ORDER".to_owned(), "PCI_BUS_ID".to_owned());
    environment.insert(MARK.to_owned(), mark.to_owned());
    environment
}

/// Where a run in a sandbox has its home and its temporary files.
pub(super) fn at_home(scratch: &Path) -> [(String, String); 2] {
    let scratch = scratch.to_string_lossy();
    ["HOME", "TMPDIR"].map(|name| (name.to_owned(), scratch.clone().into_owned()))
}
