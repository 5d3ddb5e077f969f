//! Figures told one way: a table on the terminal, and `target/reports/<name>.json`. The twin of
//! `scripts/report.py`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// One figure.
#[derive(Clone, Debug)]
pub struct Row {
    measure: String,
    /// Or why there is none.
    value: Result<f64, String>,
    unit: &'static str,
    goal: Option<Goal>,
}

impl Row {
    /// A figure with its goal.
    pub fn new(measure: impl Into<String>, value: f64, unit: &'static str, goal: Goal) -> Self {
        Self { measure: measure.into(), value: Ok(value), unit, goal: Some(goal) }
    }

    /// A figure that this machine cannot give.
    pub fn missing(measure: impl Into<String>, why: impl Into<String>) -> Self {
        Self { measure: measure.into(), value: Err(why.into()), unit: "-", goal: None }
    }

    /// Whether the goal is reached; `None` without a goal or a figure.
    pub fn holds(&self) -> Option<bool> {
        let value = self.value.as_ref().ok()?;
        Some(match self.goal? {
            Goal::AtMost(most) => *value <= most,
            Goal::AtLeast(least) => *value >= least,
        })
    }

    fn goal(&self) -> Option<String> {
        self.goal.map(|goal| match goal {
            Goal::AtMost(most) => format!("<= {most}"),
            Goal::AtLeast(least) => format!(">= {least}"),
        })
    }

    fn json(&self) -> Value {
        let mut row = json!({
            "measure": self.measure,
            "value": self.value.as_ref().ok(),
            "unit": self.unit,
            "holds": self.holds(),
            "goal": self.goal(),
        });
        if let Err(why) = &self.value {
            row["why"] = json!(why);
        }
        row
    }

    fn line(&self, width: usize) -> String {
        let value = self.value.as_ref().map_or("-".to_owned(), |value| format!("{value:.3}"));
        let holds = match (self.holds(), &self.value) {
            (Some(true), _) => "yes",
            (Some(false), _) => "NO",
            (None, Err(why)) => why,
            (None, Ok(_)) => "-",
        };
        let goal = self.goal().unwrap_or_else(|| "-".to_owned());
        format!("{:<width$}  {value:>10}  {:<8}  {goal:<8}  {holds}", self.measure, self.unit)
    }
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.measure.len()).max().unwrap_or_default();
    let head =
        format!("\n{:<width$}  {:>10}  {:<8}  {:<8}  holds\n", "measure", "value", "unit", "goal");
    head + &rows.iter().map(|row| row.line(width) + "\n").collect::<String>()
}

/// Writes the rows for later readers.
pub fn write(name: &str, rows: &[Row]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/reports");
    fs::create_dir_all(&directory).expect("a place for reports");
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let text = serde_json::to_string_pretty(&rows).expect("plain data becomes JSON");
    fs::write(directory.join(format!("{name}.json")), text + "\n").expect("a report to write");
}
