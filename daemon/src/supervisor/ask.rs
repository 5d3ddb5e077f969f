//! From a question to a commit: ask, understand, commit; or take a commit that is there.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::Session;
use super::candidates::Candidates;
use super::gate::CallGate;
use super::settle::tolerate;
use crate::context::{Context, Repair};
use crate::experiment::{Candidate, Entry, Notes, Pause, Phase, Purpose, Stage, Usage, telling};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::patch::Proposal;
use crate::proposer::{Answer, Halt, ProposerError, Said};

/// Shortest wait for an endpoint that is written down.
const WORTH_TELLING: Duration = Duration::from_secs(10);

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

    fn candidates(&self) -> Candidates<'_> {
        Candidates { repository: &self.repository, scope: &self.scope, tag: &self.tag }
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
        let files = self.repository.files(&self.incumbent(), &self.scope).or_outside()?;
        self.enter(Phase::Propose);
        self.begin(Phase::Propose).await?;
        let asked = self.answer(&files).await?;
        self.enter(Phase::Record);
        // First what was paid for.
        match asked.answer {
            Some(answer) => self.take(answer).await?,
            None => match self.proposer.abandoned() {
                usage if usage == Usage::default() => {}
                usage => self.lost(usage, &self.proposer.name()).await?,
            },
        }
        self.tell_of_waits(asked.waited, asked.why).await
    }

    async fn take(&mut self, answer: Answer) -> Result<(), Failure> {
        let Answer { proposer, usage, said } = answer;
        let (text, problem) = match said {
            Said::Text(text) => (text, None),
            Said::Unusable(problem) => (String::new(), Some(problem)),
            Said::Lost(why) => {
                warn!(why, tokens = usage.prompt_tokens, "an answer that may be charged was lost");
                return self.lost(usage, &proposer).await;
            }
        };
        let candidate = self.candidate()?;
        let turn = u32::try_from(candidate.refused.len()).unwrap_or(u32::MAX);
        tolerate(self.notebook.write_reply(candidate.experiment, turn, &text));
        let cost_usd = self.cost_usd(usage, &proposer);
        self.end(Entry::Answered { text, problem, proposer, usage, cost_usd }).await
    }

    async fn lost(&mut self, usage: Usage, proposer: &str) -> Result<(), Failure> {
        let cost_usd = self.cost_usd(usage, proposer);
        self.end(Entry::Lost { usage, cost_usd }).await
    }

    /// Only the model is paid, and only where its price is known.
    fn cost_usd(&self, usage: Usage, proposer: &str) -> f64 {
        let price = self.settings.price.filter(|_| proposer.starts_with("llm:"));
        price.map_or(0.0, |price| price.cost_usd(usage))
    }

    /// Asks until there is something to write down.
    async fn answer(&mut self, files: &BTreeMap<String, String>) -> Result<Asked, Failure> {
        let program = self.repository.read(&self.base, "program.md").or_outside()?;
        let program = program.unwrap_or_default();
        let state = self.notebook.state(&self.task, &self.history);
        let candidate = self.candidate()?;
        let enough = candidate.patience();
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
        let spent = self.situation().spent;
        let mut gate = CallGate::new((self.rules.caps, spent), &self.pulse, &self.service);
        let mut stop = self.stop.clone();
        let asked = tokio::select! {
            asked = self.proposer.ask(&context, &mut gate) => asked.map(Some),
            _ = stop.wait_for(|level| *level >= enough) => Ok(None),
            // It bounds each of its calls and says what it waits for.
            never = self.service.feed() => never,
        };
        let (waited, why) = gate.finish();
        let answer = match asked {
            Ok(answer) => answer,
            // What is to be done about a cap is decided where all caps are.
            Err(Halt::Capped(_)) => None,
            // A human's commit may have taken the knobs away, and another may bring them back.
            Err(Halt::Fatal(error @ ProposerError::NoKnobs { .. })) => {
                return Err(error).or_outside();
            }
            Err(Halt::Fatal(error)) => return Err(error).or_configuration(),
        };
        Ok(Asked { answer, waited, why })
    }

    /// A wait of an instant is not worth an entry.
    async fn tell_of_waits(&mut self, waited: Duration, why: String) -> Result<(), Failure> {
        if waited < WORTH_TELLING {
            return Ok(());
        }
        let (cause, seconds) = (Pause::Endpoint, waited.as_secs_f64());
        self.record(Entry::Paused { cause, why, seconds }).await
    }

    /// Looks into the answer. What is wrong with it is told to the proposer in its next turn.
    pub(super) async fn understand(&mut self) -> Result<(), Failure> {
        let entry = match self.candidates().read_answer(self.candidate()?)? {
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

    /// Commits the proposal and keeps it under its own ref. Everything that goes into it stands in
    /// the ledger, the time too: done again, it is the same commit.
    pub(super) async fn commit(&mut self) -> Result<(), Failure> {
        let candidate = self.candidate()?;
        let n = candidate.experiment;
        let commit = match self.candidates().commit(candidate)? {
            Ok(commit) => commit,
            // It was understood, and still cannot be: something that is no file of the recipe is in
            // its way, or another version understood it.
            Err(problem) => {
                let (stage, usage) = (Stage::Patch, Usage::default());
                return self.record(Entry::Refused { stage, problem, usage }).await;
            }
        };
        self.repository.keep(&self.tag, n, &commit).or_outside()?;
        self.record(Entry::Committed { commit }).await
    }
}

/// What asking came to.
struct Asked {
    /// Something to write down; none when a human wants to stop, or a cap is reached.
    answer: Option<Answer>,
    /// How long the endpoint was waited for, and why the last time.
    waited: Duration,
    why: String,
}
