//! What becomes of a keep once the night is over. Its own program, as it was built then, is run once more
//! in a sandbox, and what that leaves is handed to a program of the task that people trust. Nothing of
//! the session changes: its daemon may be at work meanwhile.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use dfr_contract::pack::Part;
use dfr_contract::predictions;
use tokio::sync::watch;

use super::preflight::{contain, resources};
use super::sandboxes::of_the_task;
use super::stop;
use crate::experiment::{History, Row, RunOutcome, StopLevel, Verdict};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::{Ledger, LedgerError};
use crate::notebook::{Notebook, first_that_is_no_file};
use crate::report::short;
use crate::repository::{Repository, valid_tag};
use crate::runner::{
    self, Execution, FileLock, Live, LockError, MARK, prepare_writable, remove_written,
};
use crate::sandbox::{Code, Sandbox};
use crate::session::Session;
use crate::settings::Settings;
use crate::task::{Command, Places, Task, expand_paths};

/// Two traces of the largest model and three batches on a slow CPU.
const TRACE_LIMIT: Duration = Duration::from_secs(1800);
/// Checking, proving and packing.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Tell what it is worth, from the predictions that were scored.
    Evaluate,
    /// Write it in the form in which others run it.
    Export,
}

impl Delivery {
    fn command(self, task: &Task) -> Option<&Command> {
        match self {
            Self::Evaluate => task.deliver.evaluate.as_ref(),
            Self::Export => task.deliver.export.as_ref(),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Export => "export",
        }
    }
}

/// Delivers a keep, the best one where none is named; `more` goes to the trusted program as it is. Says
/// that program's exit code.
///
/// # Errors
/// There is no such keep, nothing says how, or something of it is gone or was changed.
pub async fn deliver(
    settings: &Settings,
    delivery: Delivery,
    (experiment, more): (Option<u32>, &[String]),
) -> Result<u8, Failure> {
    let keep = Keep::find(settings, experiment).await?;
    let Some(command) = delivery.command(&keep.task) else {
        let (task, word) = (&keep.task.name, delivery.as_str());
        let error = anyhow!("task {task} does not say how to {word} a keep");
        return Err(Failure::new(Kind::Configuration, error)
            .hint(format!("a session whose task has {word} under [deliver] can")));
    };
    let stop = stop::listen().or_outside()?;
    let desk = Desk::clear(&keep.notebook)?;
    desk.write_task(&keep.task)?;
    let places = keep.places(&desk);
    if delivery == Delivery::Export {
        keep.trace(&desk, &places, stop.clone()).await?;
    }
    let argv = [command.expand(&places), more.to_vec()].concat();
    runner::run_trusted(&argv, LIMIT, stop).await.or_outside()
}

/// Where it is worked on. Whoever holds it is alone there.
struct Desk {
    root: PathBuf,
    _lock: FileLock,
}

impl Desk {
    /// Takes it, with nothing on it.
    fn clear(notebook: &Notebook) -> Result<Self, Failure> {
        let root = notebook.root().canonicalize().or_outside()?.join("deliver");
        let lock = FileLock::take(&root.with_extension("lock")).map_err(taken)?;
        remove_written(&root).or_outside()?;
        std::fs::create_dir(&root).or_outside()?;
        Ok(Self { root, _lock: lock })
    }

    fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    fn out(&self) -> PathBuf {
        self.root.join("out")
    }

    fn task(&self) -> PathBuf {
        self.root.join("task.toml")
    }

    fn write_task(&self, task: &Task) -> Result<(), Failure> {
        std::fs::write(self.task(), &task.text).or_outside()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The next delivery clears what stays.
        let _ = remove_written(&self.root);
    }
}

fn taken(error: LockError) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Kind::Configuration, error)
            .hint("another export or evaluation of this session is at work: wait for it"),
        LockError::Io { .. } => Failure::new(Kind::Outside, error),
    }
}

/// A keep and what belongs to it.
struct Keep<'a> {
    settings: &'a Settings,
    session: Session,
    task: Task,
    notebook: Notebook,
    row: Row,
}

impl<'a> Keep<'a> {
    async fn find(settings: &'a Settings, experiment: Option<u32>) -> Result<Self, Failure> {
        let tag = settings.tag.clone().unwrap_or_default();
        valid_tag(&tag).or_usage()?;
        let ledger = open(&settings.locations.ledger()).await?;
        let session = ledger.session(&tag).await.or_outside()?.ok_or_else(|| {
            Failure::new(Kind::Configuration, anyhow!("no session {tag}"))
                .hint("dfr-daemon list shows those that are")
        })?;
        let history = ledger.history(session.id).await.or_outside()?;
        ledger.close().await;
        let row = kept(&history, (&tag, experiment))?.clone();
        let task = session.begun.recorded_task().or_configuration()?;
        let notebook = Notebook::new(&settings.locations.state_dir, &tag);
        Ok(Self { settings, session, task, notebook, row })
    }

    fn places(&self, desk: &Desk) -> Places {
        let n = self.row.experiment;
        let text = |path: &Path| {
            path.canonicalize().unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
        };
        let locations = &self.settings.locations;
        let pack =
            self.task.pack_link(&locations.cache).with_file_name(&self.session.begun.pack_hash);
        let shape: Vec<_> =
            self.task.input.record_shape(Part::Validation).iter().map(u64::to_string).collect();
        BTreeMap::from([
            ("repository", text(&locations.repo)),
            ("tree", text(&desk.tree())),
            ("target", text(&desk.scratch())),
            ("pack", text(&pack)),
            ("weights", text(&locations.weights())),
            ("program", text(&self.notebook.program(n))),
            ("run", text(&self.notebook.run(n))),
            ("out", text(&desk.out())),
            ("preset", self.task.preset.clone()),
            ("predictions", text(&self.notebook.experiment(n).join(predictions::FILE))),
            ("task", text(&desk.task())),
            ("name", format!("{}-{n}", self.session.begun.tag)),
            ("shape", shape.join(",")),
        ])
    }

