//! One session over a landscape: the loop's own decisions, history and verdicts, with a world that is
//! drawn instead of trained. Time is counted, not waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::ideas::{Idea, Ideas, Source};
use crate::experiment::{
    Believing, Candidate, Caps, Court, Effect, Entry, History, Judgement, Notes, Purpose, Rule,
    Rules, RunOutcome, Situation, Spent, StopLevel, Total, Usage, Verdict, certificate, next,
};

/// What a night is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Where ideas come from.
    pub source: Source,
    /// Standard deviation of scores over runs of one recipe.
    pub noise: f64,
    /// Time on the device, in runs.
    pub runs: u32,
    /// The rule.
    pub rule: Rule,
    /// Times that the first incumbent is measured again.
    pub noise_runs: u32,
    /// Share of ideas that crash.
    pub crashes: f64,
    /// Runs of baseline and champion each that certify the champion when the time is over.
    pub certify: u32,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// By how much the true score of the last incumbent is above the first one's.
    pub gained: f64,
    /// Ideas that were kept, and those of them that do not help.
    pub keeps: u32,
    pub false_keeps: u32,
    /// Runs that were trained, those that certify left out.
    pub runs: u32,
    /// Whether the interval that was certified holds the truth, where anything was certified.
    pub covered: Option<bool>,
}

/// Training time of one run.
const RUN_S: f64 = 600.0;
/// The first commit.
const BASE: &str = "base";
/// What the seed of all that is chance differs by from that of the ideas.
const CHANCE: u64 = 1 << 32;
const OBJECTIVE: &str = "sn34_score";
/// The true score of the first recipe.
const FIRST: f64 = 0.8;
/// Share of the device's time for second runs.
const AGAIN_SHARE: f64 = 0.15;

/// Lives a session to the end of its time on the device.
pub fn night(plan: &Plan, seed: u64) -> Outcome {
    let mut world = World::new(*plan, seed);
    let rules = Rules {
        asks: true,
        repair_turns: 0,
        crash_limit: u32::MAX,
        holdout: false,
        noise_runs: plan.noise_runs,
        certify: None,
        rethinks: false,
        again_share: AGAIN_SHARE,
        max_experiments: None,
        caps: Caps {
            device: Some(Duration::from_secs_f64(RUN_S * f64::from(plan.runs))),
            ..Caps::default()
        },
    };
    world.live(&rules);
    let runs = world.outcome.runs;
    let last = Rules {
        max_experiments: Some(0),
        certify: Some(plan.certify).filter(|runs| *runs > 0),
        caps: Caps::default(),
        ..rules
    };
    world.live(&last);
    Outcome { runs, ..world.outcome() }
}

struct World {
    plan: Plan,
    rng: ChaCha8Rng,
    ideas: Box<dyn Ideas>,
    idea: Option<Idea>,
    history: History,
    believing: Believing,
    /// The true score of every commit.
    truth: BTreeMap<String, f64>,
    built: Option<String>,
    outcome: Outcome,
}

impl World {
    fn new(plan: Plan, seed: u64) -> Self {
        Self {
            plan,
            rng: ChaCha8Rng::seed_from_u64(seed.wrapping_add(CHANCE)),
            ideas: plan.source.ideas(BASE, seed),
            idea: None,
            history: History::default(),
            believing: Believing::default(),
            truth: BTreeMap::from([(BASE.to_owned(), FIRST)]),
            built: None,
            outcome: Outcome::default(),
        }
    }

    /// Goes on until the loop waits or stops.
    fn live(&mut self, rules: &Rules) {
        loop {
            let built = self.built.clone();
            let situation = Situation {
                stop: StopLevel::Continue,
                built: built.as_deref(),
                spent: Spent::new(&self.history, Duration::ZERO, 0),
                waits: false,
                goes_on: false,
                is_promising: self.is_promising(),
                certifies: false,
                earlier: None,
            };
            match next(&self.history, rules, &situation) {
                Effect::Wait { .. } | Effect::Stop => return,
                effect => self.perform(effect),
            }
        }
    }

    fn record(&mut self, entry: &Entry) {
        let n = self.history.current();
        self.history.apply(n, entry, 0).expect("an entry that the loop asked for can follow");
    }

    fn candidate(&self) -> &Candidate {
        self.history.in_hand.as_ref().expect("every effect but opening is about an experiment")
    }

    fn true_score(&self, commit: &str) -> f64 {
        self.truth[commit]
    }

