//! What a session comes to: its baseline and its champion measured again, each under the same new
//! seeds, so that neither number was chosen for being high.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::machine::first_measured;
use super::{Candidate, History, Purpose, Row, mean_and_variance};

/// How sure the interval of a total is. A little more than the 95 % that are asked for, since its
/// width is itself estimated from few runs.
pub const CONFIDENCE: f64 = 0.97;
/// What certifying runs add to the session's seed, far from the seeds of its experiments.
const SEEDS: u64 = 1_000_000;

/// By how much the champion is better than the baseline, on one part of the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Total {
    /// Mean score of the baseline.
    pub baseline: f64,
    /// Mean score of the champion.
    pub champion: f64,
    /// Ends of the interval of the difference.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Runs of each.
    pub runs: (usize, usize),
}

/// What certifying runs tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// Numbers of the experiments that first measured them.
    pub baseline: u32,
    /// The champion's.
    pub champion: u32,
    /// On the part that decides.
    pub validation: Total,
    /// On the part that decides nothing.
    pub holdout: Option<Total>,
}

/// The total of two sets of scores, of two runs at least each.
///
/// # Source
/// Welch, The generalization of "Student's" problem, Biometrika 34, 1947.
pub fn total(baseline: &[f64], champion: &[f64]) -> Option<Total> {
    let [(before, before_error), (after, after_error)] = [moments(baseline)?, moments(champion)?];
    let variance = before_error + after_error;
    let freedom = |error: f64, runs: usize| error * error / (runs as f64 - 1.0);
    let spread = freedom(before_error, baseline.len()) + freedom(after_error, champion.len());
    let half = match variance > 0.0 {
        true => {
            let student = StudentsT::new(0.0, 1.0, variance * variance / spread).ok()?;
            student.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * variance.sqrt()
        }
        false => 0.0,
    };
    let gained = after - before;
    let (low, high) = (gained - half, gained + half);
    let runs = (baseline.len(), champion.len());
    Some(Total { baseline: before, champion: after, low, high, runs })
}

/// The mean, and the square of its standard error.
fn moments(scores: &[f64]) -> Option<(f64, f64)> {
    let (mean, variance) = mean_and_variance(scores);
    (scores.len() > 1).then(|| (mean, variance / scores.len() as f64))
}

/// The baseline and the champion, where they are two.
fn ends(history: &History) -> Option<(&Row, &Row)> {
    let line = history.line();
    let (first, last) = (*line.first()?, *line.last()?);
    (first.commit != last.commit).then_some((first, last))
}

/// Certifying runs of a commit, on the machine that the session runs on: those of others do not compare.
fn runs<'a>(history: &'a History, commit: &'a str) -> impl Iterator<Item = &'a Row> {
    let is_here = |row: &Row| row.machine.is_none() || row.machine == history.machine;
    history
        .decided()
        .filter(move |row| row.purpose == Purpose::Certify && row.commit == commit && is_here(row))
}

/// The commit that is to be measured next for so many runs of each; none when there is nothing to
/// certify, or all is measured.
pub fn due(history: &History, most: u32) -> Option<String> {
    let (first, last) = ends(history)?;
    let [first, last] = [first, last].map(|row| (runs(history, &row.commit).count(), row));
    let (measured, row) = if last.0 < first.0 { last } else { first };
    (measured < most as usize).then(|| row.commit.clone())
}

/// Whether certifying the champion is late: it was begun and is not over, or the champion was there
/// when its hour came (wall time, milliseconds since 1970), if that has come.
pub fn is_late(history: &History, most: u32, hour_ms: Option<i64>) -> bool {
    let Some((_, champion)) = ends(history).filter(|_| due(history, most).is_some()) else {
        return false;
    };
    let champion = first_measured(history, champion).unwrap_or(champion);
    let since = |row: &Row| row.purpose == Purpose::Certify && row.experiment > champion.experiment;
    let in_hand = history.in_hand.as_ref().map(Candidate::row);
    let is_begun = history.rows.iter().chain(in_hand).any(since);
    is_begun || hour_ms.is_some_and(|hour_ms| champion.decided_at_ms <= hour_ms)
}

/// The seed of the next certifying run of a commit: the n-th of the baseline and of the champion have
/// one seed.
pub(super) fn seed(history: &History, commit: &str, session: u64) -> u64 {
    let measured = runs(history, commit).count();
    session.wrapping_add(SEEDS).wrapping_add(measured as u64)
}

