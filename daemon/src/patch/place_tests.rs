use super::*;

/// A hunk from marked lines.
fn hunk(lines: &[&str], hint: Hint) -> Hunk {
    let line = |text: &&str| {
        let (mark, text) = text.split_at(1);
        let change = match mark {
            "+" => Change::Add,
            "-" => Change::Remove,
            _ => Change::Keep,
        };
        Line { change, text: text.to_owned() }
    };
    Hunk { line: 1, lines: lines.iter().map(line).collect(), hint }
}

fn start(lines: &[&str], hint: Hint, file: &[&str]) -> Result<usize, Miss> {
    place(&hunk(lines, hint), file).map(|place| place.start)
}

const TWICE: [&str; 11] = [
    "impl A {",
    "    fn go(&self) {",
    "        one();",
    "    }",
    "}",
    "",
    "impl B {",
    "    fn go(&self) {",
    "        one();",
    "    }",
    "}",
];

#[test]
fn an_exact_place_wins_over_one_that_is_nearly_so() {
    assert_eq!(start(&["-x"], Hint::None, &["  x", "x ", "x"]), Ok(2));
    assert_eq!(start(&["-x"], Hint::None, &["  x", "x "]), Ok(1));
    assert_eq!(start(&["-x"], Hint::None, &["  x"]), Ok(0));
    assert_eq!(start(&["-x"], Hint::None, &["x", "x"]), Err(Miss::Several(vec![1, 2])));
}

#[test]
fn one_indentation_for_all_lines_is_made_up_for() {
    let file = ["    if a {", "        b();", "", "    }"];
    let lacking =
        place(&hunk(&[" if a {", "-    b();", "+    c();", " ", " }"], Hint::None), &file);
    assert_eq!(lacking.unwrap().shifted("    c();"), "        c();");
    let exceeding = ["         if a {", "-            b();", "+            c();"];
    let exceeding = place(&hunk(&exceeding, Hint::None), &file).unwrap();
    assert_eq!(exceeding.shifted("            c();"), "        c();");
    assert_eq!(exceeding.shifted(""), "");
    let uneven = start(&[" if a {", "-  b();"], Hint::None, &file);
    assert!(matches!(uneven, Err(Miss::Nowhere(_))), "{uneven:?}");
}

/// A new line that is indented less than what all lines have too much cannot be put right.
#[test]
fn a_new_line_that_cannot_be_indented_like_the_others_has_no_place() {
    let hunk = hunk(&["-        b();", "+  c();"], Hint::None);
    assert!(matches!(place(&hunk, &["    b();"]), Err(Miss::Nowhere(_))));
}

#[test]
fn a_blank_that_was_read_as_a_mark_is_made_up_for_in_unchanged_lines_only() {
    let file = ["fn a() {", "    b();", "    c();"];
    // The second line lacked its mark, so its own first blank was read as one.
    assert_eq!(start(&[" fn a() {", "    b();", "-    c();"], Hint::None, &file), Ok(0));
    let removed = start(&[" fn a() {", "-   b();"], Hint::None, &file);
    assert!(matches!(removed, Err(Miss::Nowhere(_))), "{removed:?}");
}

#[test]
fn unchanged_blank_lines_at_the_ends_may_be_missing_in_the_file() {
    let found = place(&hunk(&[" ", "-a", "+b", " "], Hint::None), &["a", "c"]).unwrap();
    assert_eq!((found.start, found.taken), (0, 1..3));
}

#[test]
fn of_several_places_the_hint_tells_one() {
    let lines = ["-        one();", "+        two();"];
    let within =
        |heads: &[&str]| Hint::Within(heads.iter().map(|head| (*head).to_owned()).collect());
    for (hint, found) in [
        (Hint::None, Err(Miss::Several(vec![3, 9]))),
        (Hint::At(9), Ok(8)),
        (Hint::At(8), Err(Miss::Several(vec![3, 9]))),
        (within(&["impl B {"]), Ok(8)),
        (within(&["impl A {", "fn go(&self) {"]), Ok(2)),
        (within(&["fn go(&self) {"]), Err(Miss::Several(vec![3, 9]))),
        (within(&["impl C {"]), Err(Miss::Several(vec![3, 9]))),
    ] {
        assert_eq!(start(&lines, hint.clone(), &TWICE), found, "{hint:?}");
    }
    let last = ["-}", "+};"];
    assert_eq!(start(&last, Hint::End, &TWICE), Ok(10));
}

#[test]
fn lines_that_are_only_new_need_the_end_of_the_file_to_be_named() {
    assert_eq!(start(&["+a"], Hint::End, &["b"]), Ok(1));
    assert_eq!(start(&["+a"], Hint::At(1), &["b"]), Err(Miss::Empty));
}
