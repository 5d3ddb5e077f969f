//! Whole nights over the pure core, with a fault at any effect. A night is its seed: it replays bit
//! for bit. `NIGHTS` says how many, `NIGHT` replays one.
//!
//! The world is small on purpose: a ledger that keeps what was acknowledged, a branch and refs, a
//! machine that dies, a disk that fills, a proposer that babbles, ideas that crash, a human who
//! commits. What is under test is what the daemon decides from, not what it does it with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

const EXPERIMENTS: u32 = 100;
const THREADS: usize = 2;
const BASE: &str = "base";
/// Somebody who can be told what went wrong.
const MODEL: &str = "llm:m";
/// What a call costs.
const ANSWER_USD: f64 = 0.5;
/// Answers to one question that only look.
const LOOKS: usize = 3;
/// Effects of one night after which it is stuck.
const PATIENCE: u32 = 40_000;

const RULES: Rules = Rules {
    asks: true,
    repair_turns: 2,
    crash_limit: 4,
    holdout: true,
    noise_runs: 2,
    certify: Some(2),
    rethinks: true,
    again_share: 0.15,
    max_experiments: Some(EXPERIMENTS),
    caps: Caps { usd: Some(40.0), tokens: None, device: None, lived: None, disk_bytes: None },
};

/// What outlives a crash.
struct World {
    rng: ChaCha8Rng,
    /// Chance of each kind of fault at one effect.
    fault: f64,
    entries: Vec<(u32, Entry)>,
    /// What they add up to, so that a life need not begin with the first of them.
    folded: History,
    tip: String,
    refs: BTreeMap<u32, BTreeSet<String>>,
    human: Vec<String>,
    /// Runs that ended, by commit, experiment, round, phase and attempt: the manifests.
    ended: BTreeSet<(Option<String>, u32, u32, Phase, u32)>,
    environment_is_down: bool,
    /// No run comes to its end.
    machine_stalls: bool,
    /// Cores of the machine, which may be another one when a life begins.
    cores: usize,
    crashes: u32,
    asked: u32,
    trained: u32,
    cap: f64,
}

/// What a life of the daemon knows besides.
struct Life {
    history: History,
    built: Option<String>,
    begun: Option<(u32, Phase)>,
    stop: StopLevel,
}

