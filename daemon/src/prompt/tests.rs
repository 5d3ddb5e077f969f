use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::context::{Change, Now, Repair};
use crate::curve::curve;
use crate::experiment::{Entry, Idea, Notes, Purpose, Rule, RunOutcome, Stage, Usage, Verdict};

struct Fixture {
    task: Task,
    program: String,
    state: String,
    history: History,
    files: BTreeMap<String, String>,
    now: Now,
    looks: Vec<(String, String)>,
}

impl Fixture {
    fn new() -> Self {
        let task = Task::load("video-sample").unwrap();
        let files = BTreeMap::from([
            ("trainer/lab/src/lib.rs".to_owned(), "pub mod recipes;\n".to_owned()),
            (task.edit.recipe.clone(), "learning_rate: 3e-3, // knob: 1e-3 | 3e-3\n".to_owned()),
        ]);
        let history = history(2);
        let [program, state] = ["The program.\n", "The state: {{not}} <b>a</b> template.\n"];
        let now = Now::default();
        Self {
            task,
            program: program.to_owned(),
            state: state.to_owned(),
            history,
            files,
            now,
            looks: Vec::new(),
        }
    }

    fn messages(&self, repair: Option<Repair<'_>>) -> Vec<Message> {
        self.sized(repair, Size::Whole)
    }

    fn sized(&self, repair: Option<Repair<'_>>, size: Size) -> Vec<Message> {
        let context = Context {
            task: &self.task,
            program: &self.program,
            state: &self.state,
            history: &self.history,
            files: &self.files,
            budget_s: 20,
            now: &self.now,
            looks: &self.looks,
            repair,
        };
        messages(&Templates::default(), &context, size).unwrap()
    }
}

fn row(experiment: u32) -> Row {
    let score = 0.5 + f64::from(experiment) / 1e5;
    Row {
        purpose: Purpose::Candidate,
        experiment,
        commit: format!("{experiment:040x}"),
        parent: "base".to_owned(),
        metrics: BTreeMap::from([("sn34_score".to_owned(), score)]),
        peak_vram_mb: 0.0,
        verdict: Verdict::Discard,
        reason: format!("sn34_score {score:.6} <= 0.700000"),
        hypothesis: "a | b\nmay help".to_owned(),
        description: format!("idea {experiment}"),
        proposer: "llm:m".to_owned(),
        notes: Notes::default(),
        idea: Idea::default(),
        curve: Vec::new(),
        usage: Usage::default(),
        trained_s: 0.0,
        startup_s: 0.0,
        predicted_s: 0.0,
        smoked_s: 0.0,
        phase_seconds: BTreeMap::new(),
        decided_at_ms: 0,
        sealed: None,
        records: 0,
        runs: 1,
        evidence: None,
        sources: BTreeMap::new(),
        holdout: BTreeMap::new(),
        holdout_problem: None,
        program: None,
        machine: None,
        steps_per_s: 0.0,
    }
}

/// A kept baseline and discarded rows after it.
fn history(rows: u32) -> History {
    let mut history = History::default();
    let metrics = BTreeMap::from([("sn34_score".to_owned(), 0.7), ("accuracy".to_owned(), 0.75)]);
    let (notes, usage, run) = (Notes::default(), Usage::default(), RunOutcome::Finished);
    let [hypothesis, description] = ["as it is", "baseline"].map(str::to_owned);
    for entry in [
        Entry::Opened {
            parent: "base".to_owned(),
            proposer: "baseline".to_owned(),
            purpose: Purpose::Baseline,
        },
        Entry::Proposed { hypothesis, description, notes, idea: Idea::default(), usage },
        Entry::Committed { commit: "c0".to_owned() },
        Entry::Built { program: None },
        Entry::Ran {
            run: run.clone(),
            seconds: 1.0,
            startup_s: 0.0,
            claims: None,
            curve: Vec::new(),
            problem: None,
            tampered: None,
        },
        Entry::Predicted { run, seconds: 1.0, problem: None, tampered: None },
        Entry::Scored {
            metrics,
            peak_vram_mb: 0.0,
            records: 0,
            sources: BTreeMap::new(),
            tampered: None,
        },
        Entry::Decided { verdict: Verdict::Keep, reason: "baseline".to_owned(), evidence: None },
        Entry::Settled { phase_seconds: BTreeMap::new() },
    ] {
        history.apply(0, &entry, 0).unwrap();
    }
    history.rows.extend((1..rows).map(row));
    history
}

