//! What an LLM is told: the templates of `prompts/`, filled in, every part cut to a limit.
//!
//! Pure: context in, messages out. However large a session or a file grows, the messages stay
//! within the sum of the limits below. Counts are in characters (about four to a token).

use std::fmt::Write;
use std::sync::LazyLock;

use handlebars::Handlebars;
use serde::Serialize;
use serde_json::json;

use crate::context::{Context, Repair};
use crate::experiment::{History, Row};
use crate::task::Task;

/// Most of `program.md`.
pub const PROGRAM_LIMIT: usize = 16_000;
/// Most of STATE.md.
pub const STATE_LIMIT: usize = 12_000;
/// Most of one editable file.
pub const FILE_LIMIT: usize = 24_000;
/// Most of all editable files together.
pub const FILES_LIMIT: usize = 96_000;
/// Most of a failed answer and of the message about it, each.
pub const REPAIR_LIMIT: usize = 16_000;
/// Rows of the results table.
pub const ROWS: usize = 10;
/// Most of one cell of the results table, and of other single lines.
pub const CELL_LIMIT: usize = 240;
/// Most paths named of files that are not shown.
pub const LEFT_OUT_PATHS: usize = 40;

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

/// Why there is no prompt.
#[derive(Debug, thiserror::Error)]
#[error("prompts/{template}.hbs cannot be filled in: {source}")]
pub struct PromptError {
    template: &'static str,
    source: Box<handlebars::RenderError>,
}

static TEMPLATES: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(handlebars::no_escape);
    for (name, text) in [
        ("system", include_str!("../../prompts/system.hbs")),
        ("propose", include_str!("../../prompts/propose.hbs")),
        ("repair", include_str!("../../prompts/repair.hbs")),
    ] {
        templates.register_template_string(name, text).expect("embedded templates are well-formed");
    }
    templates
});

/// The whole conversation for the next answer: orders and question, and in a repair turn also the
/// answer that failed and what was wrong with it.
///
/// # Errors
/// A template that asks for something it is not given.
pub fn messages(context: &Context<'_>) -> Result<Vec<Message>, PromptError> {
    let mut messages = vec![
        Message { role: Role::System, content: system(context.task)? },
        Message { role: Role::User, content: propose(context)? },
    ];
    if let Some(failed) = &context.repair {
        let reply = cut(failed.reply, REPAIR_LIMIT);
        // Endpoints refuse an empty message, and some two of one role in a row.
        let content = if reply.is_empty() { "[no text]".to_owned() } else { reply };
        messages.push(Message { role: Role::Assistant, content });
        messages.push(Message { role: Role::User, content: repair(failed)? });
    }
    Ok(messages)
}

fn system(task: &Task) -> Result<String, PromptError> {
    let editable = task.edit.paths.join(", ");
    render("system", &json!({ "objective": task.score.objective, "editable": editable }))
}

fn propose(context: &Context<'_>) -> Result<String, PromptError> {
    let Context { task, history, .. } = context;
    let (files, left_out) = files(context);
    let limits = json!({
        "program": PROGRAM_LIMIT, "state": STATE_LIMIT, "file": FILE_LIMIT, "files": FILES_LIMIT,
    });
    let view = json!({
        "program": cut(context.program, PROGRAM_LIMIT),
        "state": cut(context.state, STATE_LIMIT),
        "task": task.name,
        "modality": task.modality,
        "preset": task.preset,
        "frames": task.input.frames,
        "height": task.input.height,
        "width": task.input.width,
        "budget_s": context.budget_s,
        "objective": task.score.objective,
        "incumbent": history.incumbent().map(|row| incumbent(task, row)),
        "results": results(task, history),
        "files": files,
        "left_out": left_out,
        "limits": limits,
    });
    render("propose", &view)
}

fn repair(repair: &Repair<'_>) -> Result<String, PromptError> {
    let view = json!({
        "stage": repair.stage.as_str(),
        "problem": cut(repair.problem, REPAIR_LIMIT),
        "turns_left": repair.turns_left,
        "last": repair.turns_left == 0,
    });
    render("repair", &view)
}

fn render(template: &'static str, view: &serde_json::Value) -> Result<String, PromptError> {
    TEMPLATES
        .render(template, view)
        .map_err(|source| PromptError { template, source: Box::new(source) })
}

#[derive(Serialize)]
struct FileView<'a> {
    path: &'a str,
    lines: usize,
    content: String,
}

/// The recipe, then the other files by path, until the room for all of them is used up; and the
/// paths of those that had no room.
fn files<'a>(context: &Context<'a>) -> (Vec<FileView<'a>>, String) {
    let recipe = context.files.get_key_value(&context.task.edit.recipe);
    let others = context.files.iter().filter(|(path, _)| **path != context.task.edit.recipe);
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut room = FILES_LIMIT;
    for (path, content) in recipe.into_iter().chain(others) {
        let chars = content.chars().count().min(FILE_LIMIT);
        if chars <= room {
            room -= chars;
            let lines = content.lines().count();
            shown.push(FileView { path, lines, content: cut(content, FILE_LIMIT) });
        } else {
            hidden.push(line(path));
        }
    }
    if hidden.len() > LEFT_OUT_PATHS {
        let more = hidden.len() - LEFT_OUT_PATHS;
        hidden.truncate(LEFT_OUT_PATHS);
        hidden.push(format!("[cut: {more} more paths]"));
    }
    (shown, hidden.join("\n"))
}

fn incumbent(task: &Task, row: &Row) -> String {
    let score = score(row, &task.score.objective);
    let Row { experiment, description, .. } = row;
    let description = line(description);
    format!("experiment {experiment}, {} {score}: {description}", task.score.objective)
}

/// The last rows as a table.
fn results(task: &Task, history: &History) -> String {
    if history.rows.is_empty() {
        return "None yet.".to_owned();
    }
    let columns = &task.score.columns;
    let mut table = format!(
        "| n | {} | status | proposer | hypothesis | tried | reason |\n",
        columns.join(" | ")
    );
    table.push_str(&"|---".repeat(columns.len() + 6));
    table.push('|');
    let last = &history.rows[history.rows.len().saturating_sub(ROWS)..];
    for row in last {
        let scores: Vec<_> = columns.iter().map(|column| score(row, column)).collect();
        let [proposer, hypothesis, description, reason] =
            [&row.proposer, &row.hypothesis, &row.description, &row.reason].map(|text| line(text));
        let (n, status, scores) = (row.experiment, row.verdict, scores.join(" | "));
        write!(
            table,
            "\n| {n} | {scores} | {status} | {proposer} | {hypothesis} | {description} | {reason} |"
        )
        .expect("a string takes any text");
    }
    table
}

fn score(row: &Row, name: &str) -> String {
    row.metrics.get(name).map_or_else(|| "-".to_owned(), |score| format!("{score:.6}"))
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
#[path = "prompt_tests.rs"]
mod tests;
