//! The verdict on a candidate, from official scores alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Belief, Candidate, Purpose, Step};

/// A chance to help that no second run is needed for.
const PLAIN: f64 = 0.97;
/// An expected effect of so many standard deviations of the noise is none.
const NEXT_TO_NOTHING: f64 = 0.1;

/// How the reason begins of what was seen to cheat.
pub(super) const TAMPERED: &str = "tampered: ";

/// What stands in the reason of a verdict by what is believed.
pub(super) const BELIEVED: &str = "it helps with a chance of";

/// What a candidate must show to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// A higher score than the incumbent's.
    #[default]
    Strict,
    /// That it probably helps, by what is believed after all scores of the session.
    Yield,
    /// The same with more confidence, after a second run with another seed.
    Confirmed,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Yield, Self::Confirmed];

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == word)
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Yield => "yield",
            Self::Confirmed => "confirmed",
        }
    }

    /// The chance to help that is enough: what brings most, and what halves the keeps that do not.
    fn confidence(self) -> f64 {
        match self {
            Self::Strict | Self::Yield => 0.6,
            Self::Confirmed => 0.77,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What becomes of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is the new incumbent; the branch stays on it.
    Keep,
    /// Scored, not better.
    Discard,
    /// Never scored.
    Crash,
}

impl Verdict {
    /// The word in results.tsv.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Discard => "discard",
            Self::Crash => "crash",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Keep, discard or crash.
    pub verdict: Verdict,
    /// One line for people.
    pub reason: String,
}

/// Judges a score against the incumbent's: strictly higher keeps, equal or lower discards, and a
/// run that left no score (the error says why) is a crash. The first score of a session is kept.
pub fn judge(objective: &str, score: Result<f64, String>, incumbent: Option<f64>) -> Judgement {
    let (verdict, reason) = match (score, incumbent) {
        (Err(reason), _) => (Verdict::Crash, reason),
        (Ok(score), _) if !score.is_finite() => (Verdict::Crash, format!("{objective} is {score}")),
        (Ok(score), None) => (Verdict::Keep, format!("baseline {objective} {score:.6}")),
        (Ok(score), Some(best)) if score > best => {
            (Verdict::Keep, format!("{objective} {score:.6} > {best:.6}"))
        }
        (Ok(score), Some(best)) => {
            (Verdict::Discard, format!("{objective} {score:.6} <= {best:.6}"))
        }
    };
    Judgement { verdict, reason }
}

/// What verdicts go by.
#[derive(Clone, Copy, Debug)]
pub struct Court<'a> {
    /// The score that decides.
    pub objective: &'a str,
    /// What a candidate must show.
    pub rule: Rule,
    /// What is believed of the incumbent; none while the noise is not known.
    pub belief: Option<&'a Belief>,
    /// The incumbent's score, once there is one.
    pub incumbent: Option<f64>,
    /// By how many lines the code has grown.
    pub growth: i64,
}

impl Court<'_> {
    /// What becomes of a candidate whose measuring has come to its end.
    pub fn judge(&self, candidate: &Candidate) -> Judgement {
        let score = candidate.outcome(self.objective);
        match (&candidate.tampered, candidate.purpose) {
            (Some(what), purpose) => judge_tampered(what, purpose),
            (None, Purpose::Candidate) => match self.believed(candidate) {
                Some((measured, belief)) => {
                    judge_believed(self.objective, measured, (self.rule, belief))
                }
                None => judge(self.objective, score, self.incumbent),
            },
            (None, Purpose::Baseline) => judge(self.objective, score, self.incumbent),
            (None, purpose) => judge_known(self.objective, score, purpose),
        }
    }

    /// Whether a candidate's score is to be measured again before it is believed.
    pub fn doubts(&self, candidate: &Candidate) -> bool {
        let is_due = self.rule == Rule::Confirmed
            && (candidate.purpose, candidate.step) == (Purpose::Candidate, Step::Scored)
            && candidate.rounds() == 0;
        let believed = self.believed(candidate).filter(|_| is_due);
        believed.is_some_and(|(measured, belief)| is_promising(measured, belief))
    }

    fn believed(&self, candidate: &Candidate) -> Option<(Measured, &Belief)> {
        let belief = self.belief.filter(|_| self.rule != Rule::Strict)?;
        let score = candidate.outcome(self.objective).ok().filter(|score| score.is_finite())?;
        let measured = Measured { score, runs: candidate.rounds() + 1, growth: self.growth };
        Some((measured, belief))
    }
}