fn text(messages: &[Message]) -> String {
    let one = |m: &Message| format!("##### {:?}\n{}\n", m.role, m.content);
    messages.iter().map(one).collect()
}

#[test]
fn a_question() {
    assert_snapshot!(text(&Fixture::new().messages(None)));
}

#[test]
fn a_question_before_anything_was_decided() {
    let fixture = Fixture { history: History::default(), ..Fixture::new() };
    let question = &fixture.messages(None)[1].content;
    assert!(question.contains("There is no incumbent yet."), "{question}");
    assert!(question.contains("None yet."), "{question}");
}

#[test]
fn a_repair_turn_and_the_last_one() {
    let fixture = Fixture::new();
    let repair = |turns_left| {
        let problem = "error[E0425]: cannot find value `x`\n --> recipe.rs:3";
        let reply = "HYPOTHESIS: h";
        let messages =
            fixture.messages(Some(Repair { stage: Stage::Build, reply, problem, turns_left }));
        assert_eq!(messages.len(), 4);
        text(&messages[2..])
    };
    assert_snapshot!(repair(1));
    assert_snapshot!(repair(0));
}

fn chars(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.content.chars().count()).sum()
}

#[test]
fn what_is_chance_is_told_once_it_was_measured() {
    let mut fixture = Fixture::new();
    assert!(!text(&fixture.messages(None)).contains("is chance"));
    let baseline = fixture.history.rows[0].clone();
    for score in [0.71, 0.69] {
        let metrics = BTreeMap::from([("sn34_score".to_owned(), score)]);
        let row = Row { purpose: Purpose::Noise, metrics, ..baseline.clone() };
        fixture.history.rows.push(Row { verdict: Verdict::Discard, ..row });
    }
    let told = text(&fixture.messages(None));
    assert!(told.contains("differ by 0.01 (standard deviation): less is chance"), "{told}");
}

#[test]
fn everything_is_bounded() {
    let mut fixture = Fixture::new();
    let huge = "é".repeat(300_000);
    fixture.history = history(10_000);
    for row in &mut fixture.history.rows {
        for text in [&mut row.hypothesis, &mut row.description, &mut row.reason] {
            *text = "words ".repeat(200);
        }
    }
    fixture.files.insert(fixture.task.edit.recipe.clone(), huge.clone());
    for n in 0..3000 {
        fixture.files.insert(format!("trainer/lab/src/models/m{n}.rs"), "x\n".repeat(9000));
    }
    (fixture.program, fixture.state) = (huge.clone(), huge.clone());
    let repair = Repair { stage: Stage::Patch, reply: &huge, problem: &huge, turns_left: 0 };
    let messages = fixture.messages(Some(repair));
    for size in [Size::Whole, Size::Small] {
        let (chars, most) = (chars(&fixture.sized(Some(repair), size)), size.most_chars());
        assert!(chars <= most, "{chars} of {most}");
    }
    let question = &messages[1].content;
    assert!(question.contains("[cut: 284000 of 300000 characters are not shown]"));
    assert!(question.contains("[cut: 276000 of 300000 characters are not shown]"));
    assert!(question.contains("more paths]"));
    assert!(question.contains("| 9999 |") && !question.contains("| 9989 |"));
}

#[test]
fn the_recipe_comes_first() {
    let fixture = Fixture::new();
    let question = &fixture.messages(None)[1].content;
    let place = |path: &str| question.find(&format!("--- begin {path}")).unwrap();
    assert!(place(&fixture.task.edit.recipe) < place("trainer/lab/src/lib.rs"));
}

#[test]
fn a_text_at_its_limit_is_whole() {
    assert_eq!(cut("ééé", 3), "ééé");
    assert_eq!(cut("éééa", 3), "ééé\n[cut: 1 of 4 characters are not shown]");
    assert_eq!(line(&"a".repeat(CELL_LIMIT)), "a".repeat(CELL_LIMIT));
    assert_eq!(line(&"a".repeat(CELL_LIMIT + 1)), "a".repeat(CELL_LIMIT) + "…");
}

#[test]
fn the_program_of_this_repository_fits() {
    assert!(include_str!("../../../program.md").chars().count() <= PROGRAM_LIMIT);
}

#[test]
fn an_answer_without_text_is_no_empty_message() {
    let repair = Repair { stage: Stage::Patch, reply: "\n", problem: "no text", turns_left: 1 };
    assert_eq!(Fixture::new().messages(Some(repair))[2].content, "[no text]");
}

