//! `list`: every session on one line.

use super::Style;
use super::style::Ink;
use super::table::{Edge, table};
use crate::experiment::History;
use crate::session::{Life, Session};

/// What there is to say about one of many sessions.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The session.
    pub session: &'a Session,
    /// What its entries imply.
    pub history: &'a History,
    /// The score that decides.
    pub objective: &'a str,
    /// Whether its daemon is alive.
    pub life: Life,
}

/// A table: tag, task, experiments, best, alive or dead, since when.
pub fn list_text(sessions: &[Listed], style: Style) -> String {
    if sessions.is_empty() {
        return "no sessions yet\n".to_owned();
    }
    let columns = [
        ("tag", Edge::Left),
        ("task", Edge::Left),
        ("experiments", Edge::Right),
        ("best", Edge::Left),
        ("daemon", Edge::Left),
        ("begun", Edge::Left),
    ];
    let cells: Vec<_> = sessions.iter().map(|listed| cells(listed, style)).collect();
    let lines = table(&columns, &cells);
    let inks = std::iter::once(Ink::Bold).chain(sessions.iter().map(|listed| listed.life.into()));
    lines.iter().zip(inks).map(|(line, ink)| style.paint(ink, line) + "\n").collect()
}

fn cells(listed: &Listed, style: Style) -> Vec<String> {
    let begun = &listed.session.begun;
    let best = listed.history.incumbent().and_then(|row| row.metrics.get(listed.objective));
    vec![
        begun.tag.clone(),
        begun.task.clone(),
        listed.history.rows.len().to_string(),
        best.map_or_else(|| "-".to_owned(), |best| format!("{} {best:.6}", listed.objective)),
        listed.life.as_str().to_owned(),
        (style.readable)(begun.created_at_ms),
    ]
}
