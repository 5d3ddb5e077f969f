//! A keep, and runs of the program that was built for it.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use dfr_contract::pack::Part;
use dfr_contract::predictions;
use tokio::sync::watch;

use super::desk::Desk;
use crate::experiment::{History, Row, RunOutcome, StopLevel};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook::{Notebook, first_that_is_no_file};
use crate::report::short;
use crate::repository::{Repository, valid_tag};
use crate::runner::{self, Execution, Live, ResourceLimits, prepare_writable};
use crate::sandbox::{Code, Sandbox};
use crate::session::Session;
use crate::settings::Settings;
use crate::supervisor::preflight::{contain, resources};
use crate::supervisor::room::floor_mib;
use crate::supervisor::sandboxes::of_the_task;
use crate::supervisor::work::{at_home, common_environment};
use crate::supervisor::{known, private};
use crate::task::{Command, Places, Task};

/// A keep and what belongs to it.
pub(super) struct Keep<'a> {
    pub(super) settings: &'a Settings,
    pub(super) session: Session,
    pub(super) task: Task,
    pub(super) notebook: Notebook,
    pub(super) row: Row,
}

/// One run of its program.
pub(super) struct Run<'a> {
    /// In a message: what failed.
    pub(super) doing: &'static str,
    pub(super) command: &'a Command,
    /// What it sees beside what all runs see.
    pub(super) readable: Vec<PathBuf>,
    /// The directory that it leaves something in.
    pub(super) out: PathBuf,
    pub(super) devices: bool,
    pub(super) limit: Duration,
    /// The most that it may write, where that is known.
    pub(super) most_bytes: Option<u64>,
}

impl<'a> Keep<'a> {
    /// The keep of this number, or the best one.
    pub(super) async fn find(
        settings: &'a Settings,
        experiment: Option<u32>,
    ) -> Result<Self, Failure> {
        let tag = settings.tag.clone().unwrap_or_default();
        valid_tag(&tag).or_usage()?;
        let ledger = known::ledger(&settings.locations.ledger()).await?;
        let session = known::session(&ledger, &tag).await?;
        let history = ledger.history(session.id).await.or_outside()?;
        ledger.close().await;
        let row = kept(&history, (&tag, experiment))?.clone();
        let task = session.begun.recorded_task().or_configuration()?;
        let notebook = Notebook::new(&settings.locations.state_dir, &tag);
        Ok(Self { settings, session, task, notebook, row })
    }

    /// Placeholders where it is worked on.
    pub(super) fn places(&self, desk: &Desk) -> Places {
        let mut places = self.own_places();
        places.extend([
            ("tree", text(&desk.tree())),
            ("target", text(&desk.scratch())),
            ("out", text(&desk.out("trace"))),
            ("task", text(&desk.task())),
        ]);
        places
    }

    /// Placeholders: of its trained model, of the data that it was scored on.
    pub(super) fn own_places(&self) -> Places {
        let n = self.row.experiment;
        let locations = &self.settings.locations;
        let pack =
            self.task.pack_link(&locations.cache).with_file_name(&self.session.begun.pack_hash);
        let shape: Vec<_> =
            self.task.input.record_shape(Part::Validation).iter().map(u64::to_string).collect();
        BTreeMap::from([
            ("repository", text(&locations.repo)),
            ("pack", text(&pack)),
            ("weights", text(&locations.weights())),
            ("program", text(&self.notebook.program(n))),
            ("run", text(&self.notebook.run(n))),
            ("preset", self.task.preset.clone()),
            ("predictions", text(&self.notebook.experiment(n).join(predictions::FILE))),
            ("name", self.name()),
            ("shape", shape.join(",")),
        ])
    }

    fn name(&self) -> String {
        format!("{}-{}", self.session.begun.tag, self.row.experiment)
    }

    /// The name of what was trained of it in full.
    pub(super) fn name_in_full(&self) -> String {
        self.name() + "-full"
    }

    /// Puts its tree on the desk, once it is found to be sound. Says the name of the repository's root commit.
    pub(super) fn lay_out(&self, desk: &Desk) -> Result<String, Failure> {
        let (repository, project) = self.examine()?;
        repository.export(&self.row.commit, &desk.tree()).or_outside()?;
        Ok(project)
    }

