//! Tables and properties of the whole room; the scenarios in `tests/patch_scenarios` are the rest.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const HEAD: &str = "HYPOTHESIS: h\nDESCRIPTION: d\n";

fn scope() -> &'static Scope {
    static SCOPE: LazyLock<Scope> =
        LazyLock::new(|| Scope::new(&["src/**/*.rs".to_owned(), "top/*.rs".to_owned()]).unwrap());
    &SCOPE
}

fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// What an answer in blocks asks for.
#[derive(Clone, Debug, PartialEq)]
enum Asked {
    Replace { path: String, search: String, replace: String },
    Write { path: String, content: String },
}

/// An answer's head and blocks.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wanted {
    hypothesis: String,
    description: String,
    notes: Notes,
    edits: Vec<Asked>,
}

/// What a proposer would write to ask for these edits.
fn reply(wanted: &Wanted) -> String {
    let mut text =
        format!("HYPOTHESIS: {}\nDESCRIPTION: {}\n", wanted.hypothesis, wanted.description);
    for (name, notes) in [
        ("WORKED", &wanted.notes.worked),
        ("FAILED", &wanted.notes.failed),
        ("NEXT", &wanted.notes.next),
        ("OBSERVED", &wanted.notes.observations),
    ] {
        text.extend(notes.iter().map(|note| format!("{name}: {note}\n")));
    }
    for edit in &wanted.edits {
        let block = match edit {
            Asked::Replace { path, search, replace } => {
                format!("\n{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n")
            }
            Asked::Write { path, content } => {
                format!("\n{path}\n<<<<<<< FILE\n{content}>>>>>>> FILE\n")
            }
        };
        text.push_str(&block);
    }
    text
}

/// What was read, as it was asked for.
fn asked(proposal: Proposal) -> Wanted {
    let Proposal { hypothesis, description, theme: _, notes, edits } = proposal;
    let edits = edits.into_iter().map(|edit| match edit {
        Edit::Change { path, hunks, .. } => {
            let side = |gone| {
                let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
                lines
                    .filter(|line| line.change != gone)
                    .map(|line| format!("{}\n", line.text))
                    .collect()
            };
            Asked::Replace { path, search: side(Change::Add), replace: side(Change::Remove) }
        }
        Edit::Write { path, content, .. } => Asked::Write { path, content },
        other => panic!("no block asks for {other:?}"),
    });
    Wanted { hypothesis, description, notes, edits: edits.collect() }
}

/// The patch of an answer without notes.
fn applied(edits: Vec<Asked>, base: &BTreeMap<String, String>) -> Result<Patch, PatchError> {
    let wanted =
        Wanted { hypothesis: "h".into(), description: "d".into(), edits, ..Wanted::default() };
    apply(&parse(&reply(&wanted)).unwrap(), base, scope())
}

#[test]
fn every_path_dress_is_understood() {
    for dress in [
        "src/a.rs",
        "`src/a.rs`",
        "**src/a.rs**",
        "### src/a.rs",
        "## `src/a.rs`",
        "**`src/a.rs`**",
    ] {
        for fence in ["", "```\n", "```rust\n"] {
            let text = format!("{HEAD}{dress}\n{fence}<<<<<<< FILE\nx\n>>>>>>> FILE\n{fence}");
            assert_eq!(parse(&text).unwrap().edits[0].path(), "src/a.rs", "{text}");
        }
    }
}

#[test]
fn lines_for_tables_are_one_short_line_without_control_characters() {
    let said = format!("HYPOTHESIS: h\nDESCRIPTION: \ta\tb\u{7}c\u{202e}{}\n", "é".repeat(300));
    let proposal = parse(&format!("{said}a.rs\n<<<<<<< FILE\n>>>>>>> FILE")).unwrap();
    assert_eq!(proposal.description, format!("a b c {}", "é".repeat(194)));
}

#[test]
fn a_reply_past_the_limit_is_not_read() {
    let error = parse(&"x".repeat(REPLY_BYTES + 1)).unwrap_err();
    assert_eq!(error, PatchError::ReplyTooLong { bytes: REPLY_BYTES + 1, max: REPLY_BYTES });
}

#[test]
fn a_file_past_the_limit_is_refused() {
    let huge = Asked::Write { path: "src/a.rs".into(), content: "x".repeat(FILE_BYTES) + "\n" };
    let error = applied(vec![huge], &files(&[])).unwrap_err();
    assert!(matches!(error, PatchError::FileTooLarge { max: FILE_BYTES, .. }));
}

