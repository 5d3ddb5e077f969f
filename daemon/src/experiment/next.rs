//! What the loop does next: a function of the ledger and of what is so now, and of nothing else.
//!
//! There is no second way for a restart. Whatever a life of the daemon did not write down is done
//! again by the next one, so every effect must bear that.

use super::candidate::ATTEMPTS;
use super::{Candidate, Cap, Caps, Environment, History, Pause, Purpose, Spent, Step};
use super::{StopLevel, Verdict};
use super::{certificate, plateau, told_reason};

/// One thing to do. Doing it ends in an entry, which decides the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Begin an experiment.
    Open {
        /// What for.
        purpose: Purpose,
        /// Full object id of its commit, where it measures one that is there.
        commit: Option<String>,
    },
    /// Ask for an answer, or for a better one.
    Ask,
    /// Look into the answer: parse, scope, apply.
    Understand,
    /// Say what a commit that is there is measured for.
    Introduce,
    /// Make the commit and keep it under its own ref.
    Commit,
    /// Build the commit and let it take one step.
    Build,
    /// Train it for the budget.
    Train,
    /// Give a training that failed by a mistake back to its proposer.
    HandBack,
    /// Predict the validation part.
    Predict,
    /// Compute the official scores.
    Score,
    /// Measure once more what scored well.
    Again,
    /// Judge them.
    Decide,
    /// Measure a keep on the holdout.
    HoldOut,
    /// Bring the files for people in line with the verdict.
    Settle,
    /// End the experiment without a verdict.
    Abandon {
        /// Why.
        reason: String,
    },
    /// Wait, and look again.
    Wait {
        /// For what.
        cause: Pause,
        /// Why, for people.
        why: String,
    },
    /// End the session's run.
    Stop,
}

/// What holds for the whole of a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Whether anybody may be asked for a proposal. Where nobody is, what is not committed is given up.
    pub asks: bool,
    /// Answers that may follow a first one that failed.
    pub repair_turns: u32,
    /// Candidates in a row that crash, or that the machine cuts short until they are given up, after
    /// which the incumbent is measured again.
    pub crash_limit: u32,
    /// Whether keeps are measured on a holdout as well.
    pub holdout: bool,
    /// Times that the first incumbent is measured again, to learn how scores differ by chance.
    pub noise_runs: u32,
    /// Runs of baseline and champion each that certify what the session came to, before it stops by
    /// itself and when it is time.
    pub certify: Option<u32>,
    /// Whether a search that stands still measures its incumbent again, and begins at an earlier keep.
    pub rethinks: bool,
    /// Share of the time on the device that may go into measuring again what scored well.
    pub again_share: f64,
    /// Rows after which the loop stops, those that certify left out.
    pub max_experiments: Option<u32>,
    /// What may be spent.
    pub caps: Caps,
}

/// What is so now and does not stand in the ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Situation<'a> {
    /// How urgently a human wants to stop.
    pub stop: StopLevel,
    /// The commit whose build this life of the daemon has at hand.
    pub built: Option<&'a str>,
    /// What was spent.
    pub spent: Spent,
    /// Something outside is waited for.
    pub waits: bool,
    /// The newest attempt at what is under way is this life's, or has left its end to be taken up.
    pub goes_on: bool,
    /// The score in hand is worth to be measured again before it is believed.
    pub is_promising: bool,
    /// The hour has come at which the champion is to be certified.
    pub certifies: bool,
    /// The newest keep before the incumbent whose commit is still there (full object id).
    pub earlier: Option<&'a str>,
}

/// Decides.
pub fn next(history: &History, rules: &Rules, now: &Situation<'_>) -> Effect {
    match &history.in_hand {
        None => between(history, rules, now),
        Some(candidate) => within(history, candidate, (rules, now)),
    }
}

