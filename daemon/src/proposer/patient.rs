//! A proposer that waits for the world: asks, sleeps, shrinks, falls back, and says what it does.
//!
//! One [`Patient::ask`] gives one thing to write down. Whatever cost tokens comes back before the
//! next call is made, so the caller records it first and asks on. The future may be dropped at any
//! point: waits go on where they stood, and what a call under way may have cost is told later.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::{Instant, sleep};

use super::{Next, Patience, Policy, Proposer, ProposerError, Reply, Turn};
use crate::context::Context;
use crate::experiment::Usage;
use crate::prompt::Size;

/// Whom a patient proposer asks before it spends, and tells what it does.
pub trait Gate {
    /// Why nothing may be spent.
    type Cap;

    /// Asked before every call of any proposer; `untold` was spent and is not told yet.
    ///
    /// # Errors
    /// Do not call: this is reached.
    fn may_call(&mut self, untold: Usage) -> Result<(), Self::Cap>;

    /// How long it stays open when nothing but time is spent.
    fn open_for(&self) -> Duration;

    /// Hears of everything that takes time or changes who answers.
    fn hear(&mut self, notice: &Notice<'_>);
}

/// What a patient proposer does, at the moment it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// It sleeps before it asks again.
    Waits {
        /// What failed, for people.
        cause: &'a str,
        /// How long.
        wait: Duration,
        /// It is more of a wait that was told of.
        goes_on: bool,
        /// Somebody has to set something right: a key, a limit, a model's name.
        is_alert: bool,
    },
    /// The fallback answers in place of the primary.
    FallsBack {
        /// What failed, for people.
        cause: &'a str,
        /// Time until the primary is tried again.
        wait: Duration,
        /// Somebody has to set something right.
        is_alert: bool,
    },
    /// The fallback has no answer either.
    FallbackFails {
        /// Why, for people.
        cause: &'a str,
    },
    /// The question was too long and is asked again, smaller.
    Shrinks {
        /// What the endpoint said.
        cause: &'a str,
    },
    /// The primary answers again after it had failed.
    Recovers,
}

/// Something to write down before the next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answered: `llm:<model>`, `playbook`, `scripted`.
    pub proposer: String,
    /// What it cost; estimated if nothing came back.
    pub usage: Usage,
    /// What was said.
    pub said: Said,
}

/// What came back from a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A text to be understood.
    Text(String),
    /// An answer that cannot be used; the problem is for a repair turn.
    Unusable(String),
    /// No answer, but one that may have been billed. Record the usage and ask on: no turn is spent.
    Lost(String),
}

/// Why there is no answer, and none by waiting.
#[derive(Debug)]
pub enum Halt<C> {
    /// The gate is closed; nothing was called.
    Capped(C),
    /// It has waited, for a while or to the end; nothing is at stake. Look around and ask on.
    Waits,
    /// No wait mends this.
    Fatal(ProposerError),
}

/// What failed last.
#[derive(Debug, Default)]
struct Fault {
    cause: String,
    is_alert: bool,
    /// The wait for it was told of.
    is_told: bool,
}

/// A proposer with patience, and another one for the meantime.
pub struct Patient {
    primary: Box<dyn Proposer>,
    fallback: Option<Box<dyn Proposer>>,
    patience: Patience,
    rng: ChaCha8Rng,
    began: Instant,
    fault: Fault,
    /// Of the question at hand.
    size: Size,
    /// Spent on probes, and not told yet.
    probed: Usage,
}

impl Patient {
    /// A proposer that is asked, and perhaps one that answers while it is out. The seed is that of
    /// the jitter.
    pub fn new(
        primary: Box<dyn Proposer>,
        fallback: Option<Box<dyn Proposer>>,
        policy: Policy,
        seed: u64,
    ) -> Self {
        Self {
            primary,
            fallback,
            patience: Patience::new(policy),
            rng: ChaCha8Rng::seed_from_u64(seed),
            began: Instant::now(),
            fault: Fault::default(),
            size: Size::Whole,
            probed: Usage::default(),
        }
    }

