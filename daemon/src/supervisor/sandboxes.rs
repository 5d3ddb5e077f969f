//! What each run of the trainer may see. Nothing but what is named here: not the repository, not
//! other experiments, not the part that it is scored on while it trains, never a vault.

use std::env;
use std::path::{Path, PathBuf};

use super::Session;
use super::work::Work;
use crate::failure::{Failure, OrFailure as _};
use crate::runner::{gpu_nodes, prepare_writable};
use crate::sandbox::{Code, Sandbox};
use crate::task::{Places, Task, expand, expand_paths};
use crate::tier::Tier;

impl Session {
    /// The sandbox that runs are in.
    pub(super) fn sealed(&self) -> Option<Tier> {
        (!self.settings.runs.unsealed).then(|| self.containment.tier())
    }

    pub(super) fn sandbox(&self, work: Work, places: &Places) -> Option<Sandbox> {
        self.sealed()?;
        let code = if work == Work::Build { Code::Trusted } else { Code::Candidate };
        let mut sandbox = system(code, work).writes(&self.slot.scratch);
        sandbox.writable.extend(self.output(work));
        sandbox.readable.insert(self.slot.tree.clone());
        sandbox.readable.extend(of_the_task(&self.task, places));
        Some(match work {
            Work::Build => self.building(sandbox),
            _ => self.running(sandbox, work, places).computes_on(gpu_nodes()),
        })
    }

    /// Makes what a run may write ready for the user that it is.
    pub(super) async fn hand_over(&self, work: Work) -> Result<(), Failure> {
        self.renew_scratch().await?;
        let target = (work == Work::Build).then(|| self.slot.target.clone());
        let own = [Some(self.slot.scratch.clone()), target, self.output(work)];
        let containment = self.containment.clone();
        let prepare =
            move || own.iter().flatten().try_for_each(|path| prepare_writable(path, &containment));
        self.aside(prepare).await.or_outside()
    }

    /// What a run left there must not stand in the way of the next.
    pub(super) async fn renew_scratch(&self) -> Result<(), Failure> {
        let slot = self.slot.clone();
        self.aside(move || slot.renew_scratch()).await.or_outside()
    }

    fn building(&self, mut sandbox: Sandbox) -> Sandbox {
        sandbox.readable.extend(self.toolchain.readable(&self.slot.tree));
        sandbox.writes(&self.slot.target)
    }

    fn running(&self, mut sandbox: Sandbox, work: Work, places: &Places) -> Sandbox {
        let path = |name| places.get(name).map(PathBuf::from);
        // A task that names no product runs what is in the target directory.
        let program = path("program").unwrap_or_else(|| self.slot.target.clone());
        sandbox.readable.insert(program);
        let part = match work {
            Work::Smoke | Work::Train => Some(self.pack.join("train")),
            Work::Predict | Work::HoldOut => path("inputs"),
            Work::Build | Work::Canary => None,
        };
        sandbox.readable.extend(part);
        if matches!(work, Work::Smoke | Work::Train) {
            sandbox.readable.extend(path("weights"));
        }
        if matches!(work, Work::Predict | Work::HoldOut) {
            sandbox.readable.extend(path("run"));
        }
        sandbox
    }
}

/// What a task names for all its runs: each path as it stands and where its links lead.
pub(super) fn of_the_task(task: &Task, places: &Places) -> Vec<PathBuf> {
    let named = expand_paths(&task.paths, places).into_iter().map(|(_, path)| path);
    let more = task.sandbox.readable.iter().map(|path| expand(path, places));
    named.chain(more).map(PathBuf::from).collect()
}

/// All of the system, or what a prediction needs of it where that is known.
fn system(code: Code, work: Work) -> Sandbox {
    let libraries = format!("{}-linux-gnu", env::consts::ARCH);
    let whole = Sandbox::system(code);
    match work {
        Work::Predict | Work::HoldOut if Path::new("/usr/lib").join(&libraries).is_dir() => {
            whole.predicts(&libraries)
        }
        _ => whole,
    }
}