/// What was certified of the present champion; nothing with fewer than two scored runs of each.
pub fn certificate(history: &History, objective: &str) -> Option<Certificate> {
    let (first, last) = ends(history)?;
    let on = |part: fn(&Row) -> &BTreeMap<String, f64>| {
        let scores = |of: &Row| -> Vec<f64> {
            let scored = runs(history, &of.commit).filter(|row| row.is_scored());
            scored.filter_map(|row| part(row).get(objective).copied()).collect()
        };
        total(&scores(first), &scores(last))
    };
    Some(Certificate {
        baseline: first.experiment,
        champion: last.experiment,
        validation: on(|row| &row.metrics)?,
        holdout: on(|row| &row.holdout),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Entry, Verdict};
    use crate::sample::{self, tried};
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution as _, StandardNormal};

    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut draw = |mean: f64, sd: f64| -> f64 {
            let chance: f64 = StandardNormal.sample(&mut rng);
            mean + sd * chance
        };
        for runs in [3, 5] {
            let covered = (0..2000).filter(|_| {
                let before: Vec<f64> = (0..runs).map(|_| draw(0.8, 0.004)).collect();
                let after: Vec<f64> = (0..runs).map(|_| draw(0.83, 0.006)).collect();
                let total = total(&before, &after).unwrap();
                total.low <= 0.03 && 0.03 <= total.high
            });
            let share = covered.count() as f64 / 2000.0;
            assert!((0.955..0.995).contains(&share), "{runs} runs: {share}");
        }
    }

    #[test]
    fn one_run_tells_nothing_and_equal_ones_have_no_width() {
        assert_eq!(total(&[0.5], &[0.6, 0.7]), None);
        let total = total(&[0.5, 0.5], &[0.75, 0.75]).unwrap();
        assert_eq!((total.low, total.high, total.runs), (0.25, 0.25, (2, 2)));
    }

    #[test]
    fn baseline_and_champion_take_turns_until_both_are_measured() {
        let rows = [
            tried(Verdict::Keep, 0.7, "baseline"),
            tried(Verdict::Keep, 0.8, "better"),
            tried(Verdict::Discard, 0.6, "worse"),
        ];
        let mut history = sample::history(&rows);
        let [first, last] = [0, 1].map(|at: usize| history.rows[at].commit.clone());
        let template = history.rows[2].clone();
        let mut turns = Vec::new();
        for score in [0.70, 0.81, 0.72, 0.79] {
            let commit = due(&history, 2).unwrap();
            let seed = seed(&history, &commit, 42) - 42 - SEEDS;
            turns.push((commit.clone(), seed));
            let mut row = template.clone();
            row.experiment = history.rows.len() as u32;
            (row.purpose, row.commit) = (Purpose::Certify, commit);
            row.metrics.insert("sn34_score".to_owned(), score);
            assert_eq!(certificate(&history, "sn34_score"), None);
            history.rows.push(row);
        }
        let expected = [(&first, 0), (&last, 0), (&first, 1), (&last, 1)];
        assert_eq!(turns, expected.map(|(commit, seed)| (commit.clone(), seed)));
        assert_eq!(due(&history, 2), None);
        let certified = certificate(&history, "sn34_score").unwrap();
        assert_eq!((certified.baseline, certified.champion), (0, 1));
        assert!((certified.validation.champion - 0.8).abs() < 1e-12);
        assert_eq!(certified.holdout, None);
    }

    #[test]
    fn what_was_begun_or_missed_is_late_and_nothing_else_is() {
        let rows = [tried(Verdict::Keep, 0.7, "baseline"), tried(Verdict::Keep, 0.8, "better")];
        let mut history = sample::history(&rows);
        let kept_ms = history.rows[1].decided_at_ms;
        for (hour_ms, expected) in
            [(None, false), (Some(kept_ms - 1), false), (Some(kept_ms), true)]
        {
            assert_eq!(is_late(&history, 2, hour_ms), expected, "{hour_ms:?}");
        }
        for (n, of, is_begun) in [(2, 0, true), (3, 1, true), (4, 0, true), (5, 1, false)] {
            let (parent, proposer) = (sample::object_id(of), "certify".to_owned());
            let mut entries = sample::entries(n, &tried(Verdict::Discard, 0.7, "again"));
            entries[2] = Entry::Committed { commit: parent.clone() };
            entries[0] = Entry::Opened { parent, proposer, purpose: Purpose::Certify };
            for entry in entries {
                history.apply(n, &entry, kept_ms + 1).unwrap();
                let is_in_hand = history.in_hand.as_ref().is_some_and(|c| c.decided().is_none());
                assert_eq!(is_late(&history, 2, None), is_in_hand || is_begun, "{n}: {entry:?}");
            }
        }
        assert!(!is_late(&history, 2, Some(kept_ms)), "all is measured");
        // A better one is the next morning's, though the baseline was measured before.
        for entry in sample::entries(6, &tried(Verdict::Keep, 0.9, "best")) {
            history.apply(6, &entry, kept_ms).unwrap();
        }
        assert!(!is_late(&history, 2, None) && is_late(&history, 2, Some(kept_ms)));
    }

    #[test]
    fn a_session_without_a_better_one_has_nothing_to_certify() {
        let history = sample::history(&[tried(Verdict::Keep, 0.7, "baseline")]);
        assert_eq!(due(&history, 3), None);
        assert_eq!(due(&History::default(), 3), None);
        assert!(!is_late(&history, 3, Some(i64::MAX)));
    }
}