    fn incumbent(&self) -> &str {
        self.history.incumbent().map_or(BASE, |row| &row.commit)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Open { purpose, commit } => {
                let parent = commit.unwrap_or_else(|| self.incumbent().to_owned());
                let proposer = purpose.stands_for().unwrap_or("landscape").to_owned();
                self.record(&Entry::Opened { parent, proposer, purpose });
            }
            Effect::Ask => {
                let parent = self.candidate().parent.clone();
                let gain = self.true_score(&parent) - FIRST;
                self.idea = Some(self.ideas.next(&self.history, (&parent, gain)));
                self.record(&Entry::Answered {
                    text: String::new(),
                    problem: None,
                    proposer: "landscape".to_owned(),
                    usage: Usage::default(),
                    cost_usd: 0.0,
                });
            }
            Effect::Introduce | Effect::Understand => {
                let description = self.idea.as_ref().map(|idea| idea.description.clone());
                self.record(&Entry::Proposed {
                    hypothesis: String::new(),
                    description: description.unwrap_or_default(),
                    notes: Notes::default(),
                    idea: crate::experiment::Idea::default(),
                    usage: Usage::default(),
                });
            }
            Effect::Commit => self.commit(),
            Effect::Build => {
                self.built = self.candidate().commit.clone();
                self.record(&Entry::Built { program: None });
            }
            Effect::Train => self.train(),
            Effect::Predict => self.record(&Entry::Predicted {
                run: RunOutcome::Finished,
                seconds: 0.0,
                problem: None,
                tampered: None,
            }),
            Effect::Score => self.score(),
            Effect::Again => self.record(&Entry::Again),
            Effect::Decide => self.decide(),
            Effect::Settle => self.record(&Entry::Settled { phase_seconds: BTreeMap::new() }),
            Effect::Abandon { reason } => self.record(&Entry::Abandoned { reason }),
            Effect::HandBack | Effect::HoldOut | Effect::Wait { .. } | Effect::Stop => {}
        }
    }

    fn commit(&mut self) {
        let Candidate { experiment, purpose, parent, .. } = self.candidate();
        let commit = match purpose {
            Purpose::Candidate => format!("c{experiment}"),
            _ => parent.clone(),
        };
        if let Some(idea) = self.idea.take() {
            self.truth.insert(commit.clone(), FIRST + idea.gain);
            self.ideas.made(&commit);
        }
        self.record(&Entry::Committed { commit });
    }

    fn train(&mut self) {
        let is_idea = self.candidate().purpose == Purpose::Candidate;
        let crashes = is_idea && self.rng.random_bool(self.plan.crashes);
        let run = match crashes {
            true => RunOutcome::Crashed { code: Some(1), signal: None, cause: None },
            false => RunOutcome::Finished,
        };
        self.outcome.runs += 1;
        self.record(&Entry::Ran {
            run,
            seconds: RUN_S,
            startup_s: 0.0,
            claims: None,
            curve: Vec::new(),
            problem: None,
            tampered: None,
        });
    }

    fn score(&mut self) {
        let commit = self.candidate().commit.clone().expect("what is scored has a commit");
        let chance: f64 = StandardNormal.sample(&mut self.rng);
        let score = self.true_score(&commit) + self.plan.noise * chance;
        self.record(&Entry::Scored {
            metrics: BTreeMap::from([(OBJECTIVE.to_owned(), score)]),
            peak_vram_mb: 0.0,
            records: 0,
            sources: BTreeMap::new(),
            tampered: None,
        });
    }

    fn court(&self) -> Court<'_> {
        let best = self.history.incumbent().and_then(|row| row.metrics.get(OBJECTIVE));
        Court {
            objective: OBJECTIVE,
            rule: self.plan.rule,
            belief: self.believing.now(),
            incumbent: best.copied(),
            growth: 0,
        }
    }

    fn is_promising(&mut self) -> bool {
        self.believing.follow(&self.history, OBJECTIVE);
        let in_hand = self.history.in_hand.as_ref();
        in_hand.is_some_and(|candidate| self.court().doubts(candidate))
    }

    fn decide(&mut self) {
        let candidate = self.candidate();
        let Judgement { verdict, reason } = self.court().judge(candidate);
        if candidate.purpose == Purpose::Candidate && verdict == Verdict::Keep {
            let helps = self.effect() > 0.0;
            self.outcome.keeps += 1;
            self.outcome.false_keeps += u32::from(!helps);
        }
        self.record(&Entry::Decided { verdict, reason, evidence: None });
    }

    /// What the idea in hand truly does.
    fn effect(&self) -> f64 {
        let Candidate { commit, parent, .. } = self.candidate();
        let commit = commit.as_deref().expect("what is decided has a commit");
        self.true_score(commit) - self.true_score(parent)
    }

    fn outcome(&self) -> Outcome {
        let gained = self.true_score(self.incumbent()) - FIRST;
        let certified = certificate(&self.history, OBJECTIVE);
        let holds = |total: Total| (total.low..=total.high).contains(&gained);
        let covered = certified.map(|certified| holds(certified.validation));
        Outcome { gained, covered, ..self.outcome }
    }
}