#[test]
fn a_smaller_question_keeps_what_matters() {
    let mut fixture = Fixture::new();
    fixture.history = history(20);
    for n in 0..20 {
        fixture.files.insert(format!("trainer/lab/src/models/m{n}.rs"), format!("model {n};"));
    }
    let [small, whole] = [Size::Small, Size::Whole].map(|size| fixture.sized(None, size));
    let question = &small[1].content;
    assert!(chars(&small) < chars(&whole));
    assert!(question.contains("learning_rate: 3e-3") && question.contains("idea 19"));
    assert!(!question.contains("idea 16") && !question.contains("model 7;"), "{question}");
    assert!(question.contains("Not shown for want of room"), "{question}");
    let problem = "error[E0425]\n --> trainer/lab/src/models/m7.rs:3";
    let repair = Repair { stage: Stage::Build, reply: "r", problem, turns_left: 1 };
    let question = &fixture.sized(Some(repair), Size::Small)[1].content;
    assert!(question.contains("model 7;") && !question.contains("model 8;"), "{question}");
}

#[test]
fn a_question_after_a_long_night_fits() {
    let log: String =
        (0..5_000).map(|n| format!("step {n}: loss {:.60}, grad norm 1.0\n", 0.7)).collect();
    assert!(log.len() > 400_000);
    let mut fixture = Fixture::new();
    fixture.history = history(5_000);
    let told = curve(&log);
    fixture.history.rows.iter_mut().for_each(|row| row.curve.clone_from(&told));
    let recent = (4_990..5_000).map(|experiment| Change { experiment, diff: log.clone() });
    fixture.now.recent = recent.collect();
    // Four characters are about a token.
    for (size, tokens) in [(Size::Whole, 65_000), (Size::Small, 22_000)] {
        let messages = fixture.sized(None, size);
        assert!(chars(&messages) <= 4 * tokens && size.most_chars() <= 4 * tokens, "{size:?}");
        assert!(text(&messages).contains("step 4999: loss"), "the end of the last training");
    }
}

#[test]
fn what_is_so_now_is_told() {
    let mut fixture = Fixture::new();
    fixture.history.rows[1].curve = vec!["epoch 1: loss 0.7".to_owned()];
    fixture.now = Now {
        rule: Rule::Yield,
        directives: vec!["try focal loss".to_owned()],
        rethink: Some("5 experiments without a keep: join #1 and #2".to_owned()),
        left: Some("3 experiments, this one included".to_owned()),
        from: Some(0),
        recent: vec![Change { experiment: 1, diff: "--- a/x\n+++ b/x\n-a\n+b\n".to_owned() }],
    };
    assert_snapshot!(fixture.messages(None)[1].content);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_question_is_never_longer_than_its_size(
        rows in 0..=10_000u32,
        (words, letters, files) in (0..400usize, 0..60_000usize, 0..60usize),
        has_failed: bool,
    ) {
        let mut fixture = Fixture::new();
        fixture.history = history(rows);
        for row in fixture.history.rows.iter_mut().rev().take(20) {
            for text in [&mut row.hypothesis, &mut row.description, &mut row.reason] {
                *text = "wörter ".repeat(words);
            }
            row.metrics.insert("accuracy".to_owned(), f64::MIN);
            row.curve = curve(&"loss ".repeat(words * 30)).into_iter().cycle().take(words).collect();
        }
        let text = "é".repeat(letters);
        let change = |experiment| Change { experiment, diff: text.clone() };
        fixture.now = Now {
        rule: Rule::Yield,
            directives: vec!["wörter ".repeat(words); words],
            rethink: Some(text.clone()),
            left: Some("1.0 hours".to_owned()),
            from: Some(rows),
            recent: (rows.saturating_sub(9)..rows).map(change).collect(),
        };
        fixture.files.extend((0..files).map(|n| (format!("{n}/{words}.rs"), text.clone())));
        (fixture.program, fixture.state) = (text.clone(), text.clone());
        fixture.looks = vec![(text.clone(), text.clone()); words];
        let repair =
            Repair { stage: Stage::Patch, reply: &text, problem: &text, turns_left: 0 };
        for size in [Size::Whole, Size::Small] {
            let messages = fixture.sized(has_failed.then_some(repair), size);
            prop_assert!(chars(&messages) <= size.most_chars());
        }
    }
}