fn between(history: &History, rules: &Rules, now: &Situation<'_>) -> Effect {
    let is_full = is_full(history, rules);
    let is_sound = history.environment == Environment::Sound;
    let certifying = rules.certify.filter(|_| is_sound && (is_full || now.certifies));
    let certified = certifying.and_then(|runs| certificate::due(history, runs));
    if now.stop > StopLevel::Continue {
        return Effect::Stop;
    }
    // At the end it is the champion's turn, whatever else there would be to do. That costs runs alone,
    // and where a cap keeps them from being made there is nothing left to wait for.
    if is_full {
        let is_open = rules.caps.closed_to_runs(now.spent).is_none();
        return match certified.filter(|_| is_open) {
            None => Effect::Stop,
            commit => Effect::Open { purpose: Purpose::Certify, commit },
        };
    }
    if let Some(cap) = rules.caps.reached(now.spent).next() {
        return spent(cap);
    }
    let incumbent = history.incumbent();
    // What a human has just put there may be what mends it.
    if let Some(tip) =
        history.diverged.clone().filter(|_| incumbent.is_some() && !history.is_theirs())
    {
        return Effect::Open { purpose: Purpose::Adoption, commit: Some(tip) };
    }
    if history.environment == Environment::Down {
        let newest = history.opened.saturating_sub(1);
        let why = match history.rows.last().filter(|row| row.is_tampered()) {
            Some(row) => format!(
                "experiment {newest} measured the incumbent again, which cheats ({}): dfr-daemon rollback \
                 returns to an earlier keep",
                told_reason(row)
            ),
            None => {
                format!("experiment {newest} measured what is known to run, and came to nothing")
            }
        };
        return Effect::Wait { cause: Pause::Environment, why };
    }
    let Some(incumbent) = incumbent else {
        return Effect::Open { purpose: Purpose::Baseline, commit: None };
    };
    let again = |purpose| Effect::Open { purpose, commit: Some(incumbent.commit.clone()) };
    match &history.diverged {
        _ if history.doubts_the_machine(rules.crash_limit) => {
            // On another machine its times are no measure, and its score none to compare with.
            let purpose = if history.has_moved() { Purpose::Moved } else { Purpose::Control };
            return again(purpose);
        }
        Some(tip) => return adopt(history, tip),
        None if history.has_moved() => return again(Purpose::Moved),
        None => {}
    }
    if certified.is_some() {
        return Effect::Open { purpose: Purpose::Certify, commit: certified };
    }
    if history.noise_runs() < rules.noise_runs {
        let commit = Some(incumbent.commit.clone());
        return Effect::Open { purpose: Purpose::Noise, commit };
    }
    match history.unusable(rules.crash_limit) {
        Some(answers) => Effect::Wait {
            cause: Pause::Endpoint,
            why: format!("the last {answers} experiments had no answer that could be used"),
        },
        None if rules.rethinks && plateau::doubts(history, now.earlier.is_some()) => {
            let commit = Some(incumbent.commit.clone());
            Effect::Open { purpose: Purpose::Control, commit }
        }
        None => {
            let returns = rules.rethinks && plateau::returns(history, now.earlier.is_some());
            let commit = now.earlier.filter(|_| returns).map(str::to_owned);
            Effect::Open { purpose: Purpose::Candidate, commit }
        }
    }
}

/// Whether the session has all the rows that it is to have, but for those that certify.
fn is_full(history: &History, rules: &Rules) -> bool {
    rules.max_experiments.is_some_and(|most| history.tried() >= most)
}

/// A human's commit is measured once; one that does not run is theirs to mend.
fn adopt(history: &History, tip: &str) -> Effect {
    let failed = history.rows.last().filter(|row| {
        row.purpose == Purpose::Adoption && row.verdict == Verdict::Crash && row.commit == tip
    });
    match failed {
        Some(row) => Effect::Wait {
            cause: Pause::Conflict,
            why: format!("{}: {}; move the branch or commit what mends it", short(tip), row.reason),
        },
        None => Effect::Open { purpose: Purpose::Adoption, commit: Some(tip.to_owned()) },
    }
}