    /// Sees that its program is the one that was built then, and that made what was scored, and that no run of it
    /// would see what is private. Says the repository and the name of its root commit.
    pub(super) fn examine(&self) -> Result<(Repository, String), Failure> {
        let Row { experiment: n, program, commit, .. } = &self.row;
        let is_its = |sha256: &String| self.notebook.has_program(*n, sha256);
        if self.task.commands.product.is_some() && !program.as_ref().is_some_and(is_its) {
            let (path, commit) = (self.notebook.program(*n), short(commit));
            let path = path.display();
            let error = anyhow!("{path} is not the program of experiment {n} ({commit}) any more");
            return Err(Failure::new(Kind::Outside, error)
                .hint("another keep may have its own: --experiment N"));
        }
        let repository = Repository::open(&self.settings.locations.repo).or_configuration()?;
        let project = repository.root(&self.session.begun.base_commit).or_outside()?;
        let pack = self.task.pack_link(&self.settings.locations.cache);
        let site = private::Site { pack: &pack, project: &project, tag: &self.session.begun.tag };
        private::check(self.settings, &self.task, &site)?;
        Ok((repository, project))
    }

    /// Runs its program in a sandbox, where there is to be one, to a good end; or says that a human stopped
    /// it.
    pub(super) async fn run(
        &self,
        desk: &Desk,
        (run, places): (&Run<'_>, &Places),
        stop: watch::Receiver<StopLevel>,
    ) -> Result<bool, Failure> {
        let execution = self.execution(desk, run, places)?;
        let live = if std::io::stderr().is_terminal() { Live::Terminal } else { Live::Quiet };
        let report = runner::run(&execution, live, stop).await.or_outside()?;
        if report.outcome == RunOutcome::Cancelled {
            return Ok(false);
        }
        if report.outcome != RunOutcome::Finished {
            let (n, outcome, tail) = (self.row.experiment, report.outcome, report.tail);
            let error = anyhow!("{} experiment {n}: {outcome}\n{tail}", run.doing);
            let log = execution.log.display();
            return Err(Failure::new(Kind::Outside, error).hint(format!("its log is {log}")));
        }
        require_files(&run.out)?;
        Ok(true)
    }

    fn execution(&self, desk: &Desk, run: &Run<'_>, places: &Places) -> Result<Execution, Failure> {
        let containment = contain(self.settings)?;
        let scratch = desk.scratch();
        for own in [&scratch, &run.out] {
            prepare_writable(own, &containment).or_outside()?;
        }
        let mut sandbox = Sandbox::system(Code::Candidate).writes(&scratch).writes(&run.out);
        sandbox.readable.extend(["tree", "program"].map(|name| PathBuf::from(&places[name])));
        sandbox.readable.extend(of_the_task(&self.task, places));
        sandbox.readable.extend(run.readable.clone());
        if run.devices {
            sandbox = sandbox.computes_on(runner::gpu_nodes());
        }
        let mut environment = common_environment(self.settings, &self.task, (places, &desk.mark()));
        environment.extend(at_home(&scratch));
        let log = self.notebook.experiment(self.row.experiment).join(format!("{}.log", run.doing));
        Ok(Execution {
            argv: run.command.expand(places),
            directory: desk.tree(),
            environment,
            log,
            started_line: None,
            telltale: None,
            deadline: run.limit,
            grace: self.settings.grace,
            limits: self.limits(run.most_bytes),
            containment,
            sandbox: (!self.settings.runs.unsealed).then_some(sandbox),
        })
    }
}

impl Keep<'_> {
    /// As for the loop: it ends before the disk is full, and sooner where less will do.
    fn limits(&self, most_bytes: Option<u64>) -> ResourceLimits {
        let limits = resources(self.settings);
        let least = |limit: Option<u64>| limit.into_iter().chain(most_bytes).min();
        ResourceLimits {
            file_bytes: least(limits.file_bytes),
            directory_bytes: least(limits.directory_bytes),
            free_bytes: Some((floor_mib(self.settings) / 2) << 20),
            ..limits
        }
    }
}

pub(super) fn text(path: &Path) -> String {
    path.canonicalize().unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// The keep that is meant.
fn kept<'a>(
    history: &'a History,
    (tag, experiment): (&str, Option<u32>),
) -> Result<&'a Row, Failure> {
    if let Some(experiment) = experiment {
        return known::keep(history, (tag, experiment));
    }
    history.best().ok_or_else(|| {
        Failure::new(Kind::Configuration, anyhow!("{tag} has kept nothing yet"))
            .hint("kept were: none")
    })
}

/// What a candidate left is read by people's programs: it must lead nowhere else.
pub(super) fn require_files(directory: &Path) -> Result<(), Failure> {
    match first_that_is_no_file(directory).or_outside()? {
        None => Ok(()),
        Some(path) => {
            let error = anyhow!("{} is no plain file: it is not read", path.display());
            Err(Failure::new(Kind::Outside, error)
                .hint("the candidate's program left it there; nothing is delivered"))
        }
    }
}
