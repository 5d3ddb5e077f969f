//! `cost`: what was spent on whom, and what came of it.

use std::collections::BTreeMap;

use super::Style;
use super::style::Ink;
use super::table::{Edge, table};
use crate::experiment::Account;

/// A table, one row for each proposer that cost something or answered; a last row for all.
pub fn cost_text(accounts: &BTreeMap<String, Account>, style: Style) -> String {
    let columns = [
        ("proposer", Edge::Left),
        ("answers", Edge::Right),
        ("refused", Edge::Right),
        ("lost", Edge::Right),
        ("kept", Edge::Right),
        ("discarded", Edge::Right),
        ("crashed", Edge::Right),
        ("tokens sent", Edge::Right),
        ("received", Edge::Right),
        ("USD", Edge::Right),
        ("USD a keep", Edge::Right),
        ("median s", Edge::Right),
    ];
    let asked = accounts.iter().filter(|(_, account)| account.answers + account.lost > 0);
    let rows: Vec<_> = asked.map(|(name, account)| cells(name, account)).collect();
    if rows.is_empty() {
        return "nobody was asked for an idea yet\n".to_owned();
    }
    let lines = table(&columns, &rows);
    let heading = style.paint(Ink::Bold, &lines[0]);
    let total: f64 = accounts.values().map(|account| account.cost_usd).sum();
    let rest = lines[1..].iter().map(|line| format!("{line}\n")).collect::<String>();
    format!("{heading}\n{rest}{total:.4} USD in all\n")
}

fn cells(name: &str, account: &Account) -> Vec<String> {
    let a_keep = (account.kept > 0).then(|| account.cost_usd / f64::from(account.kept));
    let counts = [
        account.answers,
        account.refused,
        account.lost,
        account.kept,
        account.discarded,
        account.crashed,
    ];
    let tokens = [account.usage.prompt_tokens, account.usage.completion_tokens];
    let mut cells = vec![name.to_owned()];
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend(tokens.map(|tokens| tokens.to_string()));
    cells.push(format!("{:.4}", account.cost_usd));
    cells.push(a_keep.map_or_else(|| "-".to_owned(), |usd| format!("{usd:.4}")));
    cells.push(account.median_s().map_or_else(|| "-".to_owned(), |s| format!("{s:.1}")));
    cells
}
