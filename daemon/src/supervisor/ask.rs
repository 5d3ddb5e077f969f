//! From a question to a commit: ask, understand, commit; or take a commit that is there.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::Session;
use crate::context::{Context, Repair};
use crate::experiment::{
    Candidate, Entry, Notes, Phase, Purpose, Stage, StopLevel, Usage, telling,
};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::patch::{self, Patch, Proposal};
use crate::proposer::{ProposerError, Reply};

/// First and longest pause while an endpoint is out.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(300);

impl Session {
    /// The experiment in hand; every effect but opening has one.
    pub(super) fn candidate(&self) -> Result<&Candidate, Failure> {
        let none = || Failure::new(Kind::Bug, anyhow::anyhow!("no experiment is in hand"));
        self.history.in_hand.as_ref().ok_or_else(none)
    }

    /// Its commit.
    pub(super) fn candidate_commit(&self) -> Result<String, Failure> {
        let none = || Failure::new(Kind::Bug, anyhow::anyhow!("the experiment has no commit"));
        self.candidate()?.commit.clone().ok_or_else(none)
    }

    /// A commit that is there is measured as it is.
    pub(super) async fn introduce(&mut self) -> Result<(), Failure> {
        let (purpose, parent) = (self.candidate()?.purpose, &self.candidate()?.parent);
        let (hypothesis, description) = match purpose {
            Purpose::Control => (
                "the incumbent still runs, so the crashes were the ideas' fault".to_owned(),
                "the incumbent again".to_owned(),
            ),
            Purpose::Adoption => {
                let subject = self.repository.subject(parent).or_outside()?;
                let hypothesis = "a human's commit on the branch is the new incumbent".to_owned();
                (hypothesis, format!("by hand: {subject}"))
            }
            Purpose::Baseline | Purpose::Candidate => {
                ("the recipe as it is sets the score to beat".to_owned(), "baseline".to_owned())
            }
        };
        let (notes, usage) = (Notes::default(), Usage::default());
        self.record(Entry::Proposed { hypothesis, description, notes, usage }).await
    }

    pub(super) async fn ask(&mut self) -> Result<(), Failure> {
        let n = self.history.current();
        let files = self.repository.files(&self.incumbent(), &self.scope).or_outside()?;
        self.enter(Phase::Propose);
        self.begin(Phase::Propose).await?;
        let Some(reply) = self.answer(&files).await? else { return Ok(()) };
        self.enter(Phase::Record);
        let turn = u32::try_from(self.candidate()?.refused.len()).unwrap_or(u32::MAX);
        let (text, problem) = match reply.text {
            Ok(text) => (text, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        super::settle::tolerate(self.notebook.write_reply(n, turn, &text));
        let proposer = self.proposer.name();
        let usage = reply.usage;
        self.end(Entry::Answered { text, problem, proposer, usage, cost_usd: 0.0 }).await
    }

    /// Asks until there is an answer; `None` when a human wants to stop.
    async fn answer(
        &mut self,
        files: &BTreeMap<String, String>,
    ) -> Result<Option<Answer>, Failure> {
        let program = self.repository.read(&self.base, "program.md").or_outside()?;
        let program = program.unwrap_or_default();
        let state = self.notebook.state(&self.task, &self.history);
        let candidate = self.candidate()?;
        let enough = match candidate.commit {
            Some(_) => StopLevel::AbandonRun,
            None => StopLevel::AfterExperiment,
        };
        let last = candidate.answer.clone().map_or_else(String::new, |answer| answer.text);
        let (refused, turns) = (candidate.refused.clone(), self.rules.repair_turns);
        let left = turns.saturating_sub(u32::try_from(refused.len()).unwrap_or(u32::MAX));
        let repair = refused.last().map(|(stage, problem)| Repair {
            stage: *stage,
            reply: &last,
            problem,
            turns_left: left,
        });
        let context = Context {
            task: &self.task,
            program: &program,
            state: &state,
            history: &self.history,
            files,
            budget_s: self.budget.as_secs(),
            repair,
        };
        let mut stop = self.stop.clone();
        let mut pause = PAUSE_FIRST;
        loop {
            let asked = tokio::select! {
                asked = self.proposer.propose(&context) => asked,
                _ = stop.wait_for(|level| *level >= enough) => return Ok(None),
            };
            let wait = match usable(asked)? {
                Ok(answer) => return Ok(Some(answer)),
                Err(asked_for) => pause.max(asked_for),
            };
            warn!(wait_s = wait.as_secs(), "the loop waits and asks again");
            pause = (pause * 2).min(PAUSE_MOST);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|level| *level >= enough) => return Ok(None),
            }
        }
    }

