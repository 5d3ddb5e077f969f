//! The commands that look at sessions, and the one that asks one to stop.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::anyhow;

use crate::arguments::Inspect;
use crate::clock;
use crate::experiment::{self, StopLevel};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::ledger::Ledger;
use crate::notebook::{self, Notebook};
use crate::patch::{self, Look};
use crate::report::{self, Listed, Shown, Status, Style};
use crate::repository::Repository;
use crate::runner::{self, SignalError};
use crate::session::{Life, Lock, Session};
use crate::settings::Locations;
use crate::supervisor;

/// Bytes at the end of a log that are shown.
const LOG_TAIL_BYTES: u64 = 4096;

/// Runs a command; the text is what standard output gets.
pub(super) async fn run(
    command: &Inspect,
    locations: &Locations,
    style: Style,
) -> Result<String, Failure> {
    let view = View { ledger: supervisor::ledger(&locations.ledger()).await?, locations, style };
    match command {
        Inspect::List => view.list().await,
        Inspect::Status { tag } => view.status(&view.session(tag).await?).await,
        Inspect::Cost { tag } => view.cost(&view.session(tag).await?).await,
        Inspect::Prompt { tag } => view.prompt(&view.session(tag).await?).await,
        Inspect::Stop { tag, now } => {
            let level = if *now { StopLevel::AbandonRun } else { StopLevel::AfterExperiment };
            view.stop(&view.session(tag).await?, level)
        }
        Inspect::Show { experiment, tag } => {
            view.show(&view.session(tag).await?, *experiment).await
        }
    }
}

/// What a session was certified to have come to.
pub(super) async fn certificate(locations: &Locations, tag: &str) -> Result<String, Failure> {
    let view = View {
        ledger: supervisor::ledger(&locations.ledger()).await?,
        locations,
        style: Style::PLAIN,
    };
    let session = view.session(tag).await?;
    let history = view.ledger.history(session.id).await.or_outside()?;
    let objective = objective(&session);
    let known = experiment::certificate(&history, &objective);
    Ok(report::certificate_text(known.as_ref(), &objective))
}

struct View<'a> {
    ledger: Ledger,
    locations: &'a Locations,
    style: Style,
}

