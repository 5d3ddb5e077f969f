//! From the incumbent to a candidate that builds and takes a step: propose, patch, commit, build,
//! smoke, with at most two repair turns for all of them together.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::{Made, Session};
use crate::context::{Context, Repair};
use crate::experiment::{Entry, Notes, Phase, RunOutcome, Stage, StopLevel, Usage};
use crate::failure::{Failure, OrFailure as _};
use crate::patch::{self, Patch, Proposal};
use crate::prompt::Size;
use crate::proposer::{ProposerError, Reply};

/// Answers that may follow a first one that failed.
const REPAIR_TURNS: u32 = 2;
/// First and longest pause while an endpoint is out.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(300);

/// What came back from a proposer.
struct Answer {
    /// The text, or why there is none that could be used.
    text: Result<String, String>,
    usage: Usage,
}

/// What the last answer was and what is wrong with it.
struct Wrong {
    stage: Stage,
    reply: String,
    problem: String,
    /// Repair turns after the one that this asks for.
    turns_left: u32,
}

impl Session {
    /// The recipe as it is: the base commit, built and stepped like any candidate.
    pub(super) async fn baseline(&mut self, n: u32) -> Result<Made, Failure> {
        let commit = self.base.clone();
        let proposed = Entry::Proposed {
            hypothesis: "the recipe as it is sets the score to beat".to_owned(),
            description: "baseline".to_owned(),
            notes: Notes::default(),
            usage: Usage::default(),
        };
        self.record(n, proposed).await?;
        self.repository.keep(&self.tag, n, &commit).or_outside()?;
        self.record(n, Entry::Committed { commit: commit.clone() }).await?;
        match self.build(n, &commit).await? {
            Ok(()) => {
                self.record(n, Entry::Built).await?;
                Ok(Made::Ready(commit))
            }
            Err(_) if self.stop_level() >= StopLevel::AbandonRun => Ok(stopped()),
            Err((stage, problem)) => {
                let reason = summary(stage, &problem);
                self.record(n, Entry::Refused { stage, problem, usage: Usage::default() }).await?;
                Ok(Made::Broken { commit, reason })
            }
        }
    }

    /// A proposed candidate.
    pub(super) async fn candidate(&mut self, n: u32) -> Result<Made, Failure> {
        let files = self.repository.files(&self.incumbent(), &self.scope).or_outside()?;
        let mut wrong: Option<Wrong> = None;
        let mut commit: Option<String> = None;
        for turn in 0..=REPAIR_TURNS {
            let Some(answer) = self.ask(n, &files, wrong.as_ref()).await? else {
                return Ok(stopped());
            };
            self.enter(n, Phase::Record);
            let reply = answer.text.clone().unwrap_or_default();
            self.notebook.write_reply(n, turn, &reply).or_outside()?;
            let understood = answer.text.and_then(|text| self.understand(&text, &files));
            let failed = match understood {
                Err(problem) => (Stage::Patch, problem, answer.usage),
                Ok((proposal, patch)) => {
                    let made = self.commit(n, &proposal, &patch, answer.usage).await?;
                    commit = Some(made.clone());
                    match self.build(n, &made).await? {
                        Ok(()) => {
                            self.record(n, Entry::Built).await?;
                            return Ok(Made::Ready(made));
                        }
                        Err((stage, problem)) => (stage, problem, Usage::default()),
                    }
                }
            };
            if self.stop_level() >= StopLevel::AbandonRun {
                return Ok(stopped());
            }
            let (stage, problem, usage) = failed;
            warn!(stage = stage.as_str(), turn, problem = first_line(&problem), "refused");
            let refused = Entry::Refused { stage, problem: problem.clone(), usage };
            self.record(n, refused).await?;
            let turns_left = (REPAIR_TURNS - turn).saturating_sub(1);
            wrong = Some(Wrong { stage, reply, problem, turns_left });
        }
        let reason = wrong.map_or_else(String::new, |w| summary(w.stage, &w.problem));
        Ok(match commit {
            Some(commit) => Made::Broken { commit, reason },
            None => Made::Nothing { reason },
        })
    }

