//! What a submission answers, a line a record.

use dfr_contract::exit;
use dfr_export::config::Config;
use dfr_export::tensor::Kind;

use crate::phase::{Phase, PhaseError, Watcher};

/// About one record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// Probability of class synthetic.
    pub p_synthetic: f64,
    /// Whether the competition calls it synthetic.
    pub is_synthetic: bool,
}

/// Why a submission gave no answers that can be used.
#[derive(Debug, thiserror::Error)]
pub enum AnswersError {
    /// A library that is not there, which is no fault of the submission.
    #[error(
        "this python has no {0}, which a submission is asked with: make setup-python, or name one that has it with --python"
    )]
    Missing(String),
    /// Not a number.
    #[error("model.py answers record {record} with {found}, which is no probability{hint}")]
    NoProbability {
        /// From 0, of those that were asked about.
        record: usize,
        /// The answer.
        found: f64,
        /// What may help.
        hint: &'static str,
    },
    /// It ended badly.
    #[error("the submission did not answer to the end: {0}")]
    Run(PhaseError),
}

impl AnswersError {
    /// The documented code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Missing(_) => exit::CONFIGURATION,
            Self::NoProbability { .. } | Self::Run(PhaseError::Failed { .. }) => exit::REFUSED,
            Self::Run(PhaseError::Interrupted(_)) => exit::INTERRUPTED,
            Self::Run(PhaseError::Start { .. } | PhaseError::TimedOut { .. }) => exit::OUTSIDE,
        }
    }
}

/// Runs the script that asks a submission of such a configuration to its end.
///
/// # Errors
/// It cannot be asked, ends badly, or answers with what is no probability.
pub fn of(phase: Phase, config: &Config) -> Result<Vec<Answer>, AnswersError> {
    let mut lines = Lines::default();
    let ran = phase.run(&mut lines);
    if let Some(library) = lines.missing {
        return Err(AnswersError::Missing(library));
    }
    ran.map_err(AnswersError::Run)?;
    require_probabilities(&lines.answers, config.kind())?;
    Ok(lines.answers)
}

fn require_probabilities(answers: &[Answer], kind: Kind) -> Result<(), AnswersError> {
    let is_none = |answer: &Answer| !(0.0..=1.0).contains(&answer.p_synthetic);
    let Some(record) = answers.iter().position(is_none) else { return Ok(()) };
    let hint = match kind {
        Kind::F16 => ": float16 ends at 65504, export it with --dtype bfloat16 or without",
        _ => "",
    };
    Err(AnswersError::NoProbability { record, found: answers[record].p_synthetic, hint })
}

/// What the script prints; all that is no answer is passed on.
#[derive(Default)]
struct Lines {
    answers: Vec<Answer>,
    missing: Option<String>,
}

impl Watcher for Lines {
    fn line(&mut self, line: &str) {
        match (parse(line), line.strip_prefix("missing ")) {
            (Some(answer), _) => self.answers.push(answer),
            (None, Some(library)) => self.missing = Some(library.to_owned()),
            (None, None) => eprintln!("{line}"),
        }
    }

    fn tick(&mut self) {}
}

/// `p <probability> <0 or 1>`.
fn parse(line: &str) -> Option<Answer> {
    let (p_synthetic, call) = line.strip_prefix("p ")?.split_once(' ')?;
    Some(Answer { p_synthetic: p_synthetic.parse().ok()?, is_synthetic: call == "1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_probability_and_a_call() {
        let answer = |p_synthetic, is_synthetic| Some(Answer { p_synthetic, is_synthetic });
        assert_eq!(parse("p 0.6 0"), answer(0.6, false));
        assert_eq!(parse("p 1e-05 1"), answer(1e-5, true));
        for other in ["p 0.6", "q 0.6 1", "p x 1", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_number_is_the_submissions_fault_and_half_precision_has_a_way_out() {
        let answers = ["p 0.5 0", "p nan 1"].map(|line| parse(line).unwrap());
        let error = |kind| require_probabilities(&answers, kind).unwrap_err();
        assert_eq!(
            error(Kind::F32).to_string(),
            "model.py answers record 1 with NaN, which is no probability"
        );
        assert!(error(Kind::F16).to_string().ends_with("--dtype bfloat16 or without"));
        assert_eq!(error(Kind::F32).exit_code(), exit::REFUSED);
        assert!(require_probabilities(&answers[..1], Kind::F16).is_ok());
    }
}
