//! Research whose truth is known: thousands of experiments in seconds, with the decisions, the history
//! and the verdicts of the loop itself, over landscapes that are drawn from a seed. It tells what a
//! rule for verdicts brings, and what it lets through.

mod compare;
mod ideas;
mod landscape;
mod night;
mod terrain;

pub use compare::{Comparison, Mean, compare};
pub use ideas::{Proposer, Source};
pub use landscape::Landscape;
pub use night::{Outcome, Plan, night};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Rule;

    fn plan(source: Source, rule: Rule) -> Plan {
        let noise_runs = if rule == Rule::Strict { 0 } else { 3 };
        Plan { source, noise: 0.008, runs: 150, rule, noise_runs, crashes: 0.1, certify: 0 }
    }

    #[test]
    fn a_night_replays_bit_for_bit_and_uses_its_time() {
        for source in [Source::Drawn(Landscape::B), Source::Knobs(Proposer::Optimiser)] {
            let plan = Plan { runs: 30, certify: 3, ..plan(source, Rule::Confirmed) };
            let one = night(&plan, 7);
            assert_eq!(one, night(&plan, 7));
            assert_ne!(one, night(&plan, 8));
            assert_eq!(one.runs, 30);
        }
    }

    /// What the rules are for: more that is true, or less that is not.
    #[test]
    fn rules_that_believe_less_keep_less_that_does_not_help() {
        let of = |rule| compare(plan(Source::Drawn(Landscape::A), rule), 40);
        let [strict, yields, confirmed] = Rule::ALL.map(of);
        assert!(yields.gained().mean > strict.gained().mean, "{yields:?}");
        assert!(confirmed.false_share().mean < 0.85 * strict.false_share().mean, "{confirmed:?}");
        let kept = strict.keeps().mean;
        assert!(kept > 3.0 && strict.false_share().mean > 0.1, "{kept} keeps");
    }

    #[test]
    fn certified_intervals_hold_the_truth() {
        let plan = Plan { certify: 4, runs: 40, ..plan(Source::Drawn(Landscape::A), Rule::Strict) };
        let compared = compare(plan, 60);
        let certified = compared.nights.iter().filter(|night| night.covered.is_some()).count();
        assert!(certified > 40, "{certified} were certified");
        assert!(compared.covered().unwrap().mean > 0.88, "{compared:?}");
    }

    #[test]
    fn without_noise_no_keep_is_false_and_every_proposer_climbs() {
        for proposer in Proposer::ALL {
            let plan = Plan { noise: 1e-9, ..plan(Source::Knobs(proposer), Rule::Strict) };
            let outcome = night(&Plan { runs: 40, crashes: 0.0, ..plan }, 1);
            assert!(outcome.gained > 0.01 && outcome.false_keeps == 0, "{proposer:?}: {outcome:?}");
        }
    }
}
