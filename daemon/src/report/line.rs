//! Text of others made fit for one line of ours.

/// One line of at most `width` characters: whitespace runs become one space, control characters
/// (terminal escapes among them) vanish, and what is cut off is marked.
pub fn one_line(text: &str, width: usize) -> String {
    let clean = printable(text);
    let clean = clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if clean.chars().count() <= width {
        return clean;
    }
    clean.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Text without control characters, so that no terminal obeys it; any whitespace becomes a space.
pub fn printable(text: &str) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    spaced.filter(|c| !c.is_control()).collect()
}

/// The first seven characters of an object id, as people know commits.
pub fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_made_of_anything() {
        let cases = [
            ("  lr 3e-4\t\n## up ", 20, "lr 3e-4 ## up"),
            ("red \u{1b}[31malert\u{7}\r\n", 20, "red [31malert"),
            ("a\u{2028}b\u{a0}c", 20, "a b c"),
            ("0123456789", 10, "0123456789"),
            ("0123456789a", 10, "012345678…"),
            ("ééé", 2, "é…"),
            ("", 5, ""),
        ];
        for (text, width, line) in cases {
            assert_eq!(one_line(text, width), line);
        }
    }

    #[test]
    fn printable_text_keeps_its_spaces() {
        assert_eq!(printable("  --> a.rs:1\u{1b}[2J\r"), "  --> a.rs:1[2J ");
    }

    #[test]
    fn commits_are_cut_to_seven() {
        assert_eq!((short("0123456789"), short("012")), ("0123456", "012"));
    }

    proptest! {
        #[test]
        fn a_line_has_its_width_and_no_control_character(text in any::<String>(), width in 1usize..50) {
            let line = one_line(&text, width);
            prop_assert!(line.chars().count() <= width);
            prop_assert!(!line.contains(char::is_control));
            prop_assert_eq!(one_line(&line, width), line);
        }
    }
}
