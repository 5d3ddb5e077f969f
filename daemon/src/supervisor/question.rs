//! A question to a proposer, from what lies on the desk: ledger, repository, the files for people.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;

use crate::context::{Change, Context, Now, Repair};
use crate::experiment::{History, Purpose, Row, Rule, Stage, asked};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::notebook::Notebook;
use crate::patch::{self, Scope};
use crate::prompt::{self, Message, Size, Templates};
use crate::repository::Repository;
use crate::session::Session;
use crate::task::Task;

/// The human's program, in the repository's root.
const PROGRAM: &str = "program.md";
/// Candidates whose changes are shown.
const RECENT: usize = 5;

/// What a model would be told now, message by message.
///
/// # Errors
/// The task or the repository cannot be read, or a template is none.
pub fn preview(
    session: &Session,
    (history, notebook, repository): (&History, &Notebook, &Repository),
) -> Result<Vec<Message>, Failure> {
    let begun = &session.begun;
    let task = begun.recorded_task().or_configuration()?;
    let scope = Scope::new(&task.edit.paths).or_configuration()?;
    let desk = Desk {
        repository,
        notebook,
        task: &task,
        history,
        base: &begun.base_commit,
        scope: &scope,
        rule: super::opening::evidence(begun).0,
    };
    let incumbent = history.incumbent().map_or(&begun.base_commit, |row| &row.commit);
    let in_hand =
        history.in_hand.as_ref().filter(|candidate| candidate.purpose == Purpose::Candidate);
    let parent = in_hand.map_or(incumbent, |candidate| &candidate.parent);
    let question = desk.question(parent, None)?;
    let budget = begun.settings["budget_s"].as_u64().unwrap_or(task.budget.train_s);
    let context = question.context((&task, history), Duration::from_secs(budget));
    let templates = templates(repository.path())?;
    let told = prompt::messages(&templates, &context, Size::Whole);
    told.map_err(|error| Failure::new(Kind::Configuration, error))
}

/// The human's templates in the work tree, and our own in place of those that are not there.
///
/// # Errors
/// A file that cannot be read, or is no template.
pub(super) fn templates(root: &Path) -> Result<Templates, Failure> {
    let mut texts = BTreeMap::new();
    for name in Templates::names() {
        let path = root.join("prompts").join(format!("{name}.hbs"));
        match fs::read_to_string(&path) {
            Ok(text) => drop(texts.insert(name, text)),
            Err(error)
                if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {}
            Err(error) => {
                let error = anyhow!("{} cannot be read: {error}", path.display());
                return Err(Failure::new(Kind::Configuration, error));
            }
        }
    }
    Templates::with(&texts).or_configuration()
}

/// What a question is made from.
pub(super) struct Desk<'a> {
    pub(super) repository: &'a Repository,
    pub(super) notebook: &'a Notebook,
    pub(super) task: &'a Task,
    pub(super) history: &'a History,
    pub(super) base: &'a str,
    pub(super) scope: &'a Scope,
    pub(super) rule: Rule,
}

impl Desk<'_> {
    /// A first question about a candidate that is made from this commit.
    pub(super) fn question(&self, parent: &str, left: Option<String>) -> Result<Question, Failure> {
        Ok(Question {
            files: self.repository.files(parent, self.scope).or_outside()?,
            program: self.program()?,
            state: self.notebook.state(self.task, self.history),
            now: self.now(parent, left),
            looks: Vec::new(),
            reply: String::new(),
            refused: None,
            turns_left: 0,
        })
    }

    /// The human's program as it stands in the work tree, else as the session's base has it.
    fn program(&self) -> Result<String, Failure> {
        let here: &Path = self.repository.path();
        match fs::read_to_string(here.join(PROGRAM)) {
            Ok(text) => Ok(text),
            Err(_) => {
                Ok(self.repository.read(self.base, PROGRAM).or_outside()?.unwrap_or_default())
            }
        }
    }

    fn now(&self, parent: &str, left: Option<String>) -> Now {
        let history = self.history;
        let directives = history.to_follow().iter().map(|told| told.text.clone()).collect();
        let keep = history.rows.iter().rev().find(|row| row.commit == parent);
        let is_incumbent = history.incumbent().is_none_or(|row| row.commit == parent);
        let from = keep.filter(|_| !is_incumbent).map(|row| row.experiment);
        Now {
            rule: self.rule,
            directives,
            rethink: asked(history, &self.task.score.objective, from),
            left,
            from,
            recent: self.recent(),
        }
    }

    fn recent(&self) -> Vec<Change> {
        let rows = self.history.rows.iter().rev();
        let candidates = rows.filter(|row| row.purpose == Purpose::Candidate).take(RECENT);
        let change =
            |row: &Row| Change { experiment: row.experiment, diff: diff(self.repository, row) };
        let mut recent: Vec<_> = candidates.map(change).collect();
        recent.reverse();
        recent
    }
}

/// What an experiment changed. What a human took out of the repository is no reason to stand still.
pub(super) fn diff(repository: &Repository, row: &Row) -> String {
    match repository.changes(&row.commit) {
        Ok((before, after)) => patch::render(&before, &after, patch::Look::Plain),
        Err(_) => "its commit is not there any more\n".to_owned(),
    }
}

/// A question with everything that its context only borrows.
pub(super) struct Question {
    pub(super) files: BTreeMap<String, String>,
    pub(super) program: String,
    pub(super) state: String,
    pub(super) now: Now,
    /// Answers that asked to look, and what they found.
    pub(super) looks: Vec<(String, String)>,
    /// The last answer, and what was wrong with it.
    pub(super) reply: String,
    pub(super) refused: Option<(Stage, String)>,
    pub(super) turns_left: u32,
}

impl Question {
    pub(super) fn context<'a>(
        &'a self,
        (task, history): (&'a Task, &'a History),
        budget: Duration,
    ) -> Context<'a> {
        let Self { files, program, state, now, looks, reply, refused, turns_left } = self;
        let repair = refused.as_ref().map(|(stage, problem)| Repair {
            stage: *stage,
            reply,
            problem,
            turns_left: *turns_left,
        });
        Context {
            task,
            program,
            state,
            history,
            files,
            budget_s: budget.as_secs(),
            now,
            looks,
            repair,
        }
    }
}
