//! What an LLM is told: the templates of `prompts/`, filled in, every part cut to a limit.
//!
//! Pure: context in, messages out. However large a session or a file grows, the messages stay
//! within the sum of the limits below. Counts are in characters (about four to a token).

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;

use crate::context::{Change, Context, Repair};
use crate::experiment::{
    DIRECTIVE_CHARS, DIRECTIVES_AT_ONCE, History, Row, Stage, rounded, run_to_run, told_memory,
    told_reason, told_rule,
};
use crate::look;
use crate::report::one_line;
use crate::task::Task;

mod templates;

use templates::FRAME_LIMIT;
pub use templates::{PromptError, Templates};

/// Most of `program.md`.
pub const PROGRAM_LIMIT: usize = WHOLE.program;
/// Most of one cell of the results table, and of other single lines.
pub const CELL_LIMIT: usize = 240;

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// Everything that has room.
    #[default]
    Whole,
    /// What matters, for a model that cannot read as much: fewer rows, less memory, and of the
    /// files the recipe and those that a failed answer speaks of.
    Small,
}

/// Most characters of each part.
struct Limits {
    program: usize,
    state: usize,
    /// One editable file.
    file: usize,
    /// All editable files together.
    files: usize,
    /// Whether files are shown that neither are the recipe nor stand in a failed answer.
    others: bool,
    /// A failed answer and the message about it, each.
    repair: usize,
    /// What one look found.
    look: usize,
    /// Rows of the results table.
    rows: usize,
    /// Candidates whose changes are shown.
    changes: usize,
    /// One of these changes.
    change: usize,
    /// Paths named of files that are not shown.
    left_out_paths: usize,
}

const WHOLE: Limits = Limits {
    program: 16_000,
    state: 12_000,
    file: 24_000,
    files: 96_000,
    others: true,
    repair: 16_000,
    look: 8_000,
    rows: 10,
    changes: 4,
    change: 3_000,
    left_out_paths: 40,
};
const SMALL: Limits = Limits {
    program: 8_000,
    state: 3_000,
    file: 12_000,
    files: 24_000,
    others: false,
    repair: 4_000,
    look: 2_000,
    rows: 3,
    changes: 1,
    change: 1_200,
    left_out_paths: 10,
};

/// What asks for a look is so many times shorter than what it finds, at most.
const LOOK_SHARE: usize = 8;
/// Headings of files, and marks of what was cut.
const MARKS: usize = 6_000;
/// Experiments of a theme that are told at once.
const OUTCOMES: usize = 15;
/// Most lines of one training.
const CURVE: usize = 10;
impl Size {
    fn limits(self) -> &'static Limits {
        match self {
            Self::Whole => &WHOLE,
            Self::Small => &SMALL,
        }
    }

    /// No conversation is longer than this many characters.
    pub fn most_chars(self) -> usize {
        let limits = self.limits();
        let told = 2 + (4 + CURVE) * limits.changes;
        let directives = DIRECTIVES_AT_ONCE * (DIRECTIVE_CHARS + 20);
        let lines = (4 * limits.rows + limits.left_out_paths + told) * (CELL_LIMIT + 20);
        let Limits { program, state, files, repair, look, changes, change, .. } = limits;
        let looks = look::MOST * (look + look / LOOK_SHARE);
        program
            + state
            + files
            + 2 * repair
            + looks
            + changes * change
            + lines
            + directives
            + FRAME_LIMIT
            + MARKS
    }
}

/// One message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The text.
    pub content: String,
}

/// Who speaks in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Standing orders.
    System,
    /// The daemon.
    User,
    /// The model.
    Assistant,
}

/// The whole conversation for the next answer: orders and question, and in a repair turn also the
/// answer that failed and what was wrong with it. At most [`Size::most_chars`] long.
///
/// # Errors
/// A template that asks for something it is not given.
pub fn messages(
    templates: &Templates,
    context: &Context<'_>,
    size: Size,
) -> Result<Vec<Message>, PromptError> {
    let limits = size.limits();
    let mut messages = vec![
        Message { role: Role::System, content: system(templates, context)? },
        Message { role: Role::User, content: propose(templates, context, limits)? },
    ];
    for (asked, found) in context.looks.iter().take(look::MOST) {
        let content = cut(asked, limits.look / LOOK_SHARE);
        messages.push(Message { role: Role::Assistant, content });
        messages.push(Message { role: Role::User, content: cut(found, limits.look) });
    }
    if let Some(failed) = &context.repair {
        let reply = cut(failed.reply, limits.repair);
        // Endpoints refuse an empty message, and some two of one role in a row.
        let content = if reply.is_empty() { "[no text]".to_owned() } else { reply };
        messages.push(Message { role: Role::Assistant, content });
        messages.push(Message { role: Role::User, content: repair(templates, failed, limits)? });
    }
    Ok(messages)
}