/// The daemon died, or a human ended its life.
#[derive(Debug)]
struct Died;

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let fault = rng.random_range(0.01..0.10);
        Self {
            rng,
            fault,
            entries: Vec::new(),
            folded: History::default(),
            tip: BASE.to_owned(),
            refs: BTreeMap::new(),
            human: Vec::new(),
            ended: BTreeSet::new(),
            environment_is_down: false,
            machine_stalls: false,
            cores: 1,
            crashes: 0,
            asked: 0,
            trained: 0,
            cap: 40.0,
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        let chance = self.fault * share;
        self.rng.random_bool(chance)
    }

    /// The machine or the daemon may die at any line.
    fn survive(&mut self) -> Result<(), Died> {
        if self.happens(0.3) {
            self.crashes += 1;
            return Err(Died);
        }
        Ok(())
    }

    fn history(&self) -> History {
        let mut history = History::default();
        for (n, entry) in &self.entries {
            history.apply(*n, entry, 0).unwrap();
        }
        history
    }

    /// Intent or result: durable, then taken in. A full disk is waited for.
    fn record(&mut self, life: &mut Life, entry: Entry) -> Result<(), Died> {
        self.survive()?;
        let n = life.history.current();
        life.history.check(n, &entry).unwrap();
        while self.happens(0.2) {
            self.survive()?;
        }
        self.folded.apply(n, &entry, 0).unwrap();
        self.entries.push((n, entry));
        self.survive()?;
        let (_, entry) = self.entries.last().unwrap();
        life.history.apply(n, entry, 0).unwrap();
        Ok(())
    }

    fn begin(&mut self, life: &mut Life, phase: Phase) -> Result<(), Died> {
        let this = Some((life.history.current(), phase));
        if life.begun != this {
            let stake = Stake { usage: Usage::default(), cost_usd: ANSWER_USD };
            let stake = (phase == Phase::Propose).then_some(stake);
            self.record(life, Entry::Began { phase, sealed: None, stake })?;
            life.begun = this;
        }
        Ok(())
    }

    fn end(&mut self, life: &mut Life, entry: Entry) -> Result<(), Died> {
        self.record(life, entry)?;
        life.begun = None;
        Ok(())
    }

    fn align(&mut self, life: &mut Life) -> Result<(), Died> {
        if self.happens(0.02) {
            self.tip = self.by_hand(life);
        }
        let newest = life.history.opened.saturating_sub(1);
        let ours = self.refs.get(&newest).cloned().unwrap_or_default();
        match align(&life.history, BASE, Some(&self.tip), |tip| ours.contains(tip)) {
            BranchMove::Stay => {}
            BranchMove::Create { .. } => panic!("the branch is there"),
            BranchMove::Diverged { tip } => self.record(life, Entry::Diverged { tip })?,
            BranchMove::Move { from, to } => {
                assert_eq!(from, self.tip);
                assert!(!self.human.contains(&from) || life.history.incumbent().is_some());
                assert!(!from.starts_with("human") || self.is_adopted(life, &from), "{from}");
                self.tip = to;
                self.survive()?;
            }
        }
        Ok(())
    }

    /// A human returns to an earlier keep while no daemon runs, and what was in hand is given up. The
    /// command may die before the branch has moved.
    fn roll_back(&mut self, life: &mut Life) -> Result<(), Died> {
        let keeps = life.history.rows.iter().filter(|row| row.verdict == Verdict::Keep);
        let keeps: Vec<u32> = keeps.map(|row| row.experiment).collect();
        let is_decided = life.history.in_hand.as_ref().is_some_and(|c| c.decided().is_some());
        if keeps.is_empty() || is_decided || !self.happens(1.0) {
            return Ok(());
        }
        if life.history.in_hand.is_some() {
            let reason = "a human returned to an earlier keep".to_owned();
            self.record(life, Entry::Abandoned { reason })?;
        }
        let to = keeps[self.rng.random_range(0..keeps.len())];
        self.record(life, Entry::RolledBack { to })?;
        self.survive()?;
        self.align(life)
    }

    /// A human commits, or takes the branch back to where it was.
    fn by_hand(&mut self, life: &Life) -> String {
        let newest = life.history.opened.saturating_sub(1);
        let candidate = self.refs.get(&newest).and_then(|refs| refs.first().cloned());
        let incumbent = life.history.incumbent().map(|row| row.commit.clone());
        let back = if self.rng.random_bool(0.5) { candidate } else { incumbent };
        back.filter(|_| self.rng.random_bool(0.4)).unwrap_or_else(|| {
            let theirs = format!("human-{}", self.human.len());
            self.human.push(theirs.clone());
            theirs
        })
    }

    /// A human's commit may only be moved on from once it was the incumbent.
    fn is_adopted(&self, life: &Life, commit: &str) -> bool {
        life.history.rows.iter().any(|row| row.commit == commit && row.verdict == Verdict::Keep)
    }

    fn perform(&mut self, life: &mut Life, effect: Effect) -> Result<(), Died> {
        self.survive()?;
        let n = life.history.current();
        match effect {
            Effect::Open { purpose, commit } => {
                let incumbent = life.history.incumbent().map_or(BASE, |row| &row.commit);
                let parent = commit.unwrap_or_else(|| incumbent.to_owned());
                self.record(life, Entry::Opened { parent, proposer: MODEL.into(), purpose })
            }
            Effect::Introduce => self.record(life, proposed()),
            Effect::Ask => self.ask(life),
            Effect::Understand => {
                let looked = life.history.in_hand.as_ref().map_or(0, |c| c.looked.len());
                let entry = match () {
                    () if looked < LOOKS && self.happens(3.0) => Entry::Looked,
                    () if self.happens(3.0) => refused(Stage::Patch),
                    () => proposed(),
                };
                self.record(life, entry)
            }
            Effect::Commit => self.commit(life, n),
            Effect::Build => self.build(life),
            Effect::Train => self.run(life, Phase::Train),
            Effect::Predict => self.run(life, Phase::Predict),
            Effect::Score => self.score(life),
            Effect::HandBack => self.record(life, refused(Stage::Train)),
            Effect::Again => self.record(life, Entry::Again),
            Effect::Decide => self.decide(life),
            Effect::HoldOut => self.run(life, Phase::Holdout),
            Effect::Settle => self.record(life, Entry::Settled { phase_seconds: BTreeMap::new() }),
            Effect::Abandon { reason } => {
                let is_cut = reason.starts_with("the machine cut");
                assert!(!is_cut || !self.goes_on(life), "gave up what had ended");
                self.end(life, Entry::Abandoned { reason })?;
                self.align(life)
            }
            Effect::Wait { cause, why } => self.wait(life, cause, why),
            Effect::Stop => Ok(()),
        }
    }

    fn ask(&mut self, life: &mut Life) -> Result<(), Died> {
        assert!(life.history.cost_usd < self.cap, "asked with a spent budget");
        if self.happens(0.5) {
            let text = format!("words {}", self.entries.len());
            self.record(life, Entry::Directed { from: Place::Inbox, text })?;
        }
        self.begin(life, Phase::Propose)?;
        self.asked += 1;
        self.survive()?;
        let problem = self.happens(1.0).then(|| "cut off".to_owned());
        let (usage, proposer) = (Usage::default(), MODEL.to_owned());
        let text = format!("{}", self.rng.next_u64());
        self.end(life, Entry::Answered { text, problem, proposer, usage, cost_usd: ANSWER_USD })
    }

    fn commit(&mut self, life: &mut Life, n: u32) -> Result<(), Died> {
        let candidate = life.history.in_hand.as_ref().unwrap();
        let commit = match (candidate.purpose, &candidate.answer) {
            // The same answer makes the same commit.
            (Purpose::Candidate, Some(answer)) => format!("c{n}-{}", answer.text),
            _ => candidate.parent.clone(),
        };
        self.refs.entry(n).or_default().insert(commit.clone());
        self.record(life, Entry::Committed { commit })
    }

    fn build(&mut self, life: &mut Life) -> Result<(), Died> {
        life.built = None;
        let candidate = life.history.in_hand.as_ref().unwrap();
        if candidate.row().program.is_some() && candidate.step != Step::Committed {
            // What was built of it is kept with it.
            life.built.clone_from(&candidate.commit);
            return Ok(());
        }
        self.begin(life, Phase::Build)?;
        self.survive()?;
        let candidate = life.history.in_hand.as_ref().unwrap();
        let (commit, again) = (candidate.commit.clone(), candidate.step != Step::Committed);
        let fails = self.happens(2.0);
        if again && fails {
            let (phase, why) = (Phase::Build, "it built before".to_owned());
            return self.end(life, Entry::Interrupted { phase, why, seconds: 0.0 });
        }
        if !again && (self.environment_is_down || fails) {
            return self.end(life, refused(Stage::Build));
        }
        life.built = commit;
        let program = self.rng.random_bool(0.5).then(|| "a program".to_owned());
        self.end(life, Entry::Built { program })
    }

    fn run(&mut self, life: &mut Life, phase: Phase) -> Result<(), Died> {
        let candidate = life.history.in_hand.as_ref().unwrap();
        assert_eq!(life.built, candidate.commit, "ran another build");
        let n = candidate.experiment;
        let round = candidate.rounds();
        let commit = candidate.commit.clone();
        let left = (commit.clone(), n, round, phase, candidate.attempts(phase));
        if !self.ended.contains(&left) {
            self.begin(life, phase)?;
            self.trained += 1;
            self.survive()?;
            if self.machine_stalls || self.happens(0.5) {
                let why = "the machine".to_owned();
                return self.end(life, Entry::Interrupted { phase, why, seconds: 1.0 });
            }
            let attempt = life.history.in_hand.as_ref().unwrap().attempts(phase);
            self.ended.insert((commit, n, round, phase, attempt));
        }
        let crashed = self.environment_is_down || self.happens(2.0);
        let run = match crashed {
            true => RunOutcome::Crashed { code: Some(1), signal: None, cause: None },
            false => RunOutcome::Finished,
        };
        let entry = match phase {
            Phase::Train => {
                let tampered = self.happens(0.5).then(|| "a metric line".to_owned());
                Entry::Ran {
                    run,
                    seconds: 1.0,
                    startup_s: 0.0,
                    claims: None,
                    curve: Vec::new(),
                    problem: None,
                    tampered,
                }
            }
            Phase::Holdout => {
                let problem = crashed.then(|| "crashed".to_owned());
                Entry::HeldOut { metrics: BTreeMap::new(), seconds: 1.0, problem }
            }
            _ => Entry::Predicted { run, seconds: 1.0, problem: None, tampered: None },
        };
        self.end(life, entry)
    }

    fn score(&mut self, life: &mut Life) -> Result<(), Died> {
        if self.happens(0.5) {
            return self.record(life, Entry::Unscored { reason: "no predictions".into() });
        }
        let metrics = BTreeMap::from([("s".to_owned(), self.rng.random_range(0.0..1.0))]);
        self.record(
            life,
            Entry::Scored {
                metrics,
                peak_vram_mb: 1.0,
                records: 0,
                sources: BTreeMap::new(),
                tampered: None,
            },
        )
    }

    fn decide(&mut self, life: &mut Life) -> Result<(), Died> {
        let candidate = life.history.in_hand.as_ref().unwrap();
        let judgement = court(&life.history).judge(candidate);
        let Judgement { verdict, reason } = judgement;
        self.record(life, Entry::Decided { verdict, reason, evidence: None })
    }

    fn wait(&mut self, life: &mut Life, cause: Pause, why: String) -> Result<(), Died> {
        match cause {
            Pause::Budget => self.cap += 20.0,
            Pause::Conflict => {
                let theirs = format!("human-{}", self.human.len());
                self.human.push(theirs.clone());
                self.tip = theirs;
            }
            _ => {}
        }
        if self.rng.random_bool(0.3) {
            self.environment_is_down = false;
            self.machine_stalls = false;
        }
        self.record(life, Entry::Paused { cause, why, seconds: 1.0 })
    }

    /// What is under way was begun in this life, or its end is there to be taken up.
    fn goes_on(&self, life: &Life) -> bool {
        let Some(candidate) = &life.history.in_hand else { return false };
        let Some(phase) = candidate.under_way() else { return false };
        let attempt = candidate.attempts(phase);
        let commit = candidate.commit.clone();
        let left = (commit, candidate.experiment, candidate.rounds(), phase, attempt);
        life.begun == Some((candidate.experiment, phase)) || self.ended.contains(&left)
    }

    fn settle_on_a_machine(&mut self, life: &mut Life) -> Result<(), Died> {
        if self.happens(2.0) {
            self.cores = 3 - self.cores;
        }
        let machine = Machine { cores: self.cores, ..Machine::default() };
        match life.history.machine.as_deref() == Some(&machine) {
            true => Ok(()),
            false => self.record(life, Entry::Machine { machine }),
        }
    }

    /// One life, until it dies or is done.
    fn live(&mut self, steps: &mut u32) -> Result<History, Died> {
        let history = self.folded.clone();
        let mut life = Life { history, built: None, begun: None, stop: StopLevel::Continue };
        if !self.entries.is_empty() {
            self.record(&mut life, resumed(1.0, 0.0))?;
            let at_stake = life.history.in_hand.as_ref().and_then(Candidate::at_stake);
            if let Some(Stake { usage, cost_usd }) = at_stake {
                self.record(&mut life, Entry::Lost { usage, cost_usd })?;
            }
            self.roll_back(&mut life)?;
        }
        self.settle_on_a_machine(&mut life)?;
        loop {
            *steps += 1;
            assert!(*steps < PATIENCE, "stuck at {:?}", life.history.in_hand);
            if self.happens(0.01) {
                self.environment_is_down = true;
            }
            if self.happens(0.01) {
                self.machine_stalls = true;
            }
            if self.happens(0.02) {
                let urgent = self.rng.random_bool(0.5);
                let stop = if urgent { StopLevel::AbandonRun } else { StopLevel::AfterExperiment };
                life.stop = life.stop.max(stop);
            }
            self.align(&mut life)?;
            let rules = Rules { caps: Caps { usd: Some(self.cap), ..RULES.caps }, ..RULES };
            let spent = Spent::new(&life.history, Duration::ZERO, 0);
            let goes_on = self.goes_on(&life);
            let situation = Situation {
                stop: life.stop,
                built: life.built.as_deref(),
                spent,
                waits: false,
                goes_on,
                is_promising: life.history.current().is_multiple_of(3),
                certifies: life.history.current().is_multiple_of(7),
                earlier: earlier_keeps(&life.history).next().map(|row| row.commit.as_str()),
            };
            let effect = next(&life.history, &rules, &situation);
            match effect {
                Effect::Stop if life.stop > StopLevel::Continue => return Err(Died),
                Effect::Stop => return Ok(life.history),
                effect => self.perform(&mut life, effect)?,
            }
        }
    }
}

