//! The file of predictions: the only result that is taken from a trainer.
//!
//! ```text
//! id<TAB>p_synthetic
//! 0<TAB>0.731059
//! 1<TAB>0.118203
//! ```
//! One line per record of the part that was predicted, in record order. Parsed strictly, because a
//! trainer may write anything: every id exactly once and in order, every value finite and in [0, 1].

use std::fmt::Write as _;

/// First line of the file.
pub const HEADER: &str = "id\tp_synthetic";

/// File name inside a run directory.
pub const FILE: &str = "predictions.tsv";

/// Why a file of predictions was refused.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PredictionsError {
    /// The first line is not [`HEADER`].
    #[error("line 1 is not the header `id<TAB>p_synthetic`")]
    Header,
    /// A line is not `id<TAB>number`.
    #[error("line {line}: expected `{expected_id}<TAB>probability`")]
    Line {
        /// Line number from 1.
        line: usize,
        /// The id that belongs there.
        expected_id: usize,
    },
    /// A probability outside [0, 1], NaN or infinite.
    #[error("line {line}: probability {value} is not in [0, 1]")]
    Range {
        /// Line number from 1.
        line: usize,
        /// What stood there.
        value: f64,
    },
    /// Too few or too many lines.
    #[error("{found} predictions for {expected} records")]
    Count {
        /// Predictions read.
        found: usize,
        /// Records in the part.
        expected: usize,
    },
}

/// Prints probabilities of class synthetic, one per record in record order.
pub fn print(p_synthetic: &[f64]) -> String {
    let mut text = String::from(HEADER);
    text.push('\n');
    for (id, p) in p_synthetic.iter().enumerate() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{id}\t{p}");
    }
    text
}

/// Reads exactly `records` probabilities.
///
/// # Errors
/// Whatever is not exactly the format above, with its line.
pub fn parse(text: &str, records: usize) -> Result<Vec<f64>, PredictionsError> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(PredictionsError::Header);
    }
    let mut probabilities = Vec::with_capacity(records.min(text.len()));
    for (id, line) in lines.enumerate() {
        if id >= records {
            let found = records + 1 + text.lines().count().saturating_sub(records + 2);
            return Err(PredictionsError::Count { found, expected: records });
        }
        probabilities.push(parse_line(line, id)?);
    }
    if probabilities.len() < records {
        return Err(PredictionsError::Count { found: probabilities.len(), expected: records });
    }
    Ok(probabilities)
}

fn parse_line(line: &str, id: usize) -> Result<f64, PredictionsError> {
    let malformed = PredictionsError::Line { line: id + 2, expected_id: id };
    let Some((found_id, value)) = line.split_once('\t') else { return Err(malformed) };
    let (Ok(found_id), Ok(value)) = (found_id.parse::<usize>(), value.parse::<f64>()) else {
        return Err(malformed);
    };
    if found_id != id {
        return Err(malformed);
    }
    if !(0.0..=1.0).contains(&value) {
        return Err(PredictionsError::Range { line: id + 2, value });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, records: usize, error: &PredictionsError) {
        assert_eq!(parse(text, records).as_ref(), Err(error), "{text:?}");
    }

    #[test]
    fn refuses_what_is_not_the_format() {
        use PredictionsError::{Count, Header, Line};
        check("", 1, &Header);
        check("id,p\n0,0.5\n", 1, &Header);
        check("id\tp_synthetic\n", 1, &Count { found: 0, expected: 1 });
        check("id\tp_synthetic\n0\t0.5\n1\t0.5\n2\t0.5\n", 1, &Count { found: 3, expected: 1 });
        check("id\tp_synthetic\n0 0.5\n", 1, &Line { line: 2, expected_id: 0 });
        check("id\tp_synthetic\n0\t0.5\n0\t0.5\n", 2, &Line { line: 3, expected_id: 1 });
        check("id\tp_synthetic\n1\t0.5\n", 1, &Line { line: 2, expected_id: 0 });
        check("id\tp_synthetic\n0\t0.5x\n", 1, &Line { line: 2, expected_id: 0 });
    }

    #[test]
    fn refuses_values_outside_the_unit_interval() {
        for value in ["-0.1", "1.0000001", "1e308", "inf", "-inf", "NaN"] {
            let parsed = parse(&format!("{HEADER}\n0\t{value}\n"), 1);
            assert!(matches!(parsed, Err(PredictionsError::Range { line: 2, .. })), "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(p in prop::collection::vec(0.0f64..=1.0, 0..50)) {
            prop_assert_eq!(parse(&print(&p), p.len()), Ok(p));
        }

        #[test]
        fn never_panics(text in ".{0,200}", records in 0usize..5) {
            let _ = parse(&text, records);
            let _ = parse(&format!("{HEADER}\n{text}"), records);
        }
    }
}
