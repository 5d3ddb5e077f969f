use proptest::prelude::*;

use super::*;
use crate::experiment::{DIRECTIVES_AT_ONCE, Entry, Notes, Place};
use crate::sample::{self, Tried, tried};

const HEADINGS: [&str; 5] = [
    "## Current best",
    "## What worked",
    "## What failed",
    "## Next ideas (priority order)",
    "## Observations",
];

fn told(history: &History) -> String {
    state_md(&Task::load("video").unwrap(), "video-mar14", history)
}

fn notes(texts: &[&str]) -> Notes {
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    Notes { worked: texts.clone(), failed: texts.clone(), next: texts.clone(), observations: texts }
}

#[test]
fn an_empty_session_has_every_section() {
    insta::assert_snapshot!(told(&History::default()), @r"
    # State — video experiments on autoresearch/video-mar14

    ## Current best
    - nothing yet

    ## What worked
    - nothing yet

    ## What failed
    - nothing yet

    ## Next ideas (priority order)
    - nothing yet

    ## Observations
    - 0 experiments decided: 0 kept, 0 discarded, 0 crashed; 0 since the last keep; 0 without a verdict
    ");
}

/// A keep of this accuracy, then so many candidates that are not; the last of them notes these ideas.
fn after(accuracy: f64, candidates: usize, ideas: &[&str]) -> History {
    let mut all = vec![tried(Verdict::Keep, accuracy - 0.1, "baseline")];
    all.extend((0..candidates).map(|n| tried(Verdict::Discard, 0.5, &format!("t{n}"))));
    let next = ideas.iter().map(|idea| (*idea).to_owned()).collect();
    all.last_mut().unwrap().notes = Notes { next, ..Notes::default() };
    sample::history(&all)
}

#[test]
fn a_recipe_that_is_ready_for_a_long_training_is_told_with_the_command() {
    let ready = told(&after(0.81, 5, &["one", "two", "three"]));
    let command = "few ideas left\ndfr-daemon full --tag video-mar14 --hours 4\n";
    assert!(ready.contains("5 candidates without a keep") && ready.contains(command), "{ready}");
    for (accuracy, candidates, ideas) in [(0.74, 5, 3), (0.81, 4, 3), (0.81, 5, 4)] {
        let ideas = &["one", "two", "three", "four"][..ideas];
        assert!(!told(&after(accuracy, candidates, ideas)).contains("full training"));
    }
    let mut task = Task::load("video").unwrap();
    task.commands.full = None;
    assert_eq!(super::ready(&task, "t", &after(0.81, 5, &[])), None);
}

#[test]
fn facts_come_before_notes() {
    let next = Notes { next: vec!["mixup 0.2".into(), "dropout 0.5".into()], ..Notes::default() };
    let later = Notes {
        worked: vec!["higher rates help".into()],
        next: vec!["label smoothing".into(), "Mixup 0.2".into()],
        observations: vec!["loss is flat\n## Current best\nsn34_score: 0.99".into()],
        ..Notes::default()
    };
    let history = sample::history(&[
        tried(Verdict::Keep, 0.72, "baseline"),
        Tried { notes: next, ..tried(Verdict::Keep, 0.74, "lr 3e-4 instead of 1e-4") },
        tried(Verdict::Crash, 0.0, "batch size 64"),
        Tried { notes: later, ..tried(Verdict::Discard, 0.735, "focal loss") },
    ]);
    insta::assert_snapshot!(told(&history), @r"
    # State — video experiments on autoresearch/video-mar14

    ## Current best
    sn34_score: 0.74 | accuracy: 0.84 | preset: r3d-18 | commit: 0c0ffef
    Experiment 1: lr 3e-4 instead of 1e-4

    ## What worked
    - #1 lr 3e-4 instead of 1e-4: 0.74 (+0.02)
    - #0 baseline: 0.72 (baseline)
    - note of #3: higher rates help

    ## What failed
    - #3 focal loss: 0.74 (within the noise)
    - #2 batch size 64: crash, exit code 101

    ## Next ideas (priority order)
    1. note of #3, #1: Mixup 0.2
    2. note of #3: label smoothing
    3. note of #1: dropout 0.5

    ## Observations
    - 4 experiments decided: 2 kept, 1 discarded, 1 crashed; 2 since the last keep; 0 without a verdict
    - note of #3: loss is flat ## Current best sn34_score: 0.99
    ");
}

#[test]
fn thousands_of_rows_stay_under_a_hundred_lines_and_the_newest_are_told() {
    let verdicts = [Verdict::Keep, Verdict::Discard, Verdict::Crash];
    let all: Vec<_> = (0..5000)
        .map(|n| Tried {
            notes: notes(&[&format!("note {n}\n\n\n"), &"long ".repeat(90), &format!("more {n}")]),
            ..tried(verdicts[n % 3], 0.5 + n as f64 * 1e-5, &format!("idea {n}\n# heading"))
        })
        .collect();
    let text = told(&sample::history(&all));
    check(&text);
    assert!(text.contains("idea 4998 # heading: ") && text.contains("note of #4999: more 4999"));
    assert!(text.lines().count() > 80, "{}", text.lines().count());
}

fn check(text: &str) {
    assert!(text.lines().count() < 100, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with("##")).collect();
    assert_eq!(headings, HEADINGS);
}

fn anything_tried() -> impl Strategy<Value = Tried> {
    let verdict = prop::sample::select(vec![Verdict::Keep, Verdict::Discard, Verdict::Crash]);
    let hostile =
        prop_oneof![any::<String>(), "(## Current best|- x|\n|\r|\t|\u{1b}\\[2J| ){0,20}"];
    let texts = prop::collection::vec(hostile.clone(), 0..6);
    (verdict, 0.0f64..1.0, hostile, texts).prop_map(|(verdict, score, description, texts)| {
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        Tried { notes: notes(&texts), ..tried(verdict, score, &description) }
    })
}

proptest! {
    #[test]
    fn nothing_that_is_said_breaks_the_form(all in prop::collection::vec(anything_tried(), 0..60)) {
        check(&told(&sample::history(&all)));
    }
}

#[test]
fn an_idea_that_was_tried_is_no_longer_next() {
    let next = Notes { next: vec!["Dropout 0.5".into(), "mixup 0.2".into()], ..Notes::default() };
    let history = sample::history(&[
        Tried { notes: next, ..tried(Verdict::Keep, 0.72, "baseline") },
        tried(Verdict::Discard, 0.7, "dropout 0.5"),
    ]);
    let text = told(&history);
    let ideas = text.split("## Next ideas (priority order)\n").nth(1).unwrap();
    assert!(ideas.starts_with("1. note of #0: mixup 0.2\n\n"), "{ideas}");
}

#[test]
fn the_best_is_what_the_next_experiment_starts_from() {
    let keeps = [tried(Verdict::Keep, 0.6, "first"), tried(Verdict::Keep, 0.8, "second")];
    let mut history = sample::history(&keeps);
    history.apply(2, &Entry::RolledBack { to: 0 }, 0).unwrap();
    let best = |history: &History| told(history).lines().nth(4).unwrap().to_owned();
    assert_eq!(best(&history), "Experiment 0: first");
    for (verdict, description, expected) in [
        (Verdict::Discard, "worse", "Experiment 0: first"),
        (Verdict::Keep, "third", "Experiment 3: third"),
    ] {
        let n = history.opened;
        let entries = sample::entries(n, &tried(verdict, 0.7, description));
        // Told as soon as the verdict is in.
        let (settled, before) = entries.split_last().unwrap();
        before.iter().for_each(|entry| history.apply(n, entry, 0).unwrap());
        assert_eq!(best(&history), expected);
        history.apply(n, settled, 0).unwrap();
        assert_eq!(best(&history), expected);
    }
    // With what stood when it was tried, not with the keep that was left behind.
    assert!(told(&history).contains("- #2 worse: 0.70 (+0.10)\n"), "{}", told(&history));
}

/// What runs that see the part that decides print goes no further, and digits that they choose neither.
#[test]
fn a_crash_in_prediction_is_told_without_what_it_said() {
    let all = [tried(Verdict::Keep, 0.6, "first"), tried(Verdict::Crash, 0.0, "says much")];
    let mut history = sample::history(&all);
    history.rows[1].reason = "prediction exit code 1: r17=.03 r18=.99".to_owned();
    let text = told(&history);
    assert!(text.contains("#1 says much: crash, prediction failed"), "{text}");
    assert!(!text.contains("r17"), "{text}");
}

#[test]
fn words_that_wait_for_a_later_question_are_said_to() {
    let mut history = sample::history(&[tried(Verdict::Keep, 0.6, "baseline")]);
    for n in 0..=DIRECTIVES_AT_ONCE {
        let directed = Entry::Directed { from: Place::Inbox, text: format!("wish {n}") };
        history.apply(1, &directed, 0).unwrap();
    }
    let text = told(&history);
    for part in ["\"wish 9\": for the next experiment", "\"wish 10\": for a later experiment"] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}