    /// Has the keep's own program write down what its model computes.
    async fn trace(
        &self,
        desk: &Desk,
        places: &Places,
        stop: watch::Receiver<StopLevel>,
    ) -> Result<(), Failure> {
        let Some(command) = &self.task.commands.trace else {
            let error = anyhow!("task {} has no trace under [commands]", self.task.name);
            return Err(Failure::new(Kind::Configuration, error));
        };
        self.check_program()?;
        let repository = Repository::open(&self.settings.locations.repo).or_configuration()?;
        repository.export(&self.row.commit, &desk.tree()).or_outside()?;
        let mark = desk.root.to_string_lossy().into_owned();
        runner::end_leftovers(&mark).await;
        let execution = self.execution(desk, (command.expand(places), mark), places)?;
        let live = if std::io::stderr().is_terminal() { Live::Terminal } else { Live::Quiet };
        let report = runner::run(&execution, live, stop).await.or_outside()?;
        if report.outcome != RunOutcome::Finished {
            let (n, outcome, tail) = (self.row.experiment, report.outcome, report.tail);
            let error = anyhow!("tracing experiment {n}: {outcome}\n{tail}");
            let log = execution.log.display();
            return Err(Failure::new(Kind::Outside, error).hint(format!("its log is {log}")));
        }
        for directory in [desk.out(), self.notebook.run(self.row.experiment)] {
            require_files(&directory)?;
        }
        Ok(())
    }

    /// It is the one that was built then, and that made what was scored.
    fn check_program(&self) -> Result<(), Failure> {
        let Row { experiment: n, program, commit, .. } = &self.row;
        if self.task.commands.product.is_none() {
            return Ok(());
        }
        if program.as_ref().is_some_and(|sha256| self.notebook.has_program(*n, sha256)) {
            return Ok(());
        }
        let path = self.notebook.program(*n);
        let error = anyhow!(
            "{} is not the program of experiment {n} ({}) any more",
            path.display(),
            short(commit)
        );
        Err(Failure::new(Kind::Outside, error)
            .hint("another keep may have its own: --experiment N"))
    }

    fn execution(
        &self,
        desk: &Desk,
        (argv, mark): (Vec<String>, String),
        places: &Places,
    ) -> Result<Execution, Failure> {
        let containment = contain(self.settings)?;
        let (scratch, out) = (desk.scratch(), desk.out());
        for own in [&scratch, &out] {
            prepare_writable(own, &containment).or_outside()?;
        }
        let mut sandbox = Sandbox::system(Code::Candidate).writes(&scratch).writes(&out);
        sandbox
            .readable
            .extend(["tree", "program", "run"].map(|name| PathBuf::from(&places[name])));
        sandbox.readable.extend(of_the_task(&self.task, places));
        let mut environment = self.settings.child_environment.clone();
        environment.extend(self.task.environment.clone());
        environment.extend(expand_paths(&self.task.paths, places));
        environment.insert(MARK.to_owned(), mark);
        let scratch = scratch.to_string_lossy().into_owned();
        environment.extend(["HOME", "TMPDIR"].map(|name| (name.to_owned(), scratch.clone())));
        Ok(Execution {
            argv,
            directory: desk.tree(),
            environment,
            log: self.notebook.experiment(self.row.experiment).join("trace.log"),
            started_line: None,
            telltale: None,
            deadline: TRACE_LIMIT,
            grace: self.settings.grace,
            limits: resources(self.settings),
            containment,
            sandbox: (!self.settings.runs.unsealed).then_some(sandbox),
        })
    }
}

async fn open(path: &Path) -> Result<Ledger, Failure> {
    Ledger::open_read_only(path).await.map_err(|error| match error {
        LedgerError::NotThere { .. } => Failure::new(Kind::Configuration, error)
            .hint("no session was started here yet; --repo or --state-dir names another place"),
        _ => Failure::new(Kind::Outside, error),
    })
}

/// The keep that is meant.
fn kept<'a>(
    history: &'a History,
    (tag, experiment): (&str, Option<u32>),
) -> Result<&'a Row, Failure> {
    let keeps = || history.decided().filter(|row| row.verdict == Verdict::Keep);
    let found = match experiment {
        Some(n) => keeps().find(|row| row.experiment == n),
        None => history.best(),
    };
    found.ok_or_else(|| {
        let all: Vec<_> = keeps().map(|row| row.experiment.to_string()).collect();
        let (what, hint) = match experiment {
            Some(n) => (format!("experiment {n} of {tag} was not kept"), all.join(", ")),
            None => (format!("{tag} has kept nothing yet"), "none".to_owned()),
        };
        Failure::new(Kind::Configuration, anyhow!(what)).hint(format!("kept were: {hint}"))
    })
}

/// What a candidate left is read by people's programs: it must lead nowhere else.
fn require_files(directory: &Path) -> Result<(), Failure> {
    match first_that_is_no_file(directory).or_outside()? {
        None => Ok(()),
        Some(path) => {
            let error = anyhow!("{} is no plain file: it is not read", path.display());
            Err(Failure::new(Kind::Outside, error)
                .hint("the candidate's program left it there; nothing was exported"))
        }
    }
}
