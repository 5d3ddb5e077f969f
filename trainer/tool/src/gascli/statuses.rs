//! The competition's words for how a model fares, and what they mean.

use std::collections::BTreeMap;

use dfr_contract::exit;
use dfr_contract::modality::Modality;

/// A word of a table of runs or models.
pub struct Status {
    /// As printed.
    pub word: &'static str,
    /// In one sentence.
    pub meaning: &'static str,
    /// Whether it ends well, as an exit code.
    pub code: u8,
}

const fn status(word: &'static str, meaning: &'static str, code: u8) -> Status {
    Status { word, meaning, code }
}

/// Of runs, then of models.
pub const STATUSES: [Status; 8] = [
    status("queued", "the run waits for its turn", exit::OK),
    status("running", "the model is being benchmarked", exit::OK),
    status("success", "the benchmark is done and its scores stand in the row", exit::OK),
    status("failed", "the benchmark broke off and there is no score", exit::REFUSED),
    status("examining", "the model takes its entrance exam", exit::OK),
    status("confirmed", "the exam is passed and the model will be benchmarked", exit::OK),
    status(
        "exam_failed",
        "fewer than 80 % were right and the model will not be scored",
        exit::REFUSED,
    ),
    status(
        "blocked",
        "a pattern of cheating was found and the model is out for good",
        exit::REFUSED,
    ),
];

/// The status of a line that is a row: it names a modality too. Prose that says "failed" is none.
pub fn of_row(line: &str) -> Option<&'static Status> {
    let line = without_colours(line).to_lowercase();
    let words: Vec<_> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let names_modality = Modality::ALL.iter().any(|modality| words.contains(&modality.as_str()));
    let is_there = |status: &&Status| names_modality && words.contains(&status.word);
    STATUSES.iter().find(is_there)
}

/// How many rows there are of each status, by word.
pub fn counts(lines: &[String]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for status in lines.iter().filter_map(|line| of_row(line)) {
        *counts.entry(status.word.to_owned()).or_default() += 1;
    }
    counts
}

/// What the words that were seen mean, a line each.
pub fn legend(counts: &BTreeMap<String, usize>) -> String {
    if counts.is_empty() {
        return "no row has a status: nothing was submitted, or gascli words it otherwise now\n"
            .into();
    }
    let seen = STATUSES.iter().filter_map(|status| Some((status, counts.get(status.word)?)));
    let line = |(Status { word, meaning, code }, count): (&Status, &usize)| {
        format!("{word:<12} {count:>3}  {meaning} (exit code {code})\n")
    };
    seen.map(line).collect()
}

/// The worst of what was seen.
pub fn code(counts: &BTreeMap<String, usize>) -> u8 {
    let seen = STATUSES.iter().filter(|status| counts.contains_key(status.word));
    seen.map(|status| status.code).max().unwrap_or(exit::OK)
}

/// Without the sequences that colour a terminal.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let after =
        |part: &str| part.split_once('m').map_or(String::new(), |(_, rest)| rest.to_owned());
    parts.fold(first, |text, part| text + &after(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_understood_in_a_row_and_in_nothing_else() {
        for Status { word, .. } in &STATUSES {
            for row in [
                format!("│ 17 │ {word} │ image │ human │ 0.81 │"),
                format!("17 \x1b[1;32m{}\x1b[0m Video - 0.81", word.to_uppercase()),
            ] {
                assert_eq!(of_row(&row).map(|status| status.word), Some(*word), "{row}");
            }
            assert!(of_row(&format!("the request {word}")).is_none());
            assert!(of_row(&format!("17 un{word} image")).is_none());
        }
    }

    #[test]
    fn the_worst_row_decides_the_code() {
        let lines = |words: &[&str]| -> Vec<String> {
            words.iter().map(|word| format!("1 {word} audio human 0.5")).collect()
        };
        let counted = counts(&lines(&["success", "success", "exam_failed"]));
        assert_eq!(counted["success"], 2);
        assert_eq!(code(&counted), exit::REFUSED);
        assert!(legend(&counted).starts_with("success        2  the benchmark is done"));
        assert_eq!(code(&counts(&lines(&["queued", "confirmed"]))), exit::OK);
        assert_eq!(code(&counts(&[])), exit::OK);
    }
}
