//! What a proposer may look at before it answers: an answer of LOOK lines, or calls of tools, which are
//! written as such lines.

use std::ops::ControlFlow;

use serde_json::{Value, json};

/// Answers of this kind to one question.
pub const MOST: usize = 3;
/// Requests of one of them.
const REQUESTS: usize = 4;
/// Characters of what one request finds, at most.
pub const FOUND_CHARS: usize = 6_000;
/// Lines of a file, and of a search, that are shown at once.
const LINES: usize = 120;
/// Files that are named as left out of a search.
const NAMED: usize = 3;
/// Longest line that is shown.
const WIDTH: usize = 240;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Lines of a file of the repository, from this one on (the first is 1).
    File(String, usize),
    /// Where these words stand in the repository.
    Search(String),
    /// What an experiment changed, how its training went, what came of it.
    Experiment(u32),
    /// All experiments of a theme, or of all of them.
    Results(Option<String>),
    /// None of these.
    Unknown(String),
}

/// The forms, for whoever used none of them.
pub const FORMS: &str = "LOOK: file PATH [FROM LINE], LOOK: search WORDS, LOOK: experiment N, \
    LOOK: results [THEME]";

/// What an answer asks to look at; none when it is no such answer.
pub fn requests(answer: &str) -> Option<Vec<Look>> {
    let said =
        |name: &'static str| answer.lines().filter_map(move |line| line.trim().strip_prefix(name));
    let looks: Vec<_> = said("LOOK:").take(REQUESTS).map(|line| read(line.trim())).collect();
    (!looks.is_empty() && said("HYPOTHESIS:").next().is_none()).then_some(looks)
}

fn read(line: &str) -> Look {
    let (form, rest) = line.split_once(' ').map_or((line, ""), |(form, rest)| (form, rest.trim()));
    let unknown = || Look::Unknown(line.to_owned());
    match (form, rest) {
        ("file", "") | ("search", "") => unknown(),
        ("file", rest) => match rest.rsplit_once(' ').map(|(path, from)| (path, from.parse())) {
            Some((path, Ok(from))) => Look::File(path.trim().to_owned(), from),
            _ => Look::File(rest.to_owned(), 1),
        },
        ("search", words) => Look::Search(words.to_owned()),
        ("experiment", n) => {
            n.trim_start_matches('#').parse().map_or_else(|_| unknown(), Look::Experiment)
        }
        ("results", "") => Look::Results(None),
        ("results", theme) => Look::Results(Some(theme.to_lowercase())),
        _ => unknown(),
    }
}

/// The same requests as tools, as chat completions declare functions.
///
/// # Source
/// OpenAI's API reference, "Create chat completion", `tools`.
pub fn tools() -> Value {
    let tool = |name: &str, told: &str, argument: (&str, &str, bool)| {
        let (argument, kind, is_required) = argument;
        let required: &[&str] = if is_required { &[argument] } else { &[] };
        json!({ "type": "function", "function": {
            "name": name, "description": told,
            "parameters": {
                "type": "object",
                "properties": { argument: { "type": kind } },
                "required": required,
            },
        }})
    };
    json!([
        tool(
            "file",
            "Lines of a file of the repository: its path, and a line to begin at",
            ("path", "string", true)
        ),
        tool("search", "Where words stand in the repository", ("words", "string", true)),
        tool("experiment", "Diff, training and outcome of an experiment", ("n", "integer", true)),
        tool("results", "All experiments, or those of a theme", ("theme", "string", false)),
    ])
}

