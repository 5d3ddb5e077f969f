//! `show`: everything about one experiment.

use super::style::Ink;
use super::{MIB_PER_GIB, Style, one_line, phase_table, printable, short};
use crate::experiment::{DeviceState, Entry, Row};
use crate::session::Recorded;

const LINE_WIDTH: usize = 200;

/// What there is to say about an experiment.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Number of the experiment.
    pub experiment: u32,
    /// Its row, once it is decided.
    pub row: Option<&'a Row>,
    /// Its entries, oldest first.
    pub entries: &'a [Recorded],
    /// What it changed, already made fit for the terminal.
    pub diff: &'a str,
    /// The end of its log.
    pub log_tail: &'a str,
}

/// Hypothesis, verdict, scores, phases, entries, diff and log tail.
pub fn show_text(shown: &Shown, style: Style) -> String {
    let mut parts = vec![match shown.row {
        Some(row) => decided(row, style),
        None => format!("experiment {}: no verdict\n", shown.experiment),
    }];
    let heading = |name: &str| style.paint(Ink::Bold, name);
    parts.push(format!("{}\n{}", heading("entries"), timeline(shown.entries, style)));
    if !shown.diff.is_empty() {
        parts.push(format!("{}\n{}\n", heading("diff"), shown.diff.trim_end()));
    }
    if !shown.log_tail.is_empty() {
        let tail: String = shown
            .log_tail
            .lines()
            .map(|line| printable(line).trim_end().to_owned() + "\n")
            .collect();
        parts.push(format!("{}\n{tail}", heading("end of the log")));
    }
    parts.join("\n")
}

fn decided(row: &Row, style: Style) -> String {
    let verdict = style.paint(row.verdict.into(), row.verdict.as_str());
    let mut lines = vec![
        format!("experiment {}: {verdict}, {}", row.experiment, one_line(&row.reason, LINE_WIDTH)),
        String::new(),
        fact("description", &one_line(&row.description, LINE_WIDTH)),
        fact("hypothesis", &one_line(&row.hypothesis, LINE_WIDTH)),
        fact("proposer", &row.proposer),
        fact("commit", &format!("{} on {}", short(&row.commit), short(&row.parent))),
        fact("decided", &(style.readable)(row.decided_at_ms)),
    ];
    lines.extend(row.metrics.iter().map(|(name, value)| fact(name, &format!("{value:.6}"))));
    lines.extend(row.evidence.map(|evidence| fact("evidence", &evidence.told())));
    lines.push(fact("memory", &format!("{:.1} GiB", row.peak_vram_mb / MIB_PER_GIB)));
    lines.extend(row.machine.as_ref().map(|machine| fact("machine", &machine.told())));
    if row.steps_per_s > 0.0 {
        lines.push(fact("speed", &format!("{:.2} steps/s", row.steps_per_s)));
    }
    let usage = row.usage;
    let tokens = format!("{} sent, {} received", usage.prompt_tokens, usage.completion_tokens);
    lines.push(fact("tokens", &tokens));
    format!("{}\n\n{}", lines.join("\n"), phase_table(std::slice::from_ref(row)))
}

fn fact(name: &str, value: &str) -> String {
    format!("{name:<16} {value}")
}

fn timeline(entries: &[Recorded], style: Style) -> String {
    let line = |recorded: &Recorded| {
        let told = one_line(&told(&recorded.entry), LINE_WIDTH);
        format!("{}  {told}\n", (style.readable)(recorded.at_ms))
    };
    entries.iter().map(line).collect()
}

fn told(entry: &Entry) -> String {
    match entry {
        Entry::Opened { parent, proposer, .. } => {
            format!("opened on {} by {proposer}", short(parent))
        }
        Entry::Began { phase, .. } => format!("began: {phase}"),
        Entry::Inherited { legacy } => {
            format!("begins at experiment {} of {}", legacy.experiment, legacy.tag)
        }
        Entry::Machine { machine } => format!("on {}", machine.told()),
        Entry::Answered { proposer, problem, .. } => match problem {
            Some(problem) => format!("answered by {proposer}: {problem}"),
            None => format!("answered by {proposer}"),
        },
        Entry::Looked => "asked to look at something".to_owned(),
        Entry::Lost { usage, .. } => format!("no answer for {} tokens sent", usage.prompt_tokens),
        Entry::Proposed { description, .. } => format!("proposed: {description}"),
        Entry::Refused { stage, problem, .. } => {
            format!("refused at {}: {problem}", stage.as_str())
        }
        Entry::Committed { commit } => format!("committed {}", short(commit)),
        Entry::Built { .. } => "built".to_owned(),
        Entry::Ran { tampered: Some(what), .. }
        | Entry::Predicted { tampered: Some(what), .. }
        | Entry::Scored { tampered: Some(what), .. } => format!("tampered: {what}"),
        Entry::Ran { run, .. } => format!("ran: {run}"),
        Entry::Predicted { run, .. } => format!("predicted: {run}"),
        Entry::HeldOut { problem: Some(problem), .. } => format!("no holdout: {problem}"),
        Entry::HeldOut { .. } => "measured on the holdout".to_owned(),
        Entry::Interrupted { phase, why, .. } => format!("{phase} was cut short: {why}"),
        Entry::Again => "scored well; measured again".to_owned(),
        Entry::Unscored { reason } => format!("cannot be scored: {reason}"),
        Entry::Scored { .. } => "scored".to_owned(),
        Entry::Decided { verdict, reason, .. } => format!("decided: {verdict}, {reason}"),
        Entry::Settled { .. } => "settled".to_owned(),
        Entry::Abandoned { reason } => format!("abandoned: {reason}"),
        Entry::Resumed { .. } => "a daemon took the session up again".to_owned(),
        Entry::Tested { what, seconds } => format!("{what} was on the device for {seconds:.1} s"),
        Entry::Capped { caps } => format!("the session may spend: {caps}"),
        Entry::Diverged { tip } => format!("somebody else moved the branch to {}", short(tip)),
        Entry::Tried { usage, .. } => {
            format!("the endpoint was tried with {} tokens", usage.prompt_tokens)
        }
        Entry::Directed { from, text } => format!("{} says: {text}", from.as_str()),
        Entry::Submitted { submission } => format!("{}: {}", submission.zip, submission.told()),
        Entry::Device { known: DeviceState { fault: Some(why), .. } } => {
            format!("a GPU is in doubt: {why}")
        }
        Entry::Device { .. } => "the GPUs are sound".to_owned(),
        Entry::RolledBack { to } => format!("a human returned to experiment {to}"),
        Entry::Paused { cause, seconds, .. } => format!("paused for {seconds:.0} s: {cause}"),
    }
}
