//! The text of results.tsv.

use std::fmt::Write;

use crate::experiment::{Row, Verdict};
use crate::report::{MIB_PER_GIB, one_line, short};

/// The table: `commit`, the task's score columns, `memory_gb`, `status`, `description`, separated
/// by tabs. Scores have six digits, memory is in GiB with one; both are zero for a crash. What ran in no
/// sandbox says so.
///
/// # Source
/// dfresearch's program.md, "Logging results".
pub fn results_tsv<'a>(columns: &[String], rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut text = format!("commit\t{}\tmemory_gb\tstatus\tdescription\n", columns.join("\t"));
    for row in rows {
        line(&mut text, columns, row);
    }
    text
}

/// results.tsv as it grows. Decided rows never change, so that only new ones are put into words; the
/// file is still written whole.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: usize,
    text: String,
}

impl Table {
    /// The text for rows that begin with those of the call before, or for others.
    pub fn follow<'a>(
        &mut self,
        columns: &[String],
        rows: impl Iterator<Item = &'a Row> + Clone,
    ) -> &str {
        let count = rows.clone().count();
        if self.text.is_empty() || count < self.rows {
            self.text = results_tsv(columns, rows);
        } else {
            rows.skip(self.rows).for_each(|row| line(&mut self.text, columns, row));
        }
        self.rows = count;
        &self.text
    }
}

/// The text of holdout.tsv: what each keep scored where it was chosen and where it was not, or why it
/// has no score there; empty while no keep was measured. For people alone.
pub fn holdout_tsv<'a>(objective: &str, rows: impl IntoIterator<Item = &'a Row>) -> String {
    let is_told = |row: &&Row| !row.holdout.is_empty() || row.holdout_problem.is_some();
    let lines: String =
        rows.into_iter().filter(is_told).map(|row| holdout_line(objective, row)).collect();
    if lines.is_empty() {
        return lines;
    }
    format!(
        "experiment\tcommit\tvalidation_{objective}\tholdout_{objective}\tgap\tproblem\n{lines}"
    )
}

fn holdout_line(objective: &str, row: &Row) -> String {
    let told = |score: Option<f64>| score.map_or("-".to_owned(), |score| format!("{score:.6}"));
    let [validation, holdout] =
        [&row.metrics, &row.holdout].map(|part| part.get(objective).copied());
    let gap = validation.zip(holdout).map(|(validation, holdout)| validation - holdout);
    let gap = gap.map_or("-".to_owned(), |gap| format!("{gap:+.6}"));
    let problem = row.holdout_problem.as_deref().map(|problem| one_line(problem, usize::MAX));
    let (n, commit, problem) = (row.experiment, short(&row.commit), problem.unwrap_or_default());
    format!("{n}\t{commit}\t{}\t{}\t{gap}\t{problem}\n", told(validation), told(holdout))
}

fn line(text: &mut String, columns: &[String], row: &Row) {
    let crashed = row.verdict == Verdict::Crash;
    let told = |value: f64| if crashed { 0.0 } else { value };
    text.push_str(short(&row.commit));
    for column in columns {
        let score = told(row.metrics.get(column).copied().unwrap_or(0.0));
        write!(text, "\t{score:.6}").expect("text takes any line");
    }
    let memory_gb = told(row.peak_vram_mb / MIB_PER_GIB);
    let description = one_line(&row.description, usize::MAX);
    let unsealed = if row.sealed.is_none() { "[unsealed] " } else { "" };
    writeln!(text, "\t{memory_gb:.1}\t{}\t{unsealed}{description}", row.verdict)
        .expect("text takes any line");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Verdict;
    use crate::sample::{history, tried};

    fn columns() -> Vec<String> {
        ["sn34_score", "accuracy"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_formats_are_those_of_the_original() {
        let history = history(&[
            tried(Verdict::Keep, 0.723_456_4, "baseline"),
            tried(Verdict::Discard, 0.7, "focal\tloss,\n  gamma 2"),
            tried(Verdict::Crash, 0.0, "batch size 64"),
        ]);
        insta::assert_snapshot!(results_tsv(&columns(), &history.rows).replace('\t', "→"), @r"
        commit→sn34_score→accuracy→memory_gb→status→description
        0c0ffee→0.723456→0.823456→12.1→keep→baseline
        0c0ffef→0.700000→0.800000→12.1→discard→focal loss, gamma 2
        0c0fff0→0.000000→0.000000→0.0→crash→batch size 64
        ");
    }

    #[test]
    fn a_crash_is_zero_whatever_was_measured() {
        let mut history = history(&[tried(Verdict::Discard, 0.5, "x")]);
        history.rows[0].verdict = Verdict::Crash;
        let text = results_tsv(&columns(), &history.rows);
        assert_eq!(text.lines().nth(1), Some("0c0ffee\t0.000000\t0.000000\t0.0\tcrash\tx"));
    }

    #[test]
    fn a_table_that_grows_is_the_table_made_at_once() {
        let tried = [0.5, 0.6, 0.4].map(|score| tried(Verdict::Discard, score, "x"));
        let whole = history(&tried);
        let mut table = Table::default();
        for rows in [0, 1, 1, 3, 2] {
            let rows = &whole.rows[..rows];
            assert_eq!(table.follow(&columns(), rows.iter()), results_tsv(&columns(), rows));
        }
    }

    #[test]
    fn a_keep_that_does_not_stand_on_the_holdout_says_why() {
        let mut history = history(&[
            tried(Verdict::Keep, 0.75, "baseline"),
            tried(Verdict::Keep, 0.875, "dodges"),
            tried(Verdict::Discard, 0.5, "x"),
        ]);
        assert_eq!(holdout_tsv("sn34_score", &history.rows), "");
        history.rows[0].holdout.insert("sn34_score".to_owned(), 0.5);
        history.rows[1].holdout_problem = Some("prediction exit code 1:\tno".to_owned());
        insta::assert_snapshot!(holdout_tsv("sn34_score", &history.rows).replace('\t', "→"), @r"
        experiment→commit→validation_sn34_score→holdout_sn34_score→gap→problem
        0→0c0ffee→0.750000→0.500000→+0.250000→
        1→0c0ffef→0.875000→-→-→prediction exit code 1: no
        ");
    }

    #[test]
    fn no_rows_leave_the_header() {
        assert_eq!(
            results_tsv(&columns(), &[]),
            "commit\tsn34_score\taccuracy\tmemory_gb\tstatus\tdescription\n"
        );
    }
}
