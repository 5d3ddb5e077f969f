//! The verdict on a candidate, from official scores alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Purpose;

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

/// Judges what is not in competition with the incumbent: a human's commit is kept because it is
/// theirs, and the incumbent measured again changes nothing.
pub fn judge_known(objective: &str, score: Result<f64, String>, purpose: Purpose) -> Judgement {
    let verdict = if purpose == Purpose::Adoption { Verdict::Keep } else { Verdict::Discard };
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
pub fn judge_tampered(what: &str, purpose: Purpose) -> Judgement {
    let reason = format!("tampered: {what}");
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