/// Without a belief: what scored well is measured again by turns, however it is judged.
fn court(history: &History) -> Court<'_> {
    let incumbent = history.incumbent().map(|row| row.metrics["s"]);
    Court { objective: "s", rule: Rule::Strict, belief: None, incumbent, growth: 0 }
}

fn resumed(lived_s: f64, device_s: f64) -> Entry {
    Entry::Resumed { lived_s, device_s, sign_ms: None }
}

fn proposed() -> Entry {
    Entry::Proposed {
        hypothesis: String::new(),
        description: String::new(),
        notes: Notes::default(),
        idea: Idea::default(),
        usage: Usage::default(),
    }
}

fn refused(stage: Stage) -> Entry {
    Entry::Refused { stage, problem: "x".to_owned(), tampered: None, usage: Usage::default() }
}

/// A whole night, checked; gives what it left.
fn night(seed: u64) -> (Vec<(u32, Entry)>, u32) {
    let mut world = World::new(seed);
    let mut steps = 0;
    let history = loop {
        let before = world.entries.len();
        match world.live(&mut steps) {
            Ok(history) => break history,
            Err(Died) => assert!(world.entries.len() >= before, "lost an entry"),
        }
    };
    check(&world, &history);
    (world.entries, world.crashes)
}

fn check(world: &World, history: &History) {
    assert_eq!(*history, world.history(), "memory and ledger differ");
    let tried = history.rows.iter().filter(|row| row.purpose != Purpose::Certify);
    assert_eq!(tried.count(), EXPERIMENTS as usize);
    let mut decided = BTreeSet::new();
    for (n, entry) in &world.entries {
        if matches!(entry, Entry::Decided { .. }) {
            assert!(decided.insert(*n), "experiment {n} was decided twice");
        }
    }
    assert!(history.rows.iter().all(|row| decided.contains(&row.experiment)), "a row was lost");
    check_keeps(world);
    check_given_up(world);
    for row in &history.rows {
        let against = history.compared_with(row).filter(|_| row.purpose == Purpose::Candidate);
        let is_fair = against.is_none_or(|best| !row.is_scored() || best.machine == row.machine);
        assert!(is_fair, "experiment {} was compared with another machine's", row.experiment);
        assert!(world.refs[&row.experiment].contains(&row.commit), "an unreachable candidate");
    }
    match &history.diverged {
        Some(theirs) => assert_eq!(world.tip, *theirs, "a human's commit was moved off the branch"),
        None => assert_eq!(world.tip, history.standing(BASE), "the branch is off the incumbent"),
    }
    let paid = ANSWER_USD * f64::from(world.asked);
    assert!(history.cost_usd >= paid, "{} of {paid} US dollars are counted", history.cost_usd);
    check_spending(world);
}