fn within(
    history: &History,
    candidate: &Candidate,
    (rules, now): (&Rules, &Situation<'_>),
) -> Effect {
    let awaits_a_run = matches!(candidate.step, Step::Committed | Step::Built);
    let is_held = awaits_a_run && rules.caps.closed_to_runs(now.spent).is_some();
    let is_last = candidate.purpose == Purpose::Certify && is_full(history, rules);
    if is_held && (is_last || now.stop > StopLevel::Continue) {
        // Whoever raises the cap begins another life; the answer was paid for.
        return Effect::Stop;
    }
    // It cannot be finished first, and what is built goes on with the next life.
    let is_built = candidate.patience() > StopLevel::AfterExperiment;
    if now.waits && is_built && now.stop == StopLevel::AfterExperiment {
        return Effect::Stop;
    }
    if let Some(reason) = hopeless(history, candidate, (rules, now)) {
        return Effect::Abandon { reason };
    }
    let once_built = |effect| match now.built == candidate.commit.as_deref() {
        true => effect,
        false => Effect::Build,
    };
    let is_settled = candidate.problem.is_some() || candidate.tampered.is_some();
    match candidate.step {
        Step::Opened => answer(candidate, rules, now),
        Step::Answered => Effect::Understand,
        Step::Proposed => Effect::Commit,
        Step::Committed => affordable(rules, now).unwrap_or(Effect::Build),
        Step::Ran if candidate.is_mendable() && may_ask(rules, now) && !history.has_moved() => {
            Effect::HandBack
        }
        Step::Built | Step::Ran if is_settled => Effect::Decide,
        Step::Built => affordable(rules, now).unwrap_or_else(|| once_built(Effect::Train)),
        Step::Ran => once_built(Effect::Predict),
        Step::Predicted if is_settled => Effect::Decide,
        Step::Predicted => Effect::Score,
        Step::Scored if is_settled => Effect::Decide,
        Step::Scored => again(history, candidate, (rules, now)).unwrap_or(Effect::Decide),
        Step::Decided => after_verdict(candidate, rules, now),
    }
}

/// Another run of what scored well, once, as long as time remains for it.
fn again(
    history: &History,
    candidate: &Candidate,
    (rules, now): (&Rules, &Situation<'_>),
) -> Option<Effect> {
    let is_first = candidate.purpose == Purpose::Candidate && candidate.rounds() == 0;
    let has_time = history.again_s < rules.again_share * history.device_s;
    let is_free =
        now.stop == StopLevel::Continue && affordable(rules, now).is_none() && !history.has_moved();
    (is_first && now.is_promising && has_time && is_free).then_some(Effect::Again)
}

/// A human who wants to stop need not wait for a number that decides nothing; the next life measures it.
fn after_verdict(candidate: &Candidate, rules: &Rules, now: &Situation<'_>) -> Effect {
    let is_wanted = rules.holdout && candidate.owes_holdout();
    if !is_wanted {
        return Effect::Settle;
    }
    if now.stop >= StopLevel::AbandonRun {
        return Effect::Stop;
    }
    match now.built == candidate.commit.as_deref() {
        true => Effect::HoldOut,
        false => Effect::Build,
    }
}

/// Why an experiment is ended without a verdict.
fn hopeless(
    history: &History,
    candidate: &Candidate,
    (rules, now): (&Rules, &Situation<'_>),
) -> Option<String> {
    if candidate.step == Step::Decided {
        return None;
    }
    if now.stop >= candidate.patience() {
        return Some("a human stopped the session".to_owned());
    }
    let is_asked = candidate.purpose == Purpose::Candidate;
    if is_asked && !rules.asks && candidate.commit.is_none() {
        return Some("certify was asked for".to_owned());
    }
    if history.is_out_of_place(candidate) && !now.goes_on {
        return Some("the session goes on on another machine".to_owned());
    }
    // Once it is built it is measured to the end: nights and money went into it.
    use Step::{Answered, Committed, Opened, Proposed};
    let is_unbuilt = matches!(candidate.step, Opened | Answered | Proposed | Committed);
    let is_movable = is_unbuilt && is_asked && !candidate.was_handed_back();
    if let Some(tip) = history.diverged.as_deref().filter(|_| is_movable) {
        return Some(format!("somebody else moved the branch to {}", short(tip)));
    }
    let is_withdrawn = candidate.purpose == Purpose::Adoption
        && history.diverged.as_ref() != Some(&candidate.parent);
    if is_withdrawn {
        return Some("the commit was taken off the branch again".to_owned());
    }
    // What has just been begun for the last time may still end well; only a new try is refused.
    let phase = candidate.cut_short().filter(|_| !now.goes_on)?;
    Some(format!("the machine cut {phase} short {ATTEMPTS} times"))
}

fn answer(candidate: &Candidate, rules: &Rules, now: &Situation<'_>) -> Effect {
    let is_asked = candidate.purpose == Purpose::Candidate;
    // Its verdict is at hand: whoever wants to stop, or may spend no more, need not wait for another.
    let is_over = candidate.was_handed_back() && !may_ask(rules, now);
    match candidate.turns_left(rules.repair_turns) {
        Some(_) if !is_asked && candidate.refused.is_empty() => Effect::Introduce,
        Some(_) if is_asked && rules.asks && !is_over => {
            rules.caps.reached(now.spent).next().map_or(Effect::Ask, spent)
        }
        _ if candidate.commit.is_some() => Effect::Decide,
        _ => Effect::Abandon { reason: candidate.failure().unwrap_or_default() },
    }
}

/// Whether a proposer may be asked at once.
fn may_ask(rules: &Rules, now: &Situation<'_>) -> bool {
    let is_open = rules.caps.reached(now.spent).next().is_none();
    rules.asks && is_open && now.stop == StopLevel::Continue
}

/// What keeps the machine from being used, if a cap does. A run that trained is measured to its end.
fn affordable(rules: &Rules, now: &Situation<'_>) -> Option<Effect> {
    rules.caps.closed_to_runs(now.spent).map(spent)
}

fn spent(cap: Cap) -> Effect {
    let why = format!("the session's {cap} are spent; {} raises the cap", cap.flag());
    Effect::Wait { cause: Pause::Budget, why }
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