/// A call of a tool as the line that asks the same. The protocol has its arguments as a string of
/// JSON; several servers send the object itself, or nothing.
pub fn line(name: &str, arguments: &Value) -> String {
    let written = arguments.as_str().map(|text| serde_json::from_str(text).unwrap_or_default());
    let values: &Value = written.as_ref().unwrap_or(arguments);
    let values = values.as_object().into_iter().flatten().map(|(_, value)| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let words = std::iter::once(name.to_owned()).chain(values).collect::<Vec<_>>().join(" ");
    format!("LOOK: {}", words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// A part of a file, with numbers, and how much there is.
pub fn excerpt(content: &str, from: usize) -> String {
    let all = content.lines().count();
    let from = from.clamp(1, all.max(1));
    let lines = content.lines().zip(1..).skip(from - 1).take(LINES);
    let shown: String = lines.map(|(line, n)| format!("{n}: {}\n", cut(line, WIDTH))).collect();
    format!("lines {from} to {} of {all}\n{shown}", (from + LINES - 1).min(all))
}

/// A search through a repository, file by file.
#[derive(Debug)]
pub struct Search<'a> {
    words: &'a str,
    places: Vec<String>,
    /// Files that were not searched.
    large: Vec<String>,
}

impl<'a> Search<'a> {
    /// A search for these words.
    pub fn new(words: &'a str) -> Self {
        Self { words, places: Vec::new(), large: Vec::new() }
    }

    /// Takes a file in; one that is too large to be searched comes without content. It breaks when as
    /// much is found as is shown.
    pub fn see(&mut self, path: &str, content: Option<&str>) -> ControlFlow<()> {
        let Some(content) = content else {
            self.large.push(path.to_owned());
            return ControlFlow::Continue(());
        };
        let lines = content.lines().zip(1..).filter(|(line, _)| line.contains(self.words));
        let places = lines.map(|(line, n)| format!("{path}:{n}: {}\n", cut(line.trim(), WIDTH)));
        self.places.extend(places.take(LINES - self.places.len()));
        if self.places.len() < LINES { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// What was found. First what was left out: the end may be cut.
    pub fn found(&self) -> String {
        let Self { words, places, large } = self;
        let named = large.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match large.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let left_out = match named.as_str() {
            "" => String::new(),
            named => format!("too large to be searched: {named}{more}\n"),
        };
        let places = if places.is_empty() { "nowhere\n".to_owned() } else { places.concat() };
        format!("{left_out}{words:?} stands\n{places}")
    }
}

/// The beginning of a text.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_look_lines_is_read() {
        let answer = "I want to see:\nLOOK: file a b.rs 20\n LOOK: file c.rs\nLOOK: search fn  x\n\
                      LOOK: experiment #12\nLOOK: results\n";
        let expected = [
            Look::File("a b.rs".to_owned(), 20),
            Look::File("c.rs".to_owned(), 1),
            Look::Search("fn  x".to_owned()),
            Look::Experiment(12),
        ];
        assert_eq!(requests(answer).unwrap(), expected);
        assert_eq!(
            requests("LOOK: results Loss").unwrap(),
            [Look::Results(Some("loss".to_owned()))]
        );
        for unknown in ["LOOK:", "LOOK: file", "LOOK: experiment x", "LOOK: run rm"] {
            assert!(matches!(requests(unknown).unwrap()[..], [Look::Unknown(_)]), "{unknown}");
        }
        assert_eq!(requests("LOOK: results\nHYPOTHESIS: h\n"), None);
        assert_eq!(requests("no lines"), None);
    }

    #[test]
    fn a_call_of_a_tool_says_the_same() {
        let said = |name, arguments: &str| {
            let written = requests(&line(name, &json!(arguments))).unwrap().remove(0);
            let object = serde_json::from_str(arguments).unwrap();
            assert_eq!(requests(&line(name, &object)).unwrap().remove(0), written);
            written
        };
        assert_eq!(said("file", r#"{"path":"a.rs"}"#), Look::File("a.rs".to_owned(), 1));
        assert_eq!(said("experiment", r#"{"n": 3}"#), Look::Experiment(3));
        assert_eq!(said("results", "{}"), Look::Results(None));
        assert_eq!(line("results", &Value::Null), "LOOK: results");
        assert_eq!(line("results", &json!("")), "LOOK: results");
        assert!(matches!(said("shell", r#"{"command":"x\nHYPOTHESIS: h"}"#), Look::Unknown(_)));
        let names: Vec<_> =
            tools().as_array().unwrap().iter().map(|t| t["function"]["name"].clone()).collect();
        assert_eq!(names, ["file", "search", "experiment", "results"]);
    }

    #[test]
    fn what_is_found_is_bounded_and_numbered() {
        let content: String = (1..=500).map(|n| format!("line {n}\n")).collect();
        let shown = excerpt(&content, 490);
        assert!(shown.starts_with("lines 490 to 500 of 500\n490: line 490\n"), "{shown}");
        assert_eq!(excerpt(&content, 0).lines().count(), LINES + 1);
        assert_eq!(excerpt("", 7), "lines 1 to 0 of 0\n");
    }

    #[test]
    fn a_search_ends_when_enough_is_found_and_says_what_it_left_out() {
        let content: String = (1..=LINES).map(|n| format!(" line {n}\n")).collect();
        let mut search = Search::new("line 7\n".trim());
        assert!(search.see("a", Some(&content)).is_continue());
        assert!(search.see("b", Some("moon\n")).is_continue());
        let first = "\"line 7\" stands\na:7: line 7\n";
        assert!(search.found().starts_with(first), "{}", search.found());
        let mut search = Search::new("line");
        assert!(search.see("a", Some("a line\n")).is_continue());
        assert!(search.see("b", Some(&content)).is_break());
        assert_eq!(search.found().lines().count(), LINES + 1);
        let mut search = Search::new("moon");
        for path in ["a", "b", "c", "d", "e"] {
            assert!(search.see(path, None).is_continue());
        }
        let told = "too large to be searched: a, b, c and 2 more\n\"moon\" stands\nnowhere\n";
        assert_eq!(search.found(), told);
    }
}
