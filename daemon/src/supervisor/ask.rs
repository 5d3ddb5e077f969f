//! From a question to a commit: ask, understand, commit; or take a commit that is there.

use std::time::Duration;

use tracing::{info, warn};

use super::Session;
use super::candidates::Candidates;
use super::gate::{CallGate, Purse};
use super::question::{Desk, Question};
use super::settle::tolerate;
use crate::clock;
use crate::experiment::{
    Candidate, Effect, Entry, Idea, Notes, Pause, Phase, Purpose, Stage, Stake, StopLevel, Usage,
    next, repetition, telling,
};
use crate::failure::{Failure, Kind, OrFailure as _};
use crate::look;
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
            Purpose::Control => {
                let hypothesis = match self.history.doubts_the_machine(self.rules.crash_limit) {
                    true => "the incumbent still runs, so the crashes were the ideas' fault",
                    false => "the incumbent scores as before, so its score was no stroke of luck",
                };
                (hypothesis.to_owned(), "the incumbent again".to_owned())
            }
            Purpose::Moved => (
                "on another machine the same recipe sets another score to beat".to_owned(),
                "the incumbent again, on another machine".to_owned(),
            ),
            Purpose::Noise => (
                "the same recipe with another seed shows how much a score owes to chance"
                    .to_owned(),
                "the incumbent again, with another seed".to_owned(),
            ),
            Purpose::Certify => {
                let is_champion = self.history.incumbent().is_some_and(|row| row.commit == *parent);
                let which = if is_champion { "champion" } else { "baseline" };
                (
                    "under new seeds the champion is better than the baseline".to_owned(),
                    format!("the {which} again, to certify the champion"),
                )
            }
            Purpose::Adoption => {
                let subject = self.repository.subject(parent).or_outside()?;
                let hypothesis = "a human's commit on the branch is the new incumbent".to_owned();
                (hypothesis, format!("by hand: {subject}"))
            }
            Purpose::Baseline | Purpose::Candidate => {
                ("the recipe as it is sets the score to beat".to_owned(), "baseline".to_owned())
            }
        };
        let (notes, idea, usage) = (Notes::default(), Idea::default(), Usage::default());
        self.record(Entry::Proposed { hypothesis, description, notes, idea, usage }).await
    }

    pub(super) async fn ask(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Propose);
        let began = clock::now();
        let mut asked = self.put().await?;
        while asked.is_waiting && self.still_asks().await {
            let waited = asked.waited;
            asked = self.put().await?;
            asked.waited += waited;
        }
        self.enter(Phase::Record);
        // First what was paid for.
        match asked.answer {
            Ok(answer) => self.take(answer).await?,
            Err(why) => match self.proposer.abandoned() {
                // No call was under way, so nothing is at stake any more.
                usage if usage == Usage::default() => {
                    let seconds = clock::now().duration_since(began).as_secs_f64();
                    let phase = Phase::Propose;
                    self.end(Entry::Interrupted { phase, why, seconds }).await?;
                }
                usage => self.lost(usage, &self.proposer.name()).await?,
            },
        }
        self.tell_of_waits(asked.waited, asked.why).await
    }

    /// Puts the question as it stands now, with what a human wrote while the endpoint was waited for.
    async fn put(&mut self) -> Result<Asked, Failure> {
        self.hear().await?;
        let question = self.question().await?;
        let stake = self.stake(&question);
        self.begin_at(Phase::Propose, stake).await?;
        self.answer(&question).await
    }

    /// Whether the question still stands after a look around. What is found there is the next turn's
    /// business, which comes upon it again.
    async fn still_asks(&mut self) -> bool {
        self.service.alive();
        let is_in_order = self.check_locks().is_ok() && self.align().await.is_ok();
        let is_asked = || {
            let situation = self.situation((false, false))?;
            Ok::<_, Failure>(next(&self.history, &self.rules, &situation) == Effect::Ask)
        };
        is_in_order && is_asked().unwrap_or(false) && self.is_clear().await
    }

    /// What a life that ends in the middle of the question leaves to be paid.
    fn stake(&self, question: &Question) -> Option<Stake> {
        let context = question.context((&self.task, &self.history), self.budget);
        let usage = self.proposer.stake(&context);
        let cost_usd = self.cost_usd(usage, &self.proposer.name());
        (usage != Usage::default()).then_some(Stake { usage, cost_usd })
    }

    /// Counts what an earlier life asked and did not live to hear: it may be charged.
    pub(super) async fn charge_unheard(&mut self) -> Result<(), Failure> {
        let Some(stake) = self.history.in_hand.as_ref().and_then(Candidate::at_stake) else {
            return Ok(());
        };
        let Stake { usage, cost_usd } = stake;
        warn!(
            tokens = usage.prompt_tokens,
            "a question may be charged that nobody heard the end of"
        );
        self.end(Entry::Lost { usage, cost_usd }).await
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
        let turn = candidate.refused.len() + candidate.looked.len();
        let turn = u32::try_from(turn).unwrap_or(u32::MAX);
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

    /// What a proposer is asked next.
    async fn question(&self) -> Result<Question, Failure> {
        let looks = self.looks().await?;
        let candidate = self.candidate()?;
        let Self { repository, notebook, task, history, base, scope, rule, .. } = self;
        let desk = Desk { repository, notebook, task, history, base, scope, rule: *rule };
        Ok(Question {
            looks,
            reply: candidate.answer.clone().map_or_else(String::new, |answer| answer.text),
            refused: candidate.refused.last().cloned(),
            turns_left: candidate.turns_left(self.rules.repair_turns).unwrap_or_default(),
            ..desk.question(&candidate.parent, self.left_of_session())?
        })
    }

    fn left_of_session(&self) -> Option<String> {
        let Self { history, notebook, born, rules, .. } = self;
        let purse = Purse { caps: rules.caps, history, notebook, born: *born };
        let rows = rules.max_experiments.map(|most| most.saturating_sub(history.tried()));
        let rows = rows.map(|rows| format!("{rows} experiments, this one included"));
        let left: Vec<_> = rows.into_iter().chain(rules.caps.left(purse.spent())).collect();
        (!left.is_empty()).then(|| left.join("; "))
    }

    /// Asks until there is something to write down.
    async fn answer(&mut self, question: &Question) -> Result<Asked, Failure> {
        let (history, notebook) = (&self.history, &self.notebook);
        let context = question.context((&self.task, history), self.budget);
        let purse = Purse { caps: self.rules.caps, history, notebook, born: self.born };
        let purse = (purse, self.settings.price);
        let mut gate = CallGate::new(purse, &self.pulse, &self.service);
        let mut stop = self.stop.clone();
        let asked = tokio::select! {
            asked = self.proposer.ask(&context, &mut gate) => asked.map(Ok),
            _ = stop.wait_for(|level| *level > StopLevel::Continue) => {
                Ok(Err("a human wanted to stop".to_owned()))
            }
            // It bounds each of its calls and says what it waits for.
            never = self.service.feed() => never,
        };
        let (waited, why) = gate.finish();
        let is_waiting = matches!(asked, Err(Halt::Waits));
        let answer = match asked {
            Ok(answer) => answer,
            Err(Halt::Waits) => Err("something came before the endpoint".to_owned()),
            // What is to be done about a cap is decided where all caps are.
            Err(Halt::Capped(cap)) => Err(format!("the session's {cap} are spent")),
            // A human's commit may have taken the knobs away, and another may bring them back.
            Err(Halt::Fatal(error @ ProposerError::NoKnobs { .. })) => {
                return Err(error).or_outside();
            }
            Err(Halt::Fatal(error)) => return Err(error).or_configuration(),
        };
        Ok(Asked { answer, is_waiting, waited, why })
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
        if self.is_look()? {
            info!("the proposer looks before it answers");
            return self.record(Entry::Looked).await;
        }
        let entry = match self.read_answer()? {
            Ok((proposal, idea)) => {
                let Proposal { hypothesis, description, notes, .. } = proposal;
                info!(hypothesis, description, theme = idea.theme, "proposed");
                if self.is_by_a_model()? {
                    self.rests = 0;
                }
                let usage = Usage::default();
                Entry::Proposed { hypothesis, description, notes, idea, usage }
            }
            Err(problem) => {
                warn!(stage = Stage::Patch.as_str(), problem = telling(&problem), "refused");
                Entry::Refused {
                    stage: Stage::Patch,
                    problem,
                    tampered: None,
                    usage: Usage::default(),
                }
            }
        };
        self.record(entry).await
    }

    /// Whether the answer asks to look at something, and may.
    fn is_look(&self) -> Result<bool, Failure> {
        let candidate = self.candidate()?;
        let text = candidate.answer.as_ref().map_or("", |answer| &answer.text);
        Ok(candidate.looked.len() < look::MOST && look::requests(text).is_some())
    }

    /// What the answer proposes and what that is about. From a model nothing is taken that was tried:
    /// the others have a record of their own of what they tried, and nobody to be told.
    fn read_answer(&self) -> Result<Result<(Proposal, Idea), String>, Failure> {
        let candidate = self.candidate()?;
        let (proposal, patch) = match self.candidates().read_answer(candidate)? {
            Ok(understood) => understood,
            Err(problem) => return Ok(Err(problem)),
        };
        let idea = self.candidates().idea(candidate, (&proposal, &patch))?;
        let about = (&idea, proposal.hypothesis.as_str());
        let tried = repetition(&self.history, &candidate.parent, about);
        Ok(match tried.filter(|_| self.is_by_a_model().unwrap_or(false)) {
            Some(problem) => Err(problem),
            None => Ok((proposal, idea)),
        })
    }

    fn is_by_a_model(&self) -> Result<bool, Failure> {
        Ok(self.candidate()?.row().proposer.starts_with("llm:"))
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
                return self.record(Entry::Refused { stage, problem, tampered: None, usage }).await;
            }
        };
        self.repository.keep(&self.tag, n, &commit).or_outside()?;
        self.record(Entry::Committed { commit }).await
    }
}

/// What asking came to.
struct Asked {
    /// Something to write down, or why there is nothing: a human wants to stop, or a cap is reached.
    answer: Result<Answer, String>,
    /// The endpoint is still waited for.
    is_waiting: bool,
    /// How long the endpoint was waited for, and why the last time.
    waited: Duration,
    why: String,
}