    /// Looks into the answer. What is wrong with it is told to the proposer in its next turn.
    pub(super) async fn understand(&mut self) -> Result<(), Failure> {
        let entry = match self.read_answer()? {
            Ok((proposal, _)) => {
                let Proposal { hypothesis, description, notes, .. } = proposal;
                info!(hypothesis, description, "proposed");
                Entry::Proposed { hypothesis, description, notes, usage: Usage::default() }
            }
            Err(problem) => {
                warn!(stage = Stage::Patch.as_str(), problem = telling(&problem), "refused");
                Entry::Refused { stage: Stage::Patch, problem, usage: Usage::default() }
            }
        };
        self.record(entry).await
    }

    /// The answer in hand as a patch of its parent, or what is wrong with it.
    fn read_answer(&self) -> Result<Result<(Proposal, Patch), String>, Failure> {
        let candidate = self.candidate()?;
        let Some(answer) = &candidate.answer else { return Ok(Err("no answer".to_owned())) };
        if let Some(problem) = &answer.problem {
            return Ok(Err(problem.clone()));
        }
        let files = self.repository.files(&candidate.parent, &self.scope).or_outside()?;
        let understood =
            patch::parse(&answer.text).map_err(|error| error.to_string()).and_then(|proposal| {
                let patch = patch::apply(&proposal, &files, &self.scope);
                patch.map(|patch| (proposal, patch)).map_err(|error| error.to_string())
            });
        Ok(understood)
    }

    /// Commits the proposal and keeps it under its own ref. Everything that goes into it stands in
    /// the ledger, the time too: done again, it is the same commit.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        let candidate = self.candidate()?;
        let n = candidate.experiment;
        let commit = match candidate.purpose {
            Purpose::Candidate => {
                let (proposal, patch) = self
                    .read_answer()?
                    .map_err(|problem| Failure::new(Kind::Bug, anyhow::anyhow!("{problem}")))?;
                let Proposal { hypothesis, description, .. } = proposal;
                let tag = &self.tag;
                let message = format!("{description}\n\n{hypothesis}\n\nExperiment {n} of {tag}.");
                let commit = (message.as_str(), candidate.proposed_at_ms);
                self.repository.commit(&candidate.parent, &patch, commit).or_outside()?
            }
            Purpose::Baseline | Purpose::Adoption | Purpose::Control => candidate.parent.clone(),
        };
        self.repository.keep(&self.tag, n, &commit).or_outside()?;
        self.record(Entry::Committed { commit }).await
    }
}

/// What came back from a proposer.
struct Answer {
    /// The text, or why there is none that could be used.
    text: Result<String, String>,
    usage: Usage,
}

/// An answer; or, as the inner error, the least time to wait before asking again. What will not get
/// better by waiting ends the session.
fn usable(asked: Result<Reply, ProposerError>) -> Result<Result<Answer, Duration>, Failure> {
    let error = match asked {
        Ok(Reply { text, usage }) => return Ok(Ok(Answer { text: Ok(text), usage })),
        Err(error) => error,
    };
    match error {
        ProposerError::Truncated { usage } | ProposerError::Empty { usage } => {
            Ok(Ok(Answer { text: Err(error.to_string()), usage }))
        }
        ProposerError::Unavailable { retry_after_s, .. } => {
            warn!(%error, "no proposal");
            Ok(Err(Duration::from_secs(retry_after_s.unwrap_or_default())))
        }
        ProposerError::Unauthorized { .. } | ProposerError::Refused { .. } => {
            warn!(%error, "no proposal");
            Ok(Err(Duration::ZERO))
        }
        ProposerError::Prompt(_) | ProposerError::NoKnobs { .. } | ProposerError::Exhausted => {
            Err(error).or_configuration()
        }
    }
}