/// A score that is judged by what is believed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Measured {
    /// The objective, a mean over its runs.
    score: f64,
    /// How many they are.
    runs: u32,
    /// By how many lines the code has grown.
    growth: i64,
}

/// Whether a second run is worth its time: it may help, and that is not plain already.
fn is_promising(measured: Measured, belief: &Belief) -> bool {
    let effect = belief.effect(measured.score, measured.runs);
    effect.mean > 0.0 && effect.helps < PLAIN
}

/// Judges a finite score by what is believed of the incumbent and of ideas: one that probably helps
/// is kept, and so is one that does next to nothing with fewer lines.
fn judge_believed(
    objective: &str,
    measured: Measured,
    (rule, belief): (Rule, &Belief),
) -> Judgement {
    let Measured { score, runs, growth } = measured;
    let effect = belief.effect(score, runs);
    let noise = belief.noise();
    let helps = effect.mean > 0.0 && effect.helps >= rule.confidence();
    let is_simpler = growth < 0 && effect.mean.abs() <= NEXT_TO_NOTHING * noise;
    let verdict = if helps || is_simpler { Verdict::Keep } else { Verdict::Discard };
    let lines = if is_simpler && !helps { format!(", {growth} lines") } else { String::new() };
    let of = if runs > 1 { format!(" (mean of {runs} runs)") } else { String::new() };
    let reason = format!(
        "{objective} {score:.6}{of}: {BELIEVED} {:.2}, by {:+.6} ({:+.1} x noise){lines}",
        effect.helps,
        effect.mean,
        effect.mean / noise
    );
    Judgement { verdict, reason }
}

/// Judges what is not in competition with the incumbent: a human's commit is kept because it is
/// theirs, the incumbent on another machine because nothing else can be held against anything there,
/// and the incumbent measured again changes nothing.
fn judge_known(objective: &str, score: Result<f64, String>, purpose: Purpose) -> Judgement {
    let stays = matches!(purpose, Purpose::Adoption | Purpose::Moved);
    let verdict = if stays { Verdict::Keep } else { Verdict::Discard };
    match score {
        Err(reason) => Judgement { verdict: Verdict::Crash, reason },
        Ok(score) if !score.is_finite() => {
            Judgement { verdict: Verdict::Crash, reason: format!("{objective} is {score}") }
        }
        Ok(score) => Judgement { verdict, reason: format!("{objective} {score:.6}") },
    }
}

/// Judges what was seen to cheat: an idea that does is discarded whatever it scored; with code that
/// people wrote it is a mistake to be mended, which nothing can be measured against.
fn judge_tampered(what: &str, purpose: Purpose) -> Judgement {
    let reason = format!("{TAMPERED}{what}");
    match purpose {
        Purpose::Candidate => Judgement { verdict: Verdict::Discard, reason },
        _ => Judgement { verdict: Verdict::Crash, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verdict(score: f64, incumbent: Option<f64>) -> Verdict {
        judge("sn34_score", Ok(score), incumbent).verdict
    }

    #[test]
    fn only_strictly_higher_keeps() {
        assert_eq!(verdict(0.5, None), Verdict::Keep);
        assert_eq!(verdict(0.500_000_1, Some(0.5)), Verdict::Keep);
        assert_eq!(verdict(0.5, Some(0.5)), Verdict::Discard);
        assert_eq!(verdict(0.4, Some(0.5)), Verdict::Discard);
    }

    #[test]
    fn no_score_is_a_crash_with_its_reason() {
        let judgement = judge("sn34_score", Err("no footer".to_owned()), Some(0.1));
        assert_eq!(judgement, Judgement { verdict: Verdict::Crash, reason: "no footer".into() });
        assert_eq!(verdict(f64::NAN, Some(0.1)), Verdict::Crash);
        assert_eq!(verdict(f64::INFINITY, None), Verdict::Crash);
    }

    proptest! {
        #[test]
        fn a_kept_score_is_the_new_best(scores in prop::collection::vec(0.0f64..1.0, 1..30)) {
            let mut best = None;
            for score in &scores {
                if verdict(*score, best) == Verdict::Keep {
                    best = Some(*score);
                }
            }
            prop_assert_eq!(best, scores.into_iter().reduce(f64::max));
        }
    }
}