impl View<'_> {
    async fn session(&self, tag: &str) -> Result<Session, Failure> {
        supervisor::session(&self.ledger, tag).await
    }

    fn notebook(&self, session: &Session) -> Notebook {
        Notebook::new(&self.locations.state_dir, &session.begun.tag)
    }

    fn owner(&self, session: &Session) -> Option<i32> {
        runner::is_held(&self.notebook(session).lock())
    }

    async fn list(&self) -> Result<String, Failure> {
        let sessions = self.ledger.sessions().await.or_outside()?;
        let (mut known, mut damaged) = (Vec::new(), Vec::new());
        for session in &sessions {
            let history = match self.ledger.history(session.id).await {
                Ok(history) => history,
                // One that cannot be read must not hide the others.
                Err(error) => {
                    damaged.push(format!("{}: {error}\n", session.begun.tag));
                    continue;
                }
            };
            let beat = self.ledger.heartbeat(session.id).await.or_outside()?;
            let life = Life::judge(self.lock(session), beat.as_ref(), clock::wall_ms());
            known.push((session, history, objective(session), life));
        }
        let listed: Vec<_> = known
            .iter()
            .map(|(session, history, objective, life)| Listed {
                session,
                history,
                objective,
                life: *life,
            })
            .collect();
        Ok(report::list_text(&listed, self.style) + &damaged.concat())
    }

    fn lock(&self, session: &Session) -> Lock {
        self.owner(session).map_or(Lock::Free, Lock::Held)
    }

    async fn status(&self, session: &Session) -> Result<String, Failure> {
        let history = self.ledger.history(session.id).await.or_outside()?;
        let heartbeat = self.ledger.heartbeat(session.id).await.or_outside()?;
        let columns = columns(session);
        let task = session.begun.recorded_task().ok();
        let ready = task.and_then(|task| notebook::ready(&task, &session.begun.tag, &history));
        let ready = ready.map(|told| told.join(": "));
        let status = Status {
            session,
            ready: ready.as_deref(),
            history: &history,
            columns: &columns,
            heartbeat: heartbeat.as_ref(),
            lock: self.lock(session),
            now_ms: clock::wall_ms(),
        };
        Ok(report::status_text(&status, self.style))
    }

    fn stop(&self, session: &Session, level: StopLevel) -> Result<String, Failure> {
        let tag = &session.begun.tag;
        let Some(pid) = self.owner(session) else {
            let error = anyhow!("no daemon runs session {tag}");
            return Err(Failure::new(Kind::Configuration, error)
                .hint(format!("it has ended already: dfr-daemon status --tag {tag}")));
        };
        runner::signal(&self.notebook(session).lock(), pid, level).map_err(unheard)?;
        Ok(match level {
            StopLevel::AfterExperiment => format!("{tag} stops after the experiment in hand\n"),
            _ => format!("{tag} abandons the experiment in hand and stops\n"),
        })
    }

    async fn cost(&self, session: &Session) -> Result<String, Failure> {
        let entries = self.ledger.entries(session.id).await.or_outside()?;
        let timed = entries.iter().map(|recorded| (recorded.at_ms, &recorded.entry));
        Ok(report::cost_text(&experiment::accounts(timed), self.style))
    }

    async fn prompt(&self, session: &Session) -> Result<String, Failure> {
        let history = self.ledger.history(session.id).await.or_outside()?;
        let repository = Repository::open(&self.locations.repo).or_configuration()?;
        let of_session = (&history, &self.notebook(session), &repository);
        let messages = supervisor::preview(session, of_session)?;
        Ok(report::prompt_text(&messages, self.style))
    }

    async fn show(&self, session: &Session, experiment: u32) -> Result<String, Failure> {
        let history = self.ledger.history(session.id).await.or_outside()?;
        let mut entries = self.ledger.entries(session.id).await.or_outside()?;
        entries.retain(|recorded| recorded.experiment == experiment);
        if entries.is_empty() {
            let error = anyhow!("session {} has no experiment {experiment}", session.begun.tag);
            return Err(Failure::new(Kind::Configuration, error)
                .hint(format!("it has 0 to {}", history.opened.saturating_sub(1))));
        }
        let shown = Shown {
            experiment,
            row: history.decided().find(|row| row.experiment == experiment),
            entries: &entries,
            diff: &self.diff(session, experiment)?,
            log_tail: &self.log_tail(session, experiment),
        };
        Ok(report::show_text(&shown, self.style))
    }

    /// The end of the run's log; of the build's, when it never ran.
    fn log_tail(&self, session: &Session, experiment: u32) -> String {
        let notebook = self.notebook(session);
        let run = tail(&notebook.run_log(experiment));
        if run.is_empty() { tail(&notebook.experiment(experiment).join("build.log")) } else { run }
    }

    /// What the candidate changed; nothing for a baseline or before there is a candidate.
    fn diff(&self, session: &Session, experiment: u32) -> Result<String, Failure> {
        let repository = Repository::open(&self.locations.repo).or_configuration()?;
        let kept = repository.kept(&session.begun.tag, experiment).or_outside()?;
        let Some(commit) = kept.filter(|commit| *commit != session.begun.base_commit) else {
            return Ok(String::new());
        };
        let (before, after) = repository.changes(&commit).or_outside()?;
        let look = if self.style.colour { Look::Coloured } else { Look::Plain };
        Ok(patch::render(&before, &after, look))
    }
}

fn unheard(error: SignalError) -> Failure {
    let hint = match error {
        SignalError::Elsewhere { .. } => {
            "stop it there: dfr-daemon stop in that container or on that host, or send it SIGINT"
        }
        SignalError::Refused { .. } => "stop it as the user that it runs as, or as root",
    };
    Failure::new(Kind::Outside, error).hint(hint)
}

fn objective(session: &Session) -> String {
    session.begun.recorded_task().map_or_else(|_| String::new(), |task| task.score.objective)
}

fn columns(session: &Session) -> Vec<String> {
    session.begun.recorded_task().map_or_else(|_| Vec::new(), |task| task.score.columns)
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
