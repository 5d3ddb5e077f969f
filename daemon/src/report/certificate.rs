//! What a session came to, for people.

use crate::experiment::{CONFIDENCE, Certificate, Total};

/// The total improvement with its interval, on both parts.
pub fn certificate_text(certificate: Option<&Certificate>, objective: &str) -> String {
    let Some(certificate) = certificate else {
        return "nothing is certified: there is no keep that is better than the baseline, or fewer \
                than two runs of each came to their end\n"
            .to_owned();
    };
    let Certificate { baseline, champion, validation, holdout } = certificate;
    let head = format!(
        "experiment {champion} against the baseline (experiment {baseline}), {objective}, mean of new \
         runs; after each improvement its {:.0} % interval\n",
        100.0 * CONFIDENCE
    );
    let parts = [("validation", Some(validation)), ("holdout", holdout.as_ref())];
    let lines = parts.into_iter().filter_map(|(part, total)| Some((part, total?)));
    lines.fold(head, |text, (part, total)| text + &format!("{part:<11} {}\n", told(total)))
}

/// On one line.
pub fn told(total: &Total) -> String {
    let Total { baseline, champion, low, high, runs: (before, after) } = total;
    format!(
        "{baseline:.6} ({before} runs) to {champion:.6} ({after} runs): {:+.6}, {low:+.6} to {high:+.6}",
        champion - baseline
    )
}