#[test]
fn hostile_paths_have_their_reasons() {
    for (path, fault) in [
        ("", PathFault::Length),
        (&*format!("src/{}.rs", "a".repeat(400)), PathFault::Length),
        (&*format!("src/{}.rs", "a".repeat(253)), PathFault::Name),
        ("/src/a.rs", PathFault::Absolute),
        ("src/../a.rs", PathFault::NotNormal),
        ("./src/a.rs", PathFault::NotNormal),
        ("src//a.rs", PathFault::NotNormal),
        ("src/a.rs/", PathFault::NotNormal),
        ("src\\a.rs", PathFault::Character),
        ("src/a\0.rs", PathFault::Character),
        ("src/a\n.rs", PathFault::Character),
        ("src/.git/a.rs", PathFault::Git),
        ("src/.GiT/a.rs", PathFault::Git),
        ("src/git~1/a.rs", PathFault::Git),
        ("src/.git. /a.rs", PathFault::Git),
        ("src/.git::$INDEX/a.rs", PathFault::Git),
        ("build.rs", PathFault::NoGlob),
        ("src/a.toml", PathFault::NoGlob),
        ("top/deep/a.rs", PathFault::NoGlob),
    ] {
        assert_eq!(scope().check(path), Err(fault), "{path:?}");
    }
    for path in ["src/a.rs", "src/deep/er/a.rs", "top/a.rs", "src/.gitignore.rs"] {
        assert!(scope().contains(path), "{path:?}");
    }
}

#[test]
fn a_glob_that_is_none_is_named() {
    let message = Scope::new(&["src/[".to_owned()]).unwrap_err().to_string();
    assert!(message.contains("\"src/[\""), "{message}");
}