fn system(templates: &Templates, context: &Context<'_>) -> Result<String, PromptError> {
    let task = context.task;
    let editable = task.edit.paths.join(", ");
    templates.render(
        "system",
        &json!({
            "objective": task.score.objective,
            "rule": told_rule(context.now.rule, &task.score.objective),
            "editable": editable,
            "looks": look::MOST,
        }),
    )
}

fn propose(
    templates: &Templates,
    context: &Context<'_>,
    limits: &Limits,
) -> Result<String, PromptError> {
    let Context { task, history, now, .. } = context;
    let directives = now.directives.iter().take(DIRECTIVES_AT_ONCE);
    let directives = directives.map(|text| one_line(text, DIRECTIVE_CHARS));
    let (files, left_out) = files(context, limits);
    let view = json!({
        "program": cut(context.program, limits.program),
        "state": cut(context.state, limits.state),
        "task": task.name,
        "modality": task.modality,
        "preset": task.preset,
        "record": task.input.record.to_string(),
        "budget_s": context.budget_s,
        "objective": task.score.objective,
        "soft_vram_gib": task.budget.soft_vram_gib,
        "noise": noise(history, &task.score.objective),
        "incumbent": history.incumbent().map(|row| incumbent(task, row)),
        "results": results(task, history, limits.rows),
        "directives": directives.collect::<Vec<_>>(),
        "rethink": now.rethink.as_deref().map(|text| cut(text, 4 * CELL_LIMIT)),
        "left": now.left,
        "from": now.from,
        "changes": changes(context, limits),
        "files": files,
        "left_out": left_out,
        "limits": {
            "program": limits.program,
            "state": limits.state,
            "file": limits.file,
            "files": limits.files,
        },
    });
    templates.render("propose", &view)
}

fn repair(
    templates: &Templates,
    repair: &Repair<'_>,
    limits: &Limits,
) -> Result<String, PromptError> {
    let view = json!({
        "stage": repair.stage.as_str(),
        "problem": cut(repair.problem, limits.repair),
        "turns_left": repair.turns_left,
        "last": repair.turns_left == 0,
        "trained": repair.stage == Stage::Train,
    });
    templates.render("repair", &view)
}

/// Noise below this is none.
const LEAST_NOISE: f64 = 1e-6;

/// Rank of the files that neither are the recipe nor stand in a failed answer.
const OTHER: u8 = 2;

#[derive(Serialize)]
struct FileView<'a> {
    path: &'a str,
    lines: usize,
    content: String,
}

/// The recipe, then what a failed answer speaks of, then the other files by path, until the room
/// for all of them is used up; and the paths of those that are not shown.
fn files<'a>(context: &Context<'a>, limits: &Limits) -> (Vec<FileView<'a>>, String) {
    let told = |failed: &Repair<'_>| {
        [failed.reply, failed.problem].map(|text| cut(text, limits.repair)).join("\n")
    };
    let failed = context.repair.as_ref().map(told).unwrap_or_default();
    let rank = |path: &str| match path {
        _ if path == context.task.edit.recipe => 0,
        _ if failed.contains(path) => 1,
        _ => OTHER,
    };
    let mut files: Vec<_> =
        context.files.iter().map(|(path, content)| (rank(path), path, content)).collect();
    files.sort_by_key(|(rank, ..)| *rank);
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut room = limits.files;
    for (rank, path, content) in files {
        let chars = content.chars().count().min(limits.file);
        if chars <= room && (limits.others || rank < OTHER) {
            room -= chars;
            let lines = content.lines().count();
            shown.push(FileView { path, lines, content: cut(content, limits.file) });
        } else {
            hidden.push(line(path));
        }
    }
    if hidden.len() > limits.left_out_paths {
        let more = hidden.len() - limits.left_out_paths;
        hidden.truncate(limits.left_out_paths);
        hidden.push(format!("[cut: {more} more paths]"));
    }
    (shown, hidden.join("\n"))
}