    /// Asks until there is an answer. `None` when a human wants to stop: at once while nothing is in
    /// hand, and only for a strong request once there is a candidate to finish.
    async fn ask(
        &mut self,
        n: u32,
        files: &BTreeMap<String, String>,
        wrong: Option<&Wrong>,
    ) -> Result<Option<Answer>, Failure> {
        let program = self.program()?;
        let state = self.notebook.state(&self.task, &self.history);
        let has_candidate = self.history.in_hand.as_ref().is_some_and(|c| c.commit.is_some());
        let enough = if has_candidate { StopLevel::AbandonRun } else { StopLevel::AfterExperiment };
        self.enter(n, Phase::Propose);
        let repair = wrong.map(|wrong| Repair {
            stage: wrong.stage,
            reply: &wrong.reply,
            problem: &wrong.problem,
            turns_left: wrong.turns_left,
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
                asked = self.proposer.propose(&context, Size::Whole) => asked,
                _ = stop.wait_for(|level| *level >= enough) => return Ok(None),
            };
            let wait = match answer(asked)? {
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

    /// The human's instructions as they stand at the session's base.
    fn program(&self) -> Result<String, Failure> {
        Ok(self.repository.read(&self.base, "program.md").or_outside()?.unwrap_or_default())
    }

    fn understand(
        &self,
        reply: &str,
        files: &BTreeMap<String, String>,
    ) -> Result<(Proposal, Patch), String> {
        let proposal = patch::parse(reply).map_err(|error| error.to_string())?;
        let patch =
            patch::apply(&proposal, files, &self.scope).map_err(|error| error.to_string())?;
        Ok((proposal, patch))
    }

    async fn commit(
        &mut self,
        n: u32,
        proposal: &Proposal,
        patch: &Patch,
        usage: Usage,
    ) -> Result<String, Failure> {
        info!(hypothesis = %proposal.hypothesis, description = %proposal.description, "proposed");
        let Proposal { hypothesis, description, notes, .. } = proposal.clone();
        let message = format!("{description}\n\n{hypothesis}\n\nExperiment {n} of {}.", self.tag);
        self.record(n, Entry::Proposed { hypothesis, description, notes, usage }).await?;
        let at_ms = crate::clock::wall_ms();
        let parent = self.incumbent();
        let commit = self.repository.commit(&parent, patch, (&message, at_ms)).or_outside()?;
        self.repository.keep(&self.tag, n, &commit).or_outside()?;
        let from = self.standing();
        self.record(n, Entry::Committed { commit: commit.clone() }).await?;
        self.move_branch(&from, &commit, &format!("experiment {n}: candidate"))?;
        Ok(commit)
    }

    /// Builds a commit in the slot and lets it take one step.
    async fn build(
        &mut self,
        n: u32,
        commit: &str,
    ) -> Result<Result<(), (Stage, String)>, Failure> {
        self.enter(n, Phase::Build);
        let exported = self.repository.export(commit, &self.slot.tree).or_outside()?;
        for entry in exported.skipped {
            warn!(entry, "left out of the build: neither a file nor a directory");
        }
        let budget = self.task.budget;
        let steps = [
            (Stage::Build, self.task.commands.build.clone(), budget.build_s),
            (Stage::Smoke, self.task.commands.smoke.clone(), budget.smoke_s),
        ];
        for (stage, command, limit_s) in steps {
            let log = self.notebook.experiment(n).join("build.log");
            let report = self.execute(n, &command, &log, self.limits(limit_s)).await?;
            if report.outcome != RunOutcome::Finished {
                let problem =
                    format!("{stage}: {}\n{}", report.outcome, report.tail, stage = stage.as_str());
                return Ok(Err((stage, problem)));
            }
        }
        Ok(Ok(()))
    }
}

/// An answer; or, as the inner error, the least time to wait before asking again. What will not get
/// better by waiting ends the session.
fn answer(asked: Result<Reply, ProposerError>) -> Result<Result<Answer, Duration>, Failure> {
    let error = match asked {
        Ok(Reply { text, usage }) => return Ok(Ok(Answer { text: Ok(text), usage })),
        Err(error) => error,
    };
    match error {
        ProposerError::Truncated { usage }
        | ProposerError::Empty { usage }
        | ProposerError::Declined { usage, .. } => {
            Ok(Ok(Answer { text: Err(error.to_string()), usage }))
        }
        ProposerError::Prompt(_) | ProposerError::NoKnobs { .. } | ProposerError::Exhausted => {
            Err(error).or_configuration()
        }
        _ => {
            warn!(%error, "no proposal");
            Ok(Err(error.retry_after().unwrap_or_default()))
        }
    }
}

fn stopped() -> Made {
    Made::Nothing { reason: "a human stopped the session".to_owned() }
}

fn summary(stage: Stage, problem: &str) -> String {
    format!("{} failed: {}", stage.as_str(), first_line(problem))
}

/// The line that says most: the first that speaks of an error, else the first.
fn first_line(problem: &str) -> &str {
    let mut lines = problem.lines();
    let first = lines.next().unwrap_or_default();
    problem.lines().find(|line| line.starts_with("error")).unwrap_or(first)
}