#[test]
fn a_plain_diff_is_what_git_reads() {
    let before = files(&[("a", "1\n2\n3\n"), ("gone", "x\n"), ("same", "s\n")]);
    let after = files(&[("a", "1\ntwo\n3\n"), ("new", "y"), ("same", "s\n")]);
    insta::assert_snapshot!(render(&before, &after, Look::Plain), @r"
    --- a/a
    +++ b/a
    @@ -1,3 +1,3 @@
     1
    -2
    +two
     3
    --- a/gone
    +++ /dev/null
    @@ -1 +0,0 @@
    -x
    --- /dev/null
    +++ b/new
    @@ -0,0 +1 @@
    +y
    \ No newline at end of file
    ");
}

#[test]
fn a_coloured_diff_underlines_what_changed_and_lets_nothing_through() {
    let before = files(&[("a", "let rate = 1;\n")]);
    let after = files(&[("a", "let rate = 2; // \x1b[2J\n")]);
    let text = render(&before, &after, Look::Coloured);
    insta::assert_snapshot!(text.replace('\x1b', "^").replace('\u{fffd}', "?"), @r"
    ^[1m--- a/a
    +++ b/a^[0m
    ^[36m@@ -1 +1 @@^[0m
    ^[31m-let rate = ^[4m1;^[24m^[0m
    ^[32m+let rate = ^[4m2; // ?[2J^[24m^[0m
    ");
}

/// Lines that are no marker.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec("[ -;?-~é]{0,12}", 0..6)
        .prop_map(|lines| lines.into_iter().map(|line| line + "\n").collect())
}

fn edit() -> impl Strategy<Value = Asked> {
    let path = "src/[a-c]{1,2}\\.rs";
    prop_oneof![
        (path, text(), text()).prop_map(|(path, search, replace)| Asked::Replace {
            path,
            search,
            replace
        }),
        (path, text()).prop_map(|(path, content)| Asked::Write { path, content }),
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let note = || prop::collection::vec("[a-z]{1,9}", 0..3);
    ("[a-z]{1,9}", "[a-z]{1,9}", note(), prop::collection::vec(edit(), 1..5)).prop_map(
        |(hypothesis, description, next, edits)| Wanted {
            hypothesis,
            description,
            notes: Notes { next, ..Notes::default() },
            edits,
        },
    )
}

/// Pieces that paths of every kind, good and bad, are made of.
fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just(".git".to_owned()),
        Just(".GIT".to_owned()),
        Just("src".to_owned()),
        Just("a.rs".to_owned()),
        Just("top".to_owned()),
        "\\PC{0,6}",
        "[\\x00-\\x1f\\\\]{1,2}",
    ];
    prop::collection::vec(part, 0..7).prop_map(|parts| parts.join("/"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_mutation_panics_or_leaves_the_scope(wanted in wanted(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<char>()), 0..20)) {
        let mut letters: Vec<char> = reply(&wanted).chars().collect();
        for (at, letter) in changes {
            let at = at.index(letters.len());
            letters[at] = letter;
        }
        let base = files(&[("src/a.rs", "a\nb\n"), ("src/b.rs", "a\r\nb")]);
        let text: String = letters.into_iter().collect();
        if let Ok(patch) = parse(&text).and_then(|read| apply(&read, &base, scope())) {
            prop_assert!(patch.files.keys().all(|path| scope().contains(path)));
        }
    }

    #[test]
    fn a_path_in_scope_stays_below_the_editable_directories(path in path()) {
        if scope().contains(&path) {
            let parts: Vec<_> = std::path::Path::new(&path).components().collect();
            let normal = |part: &std::path::Component<'_>| {
                matches!(part, std::path::Component::Normal(name) if !name.eq_ignore_ascii_case(".git"))
            };
            prop_assert!(parts.iter().all(normal));
            prop_assert!(path.starts_with("src/") || path.starts_with("top/"));
            prop_assert!(path.ends_with(".rs") && !path.contains(['\\', '\0', '\n']));
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(wanted in wanted()) {
        prop_assert_eq!(asked(parse(&reply(&wanted)).unwrap()), wanted);
    }

    #[test]
    fn whole_files_are_applied_as_they_were_asked_for(contents in prop::collection::btree_map("src/[a-z]{1,4}\\.rs", text(), 1..5)) {
        let edits = contents.iter().map(|(path, content)| Asked::Write { path: path.clone(), content: content.clone() });
        let patch = applied(edits.collect(), &BTreeMap::new()).unwrap();
        let contents: BTreeMap<_, _> = contents.into_iter().map(|(path, content)| (path, Some(content))).collect();
        prop_assert_eq!(patch.files, contents);
    }

    #[test]
    fn a_unique_line_is_replaced_and_nothing_else(before in text(), after in text(), new in text()) {
        let base = files(&[("src/a.rs", &format!("{before}the ~ line\n{after}"))]);
        prop_assume!(new != "the ~ line\n");
        let edit = Asked::Replace { path: "src/a.rs".into(), search: "the ~ line\n".into(), replace: new.clone() };
        let patch = applied(vec![edit], &base).unwrap();
        prop_assert_eq!(patch.files["src/a.rs"].as_ref(), Some(&format!("{before}{new}{after}")));
    }

    /// Cut at every byte: either a block is open and the answer refused, or what is read is a
    /// prefix of whole edits.
    #[test]
    fn a_reply_cut_anywhere_is_never_half_an_edit(wanted in wanted()) {
        let whole = reply(&wanted);
        for cut in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let open = whole[..cut].matches("<<<<<<< ").count()
                != whole[..cut].matches(">>>>>>> REPLACE").count() + whole[..cut].matches(">>>>>>> FILE").count();
            match parse(&whole[..cut]) {
                Ok(read) => {
                    prop_assert!(!open, "cut at {}", cut);
                    let read = asked(read);
                    prop_assert_eq!(&read.edits[..], &wanted.edits[..read.edits.len()]);
                }
                Err(error) => prop_assert!(!open || !matches!(error, PatchError::NoEdits)),
            }
        }
    }
}

#[test]
fn changed_lines_are_those_that_mean_something() {
    let before = files(&[("a.rs", "one\n// said\ntwo  three\n"), ("gone.rs", "x\n")]);
    let patch = Patch {
        files: BTreeMap::from([
            ("a.rs".to_owned(), Some("one\n// said otherwise\n  two three\nfour = 4\n".to_owned())),
            ("gone.rs".to_owned(), None),
            ("new.rs".to_owned(), Some("one\n".to_owned())),
        ]),
    };
    let lines = changed_lines(&before, &patch);
    let expected = ["a.rs+four=4", "gone.rs gone", "gone.rs-x", "new.rs+one"];
    assert_eq!(lines.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
