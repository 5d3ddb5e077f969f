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
    let Some(value) = value.parse::<f64>().ok().filter(|_| found_id == id.to_string()) else {
        return Err(malformed);
    };
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
        check("id\tp_synthetic\n+0\t0.5\n", 1, &Line { line: 2, expected_id: 0 });
    }

    #[test]
    fn refuses_values_outside_the_unit_interval() {
        for value in ["-0.1", "1.0000001", "1e308", "inf", "-inf", "NaN"] {
            let parsed = parse(&format!("{HEADER}\n0\t{value}\n"), 1);
            assert!(matches!(parsed, Err(PredictionsError::Range { line: 2, .. })), "{value}");
        }
    }

    #[derive(Clone, Debug)]
    enum Damage {
        Drop(prop::sample::Index),
        Double(prop::sample::Index, prop::sample::Index),
        Swap(prop::sample::Index, prop::sample::Index),
        Cut(prop::sample::Index),
        Value(prop::sample::Index, String),
        Letter(prop::sample::Index, char),
    }

    fn damage() -> impl Strategy<Value = Damage> {
        let at = any::<prop::sample::Index>;
        let value = prop::sample::select(vec![
            "NaN", "inf", "-0.0", "1e308", "2", "-1", "", " 0.5", "0.5\t0.5", "1e-400", "0x1", "٣",
            "+1",
        ]);
        prop_oneof![
            at().prop_map(Damage::Drop),
            (at(), at()).prop_map(|(from, to)| Damage::Double(from, to)),
            (at(), at()).prop_map(|(one, other)| Damage::Swap(one, other)),
            at().prop_map(Damage::Cut),
            (at(), value).prop_map(|(at, value)| Damage::Value(at, value.to_owned())),
            (at(), any::<char>()).prop_map(|(at, letter)| Damage::Letter(at, letter)),
        ]
    }

    fn damaged(text: &str, damage: Damage) -> String {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let count = lines.len();
        match damage {
            Damage::Drop(at) => drop(lines.remove(at.index(count))),
            Damage::Double(from, to) => {
                lines.insert(to.index(count), lines[from.index(count)].clone());
            }
            Damage::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
            Damage::Cut(at) => {
                return text.chars().take(at.index(text.chars().count() + 1)).collect();
            }
            Damage::Value(at, value) => {
                let line = &mut lines[at.index(count)];
                let id = line.split('\t').next().unwrap_or_default();
                *line = format!("{id}\t{value}");
            }
            Damage::Letter(at, letter) => {
                let mut letters: Vec<char> = text.chars().collect();
                letters.insert(at.index(letters.len() + 1), letter);
                return letters.into_iter().collect();
            }
        }
        lines.join("\n")
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(p in prop::collection::vec(0.0f64..=1.0, 0..50)) {
            prop_assert_eq!(parse(&print(&p), p.len()), Ok(p));
        }

        #[test]
        fn never_panics(text in "(?s).{0,200}", records in 0usize..5) {
            let _ = parse(&text, records);
            let _ = parse(&format!("{HEADER}\n{text}"), records);
        }

        /// A table with lines doubled, dropped, swapped or cut and numbers changed is refused, or is
        /// still one of exactly these records, each told once, in order and in range.
        #[test]
        fn what_is_read_of_a_damaged_table_is_all_of_it(
            p in prop::collection::vec(0.0f64..=1.0, 1..12),
            damages in prop::collection::vec(damage(), 1..4),
        ) {
            let text = damages.into_iter().fold(print(&p), |text, damage| damaged(&text, damage));
            if let Ok(read) = parse(&text, p.len()) {
                let told = text.lines().skip(1).map(|line| line.split_once('\t').unwrap());
                let told: Vec<_> = told.collect();
                prop_assert_eq!(told.len(), p.len());
                for (id, (found, value)) in told.into_iter().enumerate() {
                    prop_assert_eq!(found, id.to_string());
                    prop_assert_eq!(value.parse::<f64>().unwrap().to_bits(), read[id].to_bits());
                    prop_assert!(read[id] >= 0.0 && read[id] <= 1.0);
                }
            }
        }
    }
}