/// What was asked and run stands in the ledger, but for one of each that every crash may cost.
fn check_spending(world: &World) {
    let of = |wanted: fn(&Entry) -> bool| {
        u32::try_from(world.entries.iter().filter(|(_, entry)| wanted(entry)).count()).unwrap()
    };
    let answered = of(|entry| matches!(entry, Entry::Answered { .. }));
    let ran = of(|entry| entry.device_s() > 0.0 && !matches!(entry, Entry::Resumed { .. }));
    for (what, done, told) in [("asked", world.asked, answered), ("ran", world.trained, ran)] {
        let most = told + world.crashes;
        assert!((told..=most).contains(&done), "{what} {done} times, {told} are told of");
    }
}

/// The best only ever gets better, unless a human said otherwise; every keep has its holdout, or the
/// machine cut that short.
fn check_keeps(world: &World) {
    let mut history = History::default();
    for (n, entry) in &world.entries {
        let before = history.incumbent().map(|row| row.metrics["s"]);
        history.apply(*n, entry, 0).unwrap();
        let (Entry::Settled { .. }, Some(row)) = (entry, history.rows.last()) else { continue };
        if row.verdict != Verdict::Keep {
            continue;
        }
        let is_better = before.is_none_or(|best| row.metrics["s"] > best);
        let stays = matches!(row.purpose, Purpose::Adoption | Purpose::Moved);
        assert!(is_better || stays, "experiment {n}");
        let of = |wanted: fn(&Entry) -> bool| {
            world.entries.iter().filter(|(m, entry)| m == n && wanted(entry)).count()
        };
        let measured = of(|entry| matches!(entry, Entry::HeldOut { .. }));
        let cut =
            of(|entry| matches!(entry, Entry::Began { phase: Phase::Holdout | Phase::Build, .. }));
        assert!(measured == 1 || cut >= 3, "experiment {n}: holdout measured {measured} times");
    }
}