#[derive(Serialize)]
struct ChangeView<'a> {
    experiment: u32,
    hypothesis: String,
    outcome: String,
    diff: String,
    curve: Vec<&'a str>,
}

/// The last candidates' changes, as far as they are known and decided.
fn changes<'a>(context: &Context<'a>, limits: &Limits) -> Vec<ChangeView<'a>> {
    let recent = &context.now.recent;
    let shown = &recent[recent.len().saturating_sub(limits.changes)..];
    let view = |change: &Change| {
        let rows = &context.history.rows;
        let at = rows.binary_search_by_key(&change.experiment, |row| row.experiment).ok()?;
        let row = &rows[at];
        Some(ChangeView {
            experiment: change.experiment,
            hypothesis: line(&row.hypothesis),
            outcome: line(&outcome(row)),
            diff: cut(&change.diff, limits.change),
            curve: row.curve.iter().take(CURVE).map(String::as_str).collect(),
        })
    };
    shown.iter().filter_map(view).collect()
}

fn outcome(row: &Row) -> String {
    let told = [row.verdict.as_str(), told_reason(row)].map(str::to_owned).into_iter();
    told.chain(told_memory(row.peak_vram_mb)).collect::<Vec<_>>().join(", ")
}

fn incumbent(task: &Task, row: &Row) -> String {
    let score = score(row, &task.score.objective);
    let Row { experiment, description, .. } = row;
    let description = line(description);
    let memory = told_memory(row.peak_vram_mb).map_or_else(String::new, |told| format!(", {told}"));
    format!("experiment {experiment}, {} {score}{memory}: {description}", task.score.objective)
}

/// By how much scores differ by chance, in one digit: of a few runs it is not known better.
fn noise(history: &History, objective: &str) -> Option<String> {
    let noise = run_to_run(history, objective)?;
    let digits = -noise.max(LEAST_NOISE).log10().floor();
    Some(format!("{noise:.digits$}", digits = digits.clamp(0.0, 6.0) as usize))
}

/// The last rows as a table. What came of the earlier ones stands in STATE.md.
fn results(task: &Task, history: &History, rows: usize) -> String {
    let last = &history.rows[history.rows.len().saturating_sub(rows)..];
    table(task, last.iter())
}

/// The newest experiments of a theme, or of all, as a table.
pub fn outcomes(task: &Task, history: &History, theme: Option<&str>) -> String {
    let of_theme = |row: &&Row| theme.is_none_or(|theme| row.idea.theme == theme);
    let newest: Vec<_> = history.rows.iter().rev().filter(of_theme).take(OUTCOMES).collect();
    table(task, newest.into_iter().rev())
}

fn table<'a>(task: &Task, rows: impl Iterator<Item = &'a Row>) -> String {
    let columns = &task.score.columns;
    let mut table = format!(
        "| n | {} | status | proposer | hypothesis | tried | reason |\n",
        columns.join(" | ")
    );
    table.push_str(&"|---".repeat(columns.len() + 6));
    table.push('|');
    let mut is_empty = true;
    for row in rows {
        is_empty = false;
        let scores: Vec<_> = columns.iter().map(|column| score(row, column)).collect();
        let [proposer, hypothesis, description, reason] =
            [row.proposer.as_str(), &row.hypothesis, &row.description, told_reason(row)].map(line);
        let (n, status, scores) = (row.experiment, row.verdict, scores.join(" | "));
        write!(
            table,
            "\n| {n} | {scores} | {status} | {proposer} | {hypothesis} | {description} | {reason} |"
        )
        .expect("a string takes any text");
    }
    if is_empty { "None yet.".to_owned() } else { table }
}

fn score(row: &Row, name: &str) -> String {
    row.metrics.get(name).map_or_else(|| "-".to_owned(), |score| rounded(name, *score, row))
}

/// A text as one bounded line that fits in a table cell.
fn line(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "/");
    match one_line.char_indices().nth(CELL_LIMIT) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

/// The beginning of a text, at most `limit` characters, with a line that says what is missing.
fn cut(text: &str, limit: usize) -> String {
    let text = text.trim_end();
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let all = text.chars().count();
    format!("{}\n[cut: {} of {all} characters are not shown]", &text[..end], all - limit)
}

#[cfg(test)]
mod tests;
