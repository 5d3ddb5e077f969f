//! The text of STATE.md: what the next proposal must know, in under 100 lines.

use super::notes::{MOST, WIDTH, noted, untried};
use super::ready;
use crate::experiment::{
    Directive, History, Purpose, Row, Verdict, asked, earlier_keeps, rounded, rounded_difference,
    themes, told_reason, told_sources,
};
use crate::report::{one_line, short};
use crate::task::Task;

/// Words of a human that are answered.
const ANSWERS: usize = 5;
/// The one heading that is there only where a human wrote something.
const DIRECTIVES: &str = "Directives";

/// Facts from the ledger first, newest first, then what proposers noted. Every heading is always
/// there; no line is longer than 160 characters; never 100 lines.
///
/// # Source
/// dfresearch's program.md, "Example STATE.md".
pub fn state_md(task: &Task, tag: &str, history: &History) -> String {
    let rows = compared(&task.score.objective, history);
    let told = |pick| noted(history, pick);
    let sections = [
        (
            "Current best",
            current_best(task, history)
                .into_iter()
                .chain(ready(task, tag, history).into_iter().flatten())
                .collect(),
        ),
        (
            "What worked",
            [facts(&rows, |verdict| verdict == Verdict::Keep), bullets(told(|n| &n.worked))]
                .concat(),
        ),
        (
            "What failed",
            [facts(&rows, |verdict| verdict != Verdict::Keep), bullets(told(|n| &n.failed))]
                .concat(),
        ),
        ("Next ideas (priority order)", numbered(untried(history))),
        (
            "Observations",
            [counts(history, &rows, &task.score.objective), bullets(told(|n| &n.observations))]
                .concat(),
        ),
        (DIRECTIVES, answers(history)),
    ];
    let is_told =
        |(heading, body): &(&str, Vec<String>)| *heading != DIRECTIVES || !body.is_empty();
    let title = format!("# State — {} experiments on autoresearch/{tag}", task.modality);
    let mut lines = vec![title];
    for (heading, body) in sections.into_iter().filter(is_told) {
        lines.extend([String::new(), format!("## {heading}")]);
        lines.extend(if body.is_empty() { vec!["- nothing yet".to_owned()] } else { body });
    }
    lines.iter().map(|line| one_line(line, WIDTH) + "\n").collect()
}

/// The last things that a human asked for, and what took them up.
fn answers(history: &History) -> Vec<String> {
    let older = history.directives.len().saturating_sub(ANSWERS);
    let next = history.to_follow();
    let answer = |told: &Directive| {
        let text = one_line(&told.text, 80);
        match told.taken_up(history) {
            Some(row) => format!("- \"{text}\": {} ({})", named(row), row.verdict),
            None if next.contains(told) => format!("- \"{text}\": for the next experiment"),
            None => format!("- \"{text}\": for a later experiment"),
        }
    };
    history.directives[older..].iter().map(answer).collect()
}

/// A row, the score that decides, and what that had to beat. Looked up only where it is told: a
/// session may hold ten thousand rows.
struct Compared<'a> {
    row: &'a Row,
    objective: &'a str,
    to_beat: Option<f64>,
}

impl Compared<'_> {
    fn score(&self) -> f64 {
        score(self.row, self.objective)
    }
}

/// A score of a row; 0 for a crash.
fn score(row: &Row, name: &str) -> f64 {
    row.metrics.get(name).copied().unwrap_or(0.0)
}

fn compared<'a>(objective: &'a str, history: &'a History) -> Vec<Compared<'a>> {
    let compare = |row: &'a Row| {
        let other = history.compared_with(row).filter(|_| row.purpose != Purpose::Moved);
        let to_beat = other.map(|row| score(row, objective));
        Compared { row, objective, to_beat }
    };
    history.decided().map(compare).collect()
}

