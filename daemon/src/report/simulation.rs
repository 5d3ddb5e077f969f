//! `simulate`: rules for verdicts side by side.

use super::Style;
use super::style::Ink;
use super::table::{Edge, table};
use crate::simulate::{Comparison, Mean, Plan};

/// A table, one block for each landscape and noise; the first rule of a block is what the others are
/// multiples of. After each `±` twice the standard error.
pub fn simulation_text(blocks: &[Vec<Comparison>], style: Style) -> String {
    let columns = [
        ("landscape", Edge::Left),
        ("ideas", Edge::Left),
        ("noise", Edge::Right),
        ("verdict", Edge::Left),
        ("true improvement", Edge::Right),
        ("x the first", Edge::Right),
        ("keeps", Edge::Right),
        ("false keeps", Edge::Right),
        ("x the first", Edge::Right),
        ("certified", Edge::Right),
    ];
    let rows: Vec<_> = blocks.iter().flat_map(|block| rows(block)).collect();
    let lines = table(&columns, &rows);
    let inks = std::iter::once(style.paint(Ink::Bold, &lines[0])).chain(lines[1..].iter().cloned());
    let text: String = inks.map(|line| line + "\n").collect();
    let first = blocks.first().and_then(|block| block.first());
    let nights = first.map_or(0, |compared| compared.nights.len());
    let runs = first.map_or(0, |compared| compared.plan.runs);
    text + &format!(
        "{nights} nights each, of {runs} runs; ± twice the standard error; certified: share \
        of certified intervals that hold the truth\n"
    )
}

/// The same for programs: one object for each plan, improvements in units of the score.
pub fn simulation_json(blocks: &[Vec<Comparison>]) -> String {
    let plans = blocks.iter().filter_map(|block| Some((block, block.first()?)));
    let all: Vec<_> =
        plans.flat_map(|(block, first)| block.iter().map(|plan| told_json(plan, first))).collect();
    serde_json::Value::from(all).to_string() + "\n"
}

fn told_json(compared: &Comparison, first: &Comparison) -> serde_json::Value {
    let Plan { source, noise, rule, runs, .. } = compared.plan;
    let pair = |Mean { mean, error }: Mean| serde_json::json!({ "mean": mean, "error": error });
    let share = compared.false_share();
    serde_json::json!({
        "landscape": source.landscape(),
        "ideas": source.proposer(),
        "noise": noise,
        "verdict": rule.as_str(),
        "runs": runs,
        "nights": compared.nights.len(),
        "gained": pair(compared.gained()),
        "gained_ratio": pair(compared.ratio(first)),
        "false_share": pair(share),
        "false_ratio": share.mean / first.false_share().mean,
        "covered": compared.covered().map(pair),
    })
}

fn rows(block: &[Comparison]) -> Vec<Vec<String>> {
    let Some(first) = block.first() else { return Vec::new() };
    let row = |compared: &Comparison| {
        let plan = &compared.plan;
        let share = compared.false_share();
        vec![
            plan.source.landscape().to_owned(),
            plan.source.proposer().to_owned(),
            plan.noise.to_string(),
            plan.rule.to_string(),
            told(compared.gained(), 4),
            told(compared.ratio(first), 2),
            format!("{:.1}", compared.keeps().mean),
            told(share, 3),
            format!("{:.2}", share.mean / first.false_share().mean),
            compared.covered().map_or_else(|| "-".to_owned(), |covered| told(covered, 3)),
        ]
    };
    block.iter().map(row).collect()
}

fn told(Mean { mean, error }: Mean, digits: usize) -> String {
    format!("{mean:.digits$} ± {:.digits$}", 2.0 * error)
}