/// A machine that cuts everything short is found out before more ideas than that are given up to it.
fn check_given_up(world: &World) {
    let (mut given_up, mut is_candidate) = (0, false);
    for (n, entry) in &world.entries {
        match entry {
            Entry::Opened { purpose, .. } => {
                is_candidate = *purpose == Purpose::Candidate;
                let is_due = given_up >= RULES.crash_limit;
                assert!(!is_due || !is_candidate, "experiment {n} comes instead of a control");
            }
            Entry::Abandoned { reason } if is_candidate && reason.starts_with("the machine") => {
                given_up += 1;
            }
            Entry::RolledBack { .. }
            | Entry::Decided { verdict: Verdict::Keep | Verdict::Discard, .. } => given_up = 0,
            _ => {}
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_night_is_lost() {
    let seeds = match number("NIGHT") {
        Some(seed) => seed..seed + 1,
        None => 0..number("NIGHTS").unwrap_or(2000),
    };
    let crashes_of = &|first: u64| -> u64 {
        let mine = seeds.clone().skip(usize::try_from(first).unwrap()).step_by(THREADS);
        let died = mine.map(|seed| {
            let told = std::panic::catch_unwind(|| night(seed));
            let Ok((_, died)) = told else { panic!("NIGHT={seed} replays the night that failed") };
            u64::from(died)
        });
        died.sum()
    };
    let crashes: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..THREADS as u64).map(|first| scope.spawn(move || crashes_of(first))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let nights = seeds.end - seeds.start;
    assert!(nights < 10 || crashes > nights, "the nights were too quiet: {crashes} crashes");
    println!("{nights} nights of {EXPERIMENTS} experiments, {crashes} crashes, 0 violations");
}

#[test]
fn a_night_replays_bit_for_bit() {
    for seed in [7, 1234] {
        assert_eq!(night(seed), night(seed));
    }
}
