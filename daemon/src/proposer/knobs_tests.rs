use proptest::prelude::*;

use super::*;

/// Applies replacements one after the other, each of which must stand exactly once.
fn apply(text: &str, replacements: &[Replacement]) -> String {
    replacements.iter().fold(text.to_owned(), |text, Replacement { search, replace }| {
        assert_eq!(text.matches(search.as_str()).count(), 1, "{search:?} in {text:?}");
        text.replacen(search.as_str(), replace, 1)
    })
}

#[test]
fn lines_that_hold_a_knob() {
    for (line, name, current, values) in [
        ("    learning_rate: 3e-3, // knob: 1e-3 | 3e-3", "learning_rate", "3e-3", "1e-3 3e-3"),
        ("const X: f64 = 3e-3; // knob: 1e-3 | 3e-3", "X", "3e-3", "1e-3 3e-3"),
        ("pub(crate) const X: i64 = 8; // knob: 8 | 16", "X", "8", "8 16"),
        ("let mut steps = 4; // knob: 4 | 2", "steps", "4", "4 2"),
        ("X = 3e-3  # knob: 1e-3 | 3e-3", "X", "3e-3", "1e-3 3e-3"),
        ("X: float = 0.5  # knob: 0.5 | 1", "X", "0.5", "0.5 1"),
        ("  loss: Loss::Focal, // knob: Loss::Focal | Loss::Cross", "loss", "Loss::Focal", ""),
        ("betas: (0.9, 0.99), // knob: (0.9, 0.99) | (0.8, 0.9)", "betas", "(0.9, 0.99)", ""),
        ("size: 4 // knob: 4 | 4 | 8", "size", "4", "4 8"),
        ("size: 5, // knob: 4", "size", "5", "4"),
    ] {
        let [knob] = <[Knob; 1]>::try_from(parse(line)).expect(line);
        assert_eq!((knob.name.as_str(), knob.current.as_str()), (name, current), "{line}");
        assert!(values.is_empty() || knob.values.join(" ") == values, "{line}: {:?}", knob.values);
        let replaced = apply(line, &turn(line, &[(&knob, "NEW")]));
        assert_eq!(replaced, line.replacen(current, "NEW", 1), "{line}");
    }
}

#[test]
fn lines_that_hold_none() {
    for line in [
        "learning_rate: 3e-3,",
        "learning_rate: 3e-3, // knob:",
        "learning_rate: 3e-3, // knob: 3e-3",
        "// knob: 1 | 2",
        "//! As in `x: 1, // knob: 1 | 2`.",
        "# X = 1  # knob: 1 | 2",
        "return 3; // knob: 1 | 2",
        "a b c // knob: 1 | 2",
        ": 3, // knob: 1 | 2",
        "x: , // knob: 1 | 2",
    ] {
        assert_eq!(parse(line), [], "{line}");
    }
}

#[test]
fn a_second_knob_of_a_name_is_numbered_and_turned_alone() {
    let text = "a {\n    x: 1, // knob: 1 | 2\n}\nb {\n    x: 1, // knob: 1 | 2\n}\n";
    let knobs = parse(text);
    assert_eq!([knobs[0].name.as_str(), knobs[1].name.as_str()], ["x", "x#2"]);
    let second = apply(text, &turn(text, &[(&knobs[1], "2")]));
    assert_eq!(second, "a {\n    x: 1, // knob: 1 | 2\n}\nb {\n    x: 2, // knob: 1 | 2\n}\n");
    let both = apply(text, &turn(text, &[(&knobs[0], "2"), (&knobs[1], "2")]));
    assert_eq!(both, text.replace("x: 1", "x: 2"));
}

#[test]
fn distance_counts_steps_in_the_list() {
    let distances = |line| {
        let knob = &parse(line)[0];
        knob.alternatives().map(|value| knob.distance(value)).collect::<Vec<_>>()
    };
    assert_eq!(distances("x: 3, // knob: 1 | 2 | 3 | 4"), [2, 1, 1]);
    assert_eq!(distances("x: 9, // knob: 1 | 2"), [1, 2]);
}

fn file() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("}".to_owned()),
        "[a-c]: [1-3], // knob: [1-3] \\| [1-3]( \\| [1-3])?",
        "const [A-C]: i64 = [1-3]; // knob: 1 \\| 2 \\| 3",
        "\\PC{0,20}",
    ];
    prop::collection::vec(line, 0..14).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn a_turned_knob_has_its_new_value_and_all_else_stays(text in file(), seed in any::<usize>()) {
        let knobs = parse(&text);
        let names: std::collections::BTreeSet<_> = knobs.iter().map(|knob| &knob.name).collect();
        prop_assert_eq!(names.len(), knobs.len());
        let turned: Vec<(&Knob, &str)> = knobs
            .iter()
            .enumerate()
            .filter(|(at, _)| seed >> (at % 60) & 1 == 1)
            .map(|(_, knob)| (knob, knob.alternatives().next().unwrap()))
            .collect();
        let after = parse(&apply(&text, &turn(&text, &turned)));
        prop_assert!(after.len() <= knobs.len());
        for knob in &after {
            let before = knobs.iter().find(|k| k.line == knob.line).unwrap();
            let new = turned.iter().find(|(k, _)| k.line == knob.line);
            prop_assert_eq!(&knob.current, new.map_or(before.current.as_str(), |(_, v)| v));
            prop_assert_eq!(&knob.values, &before.values);
        }
    }
}