    /// Whether somebody answers while the primary rests.
    pub fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }

    /// Does not ask the primary for so long; a fallback answers meanwhile.
    pub fn rest(&mut self, wait: Duration, cause: &str) {
        self.patience.rest(self.began.elapsed(), wait);
        self.fault = Fault { cause: cause.to_owned(), ..Fault::default() };
    }

    /// The primary's name.
    pub fn name(&self) -> String {
        self.primary.name()
    }

    /// Checks once, before anything is created, that proposals can be had. Nothing is waited for:
    /// somebody watches the start.
    ///
    /// # Errors
    /// An endpoint that is out ([`ProposerError::is_outage`]), or a configuration that cannot work.
    pub async fn check(&mut self) -> Result<(), ProposerError> {
        self.primary.check().await?;
        match &mut self.fallback {
            Some(fallback) => fallback.check().await,
            None => Ok(()),
        }
    }

    /// What the next call may cost if its answer never comes, estimated.
    pub fn stake(&self, context: &Context<'_>) -> Usage {
        self.primary.stake(context, self.size)
    }

    /// Asks the primary once for next to nothing, before a session begins. Gives what it cost.
    ///
    /// # Errors
    /// What a human has to mend ([`ProposerError::is_for_a_human`]).
    pub async fn try_out(&mut self) -> Result<Usage, ProposerError> {
        self.primary.try_out().await
    }

    /// What a call may have cost whose [`Patient::ask`] was dropped; told once, here or by the next
    /// `ask`. For a session that ends.
    pub fn abandoned(&mut self) -> Usage {
        let mut usage = self.primary.abandoned();
        usage += std::mem::take(&mut self.probed);
        usage
    }

    /// Asks until there is something to write down. May be dropped at any point and called again.
    ///
    /// # Errors
    /// A gate that is closed, a wait that takes longer, or a failure that no wait mends.
    pub async fn ask<G: Gate>(
        &mut self,
        context: &Context<'_>,
        gate: &mut G,
    ) -> Result<Answer, Halt<G::Cap>> {
        let usage = self.abandoned();
        if usage != Usage::default() {
            let lost = Said::Lost("nobody waited for the answer".to_owned());
            return Ok(self.answer(usage, lost));
        }
        loop {
            if let Some(answer) = self.bide(context, gate).await? {
                return Ok(answer);
            }
            gate.may_call(self.probed).map_err(Halt::Capped)?;
            // Where somebody else can answer, it must not take as long as an answer to find out that
            // there is none.
            let is_doubtful = self.fallback.is_some() && self.patience.is_open();
            let probed = match is_doubtful {
                true => self.primary.probe().await,
                false => Ok(Usage::default()),
            };
            let replied = match probed {
                Ok(usage) => {
                    self.probed += usage;
                    if is_doubtful {
                        gate.may_call(self.probed).map_err(Halt::Capped)?;
                    }
                    self.primary.propose(context, self.size).await
                }
                Err(error) => Err(error),
            };
            if let Some(answer) = self.take(replied, gate).map_err(Halt::Fatal)? {
                return Ok(answer);
            }
        }
    }

    /// Waits until the primary may be asked, unless the fallback answers meanwhile.
    async fn bide<G: Gate>(
        &mut self,
        context: &Context<'_>,
        gate: &mut G,
    ) -> Result<Option<Answer>, Halt<G::Cap>> {
        let Turn::Wait { is_open, .. } = self.patience.turn(self.began.elapsed()) else {
            return Ok(None);
        };
        if is_open && let Some(answer) = self.fall_back(context, gate).await? {
            return Ok(Some(answer));
        }
        let Turn::Wait { left: wait, .. } = self.patience.turn(self.began.elapsed()) else {
            return Ok(None);
        };
        // Not for a call that may not be made then.
        gate.may_call(self.probed).map_err(Halt::Capped)?;
        let Fault { cause, is_alert, is_told } = &mut self.fault;
        let goes_on = std::mem::replace(is_told, true);
        gate.hear(&Notice::Waits { cause, wait, goes_on, is_alert: *is_alert });
        sleep(wait.min(gate.open_for()).min(self.patience.look())).await;
        // Even when the wait is over: the question may be another one by now.
        Err(Halt::Waits)
    }

    async fn fall_back<G: Gate>(
        &mut self,
        context: &Context<'_>,
        gate: &mut G,
    ) -> Result<Option<Answer>, Halt<G::Cap>> {
        let Some(fallback) = &mut self.fallback else { return Ok(None) };
        gate.may_call(self.probed).map_err(Halt::Capped)?;
        let proposer = fallback.name();
        match fallback.propose(context, Size::Whole).await {
            Ok(Reply { text, usage }) => {
                if let Turn::Wait { left: wait, .. } = self.patience.turn(self.began.elapsed()) {
                    let Fault { cause, is_alert, .. } = &self.fault;
                    gate.hear(&Notice::FallsBack { cause, wait, is_alert: *is_alert });
                }
                // The primary's next question is another one.
                self.size = Size::Whole;
                Ok(Some(Answer { proposer, usage, said: Said::Text(text) }))
            }
            Err(error) => {
                gate.hear(&Notice::FallbackFails { cause: &error.to_string() });
                Ok(None)
            }
        }
    }

    /// Takes a call's outcome in; an answer if it is something to write down.
    fn take(
        &mut self,
        replied: Result<Reply, ProposerError>,
        gate: &mut impl Gate,
    ) -> Result<Option<Answer>, ProposerError> {
        let error = match replied {
            Ok(Reply { text, usage }) => return Ok(Some(self.said(usage, Said::Text(text), gate))),
            Err(error) => error,
        };
        let (usage, cause) = (error.usage(), error.to_string());
        let moment = (self.began.elapsed(), self.rng.random());
        match self.patience.failed(&error, self.size, moment) {
            Next::Fatal => return Err(error),
            Next::Answer => return Ok(Some(self.said(usage, Said::Unusable(cause), gate))),
            Next::Shrink => {
                gate.hear(&Notice::Shrinks { cause: &cause });
                self.size = Size::Small;
            }
            Next::Wait { is_alert } => {
                self.fault = Fault { cause: cause.clone(), is_alert, is_told: false };
            }
        }
        let is_lost = [usage, self.probed].iter().any(|usage| *usage != Usage::default());
        Ok(is_lost.then(|| self.answer(usage, Said::Lost(cause))))
    }

    /// The primary answered: the next question is a new one.
    fn said(&mut self, usage: Usage, said: Said, gate: &mut impl Gate) -> Answer {
        if self.patience.succeeded() {
            gate.hear(&Notice::Recovers);
        }
        self.size = Size::Whole;
        self.answer(usage, said)
    }

    fn answer(&mut self, mut usage: Usage, said: Said) -> Answer {
        usage += std::mem::take(&mut self.probed);
        Answer { proposer: self.primary.name(), usage, said }
    }
}