fn current_best(task: &Task, history: &History) -> Vec<String> {
    let Some(row) = history.best() else { return Vec::new() };
    let scored = |name: &str| rounded(name, score(row, name), row);
    let objective = &task.score.objective;
    let mut parts = vec![format!("{objective}: {}", scored(objective))];
    let others = task.score.columns.iter().filter(|column| *column != objective);
    parts.extend(others.map(|column| format!("{column}: {}", scored(column))));
    parts.push(format!("preset: {}", task.preset));
    parts.push(format!("commit: {}", short(&row.commit)));
    let sources = told_sources(row);
    let sources = sources.iter().map(|(name, accuracy)| format!("{name} {accuracy}"));
    let sources = sources.collect::<Vec<_>>().join(", ");
    let told = (!sources.is_empty()).then(|| format!("Accuracy by data set: {sources}"));
    let sure = row.evidence.map(|evidence| format!("Confidence: {}", evidence.in_a_word()));
    let lines = [parts.join(" | "), format!("Experiment {}: {}", row.experiment, row.description)];
    lines.into_iter().chain(sure).chain(told).collect()
}

/// The newest facts of one kind; how many older ones are left out is told.
fn facts(rows: &[Compared], kind: fn(Verdict) -> bool) -> Vec<String> {
    let of_kind = || rows.iter().rev().filter(|compared| kind(compared.row.verdict));
    let older = of_kind().count().saturating_sub(MOST);
    let rest = (older > 0).then(|| format!("- {older} older ones stand in results.tsv"));
    of_kind().take(MOST).map(fact).chain(rest).collect()
}

fn fact(compared: &Compared) -> String {
    match compared.row.verdict {
        Verdict::Keep | Verdict::Discard => scored(compared),
        Verdict::Crash => {
            format!("- {}: crash, {}", named(compared.row), one_line(told_reason(compared.row), 60))
        }
    }
}

fn scored(compared: &Compared) -> String {
    let score = compared.score();
    let against = match compared.to_beat {
        Some(to_beat) => against(compared, (score, to_beat)),
        None if compared.row.purpose == Purpose::Moved => "not compared".to_owned(),
        None => "baseline".to_owned(),
    };
    format!(
        "- {}: {} ({against})",
        named(compared.row),
        rounded(compared.objective, score, compared.row)
    )
}

/// More or less than noise?
fn against(compared: &Compared, scores: (f64, f64)) -> String {
    let by = rounded_difference(compared.objective, scores, compared.row);
    match by.parse::<f64>() {
        Ok(0.0) => "within the noise".to_owned(),
        Ok(more) if more > 0.0 => format!("+{by}"),
        _ => by,
    }
}

fn named(row: &Row) -> String {
    format!("#{} {}", row.experiment, one_line(&row.description, 80))
}

fn counts(history: &History, rows: &[Compared], objective: &str) -> Vec<String> {
    let of = |verdict| rows.iter().filter(|t| t.row.verdict == verdict).count();
    let since_keep = rows.iter().rev().take_while(|t| t.row.verdict != Verdict::Keep).count();
    let counted = format!(
        "- {} experiments decided: {} kept, {} discarded, {} crashed; {since_keep} since the last \
         keep; {} without a verdict",
        rows.len(),
        of(Verdict::Keep),
        of(Verdict::Discard),
        of(Verdict::Crash),
        (history.opened as usize).saturating_sub(rows.len()),
    );
    let from = earlier_keeps(history).next().map(|row| row.experiment);
    let began = history.legacy.as_ref().map(|legacy| {
        format!("- began at experiment {} of session {}", legacy.experiment, legacy.tag)
    });
    let stuck = asked(history, objective, from).map(|asked| format!("- {asked}"));
    let themes = themes(history);
    let tried = (!themes.is_empty()).then(|| {
        let told =
            themes.iter().map(|theme| format!("{} {}/{}", theme.name, theme.kept, theme.tried));
        format!("- themes, kept/tried: {}", told.collect::<Vec<_>>().join(", "))
    });
    [Some(counted), began, stuck, tried].into_iter().flatten().collect()
}

fn bullets(notes: Vec<String>) -> Vec<String> {
    notes.into_iter().map(|note| format!("- {note}")).collect()
}

fn numbered(notes: Vec<String>) -> Vec<String> {
    (1..).zip(notes).map(|(n, note)| format!("{n}. {note}")).collect()
}

#[cfg(test)]
#[path = "state_md_tests.rs"]
mod tests;
