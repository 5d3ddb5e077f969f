use super::*;
use crate::experiment::Verdict;
use crate::sample::{Tried, history, object_id, tried};

fn idea(lines: &[&str]) -> Idea {
    Idea::new("Learning Rate", &lines.iter().map(ToString::to_string).collect())
}

/// Ten changed lines, of which some are others.
fn long(others: usize) -> Idea {
    let lines: Vec<_> =
        (0..10).map(|n| format!("r.rs+line{}", n + 100 * usize::from(n < others))).collect();
    idea(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A baseline, then these ideas, none of them kept: experiment 1 and so on, each made from the last.
fn session(ideas: Vec<Idea>) -> History {
    let candidates =
        ideas.into_iter().map(|idea| Tried { idea, ..tried(Verdict::Discard, 0.5, "tried") });
    history(&[vec![tried(Verdict::Keep, 0.6, "baseline")], candidates.collect()].concat())
}

fn said(history: &History, made_from: u32, idea: &Idea, hypothesis: &str) -> Option<String> {
    repetition(history, &object_id(made_from), (idea, hypothesis))
}

#[test]
fn the_same_change_of_the_same_recipe_is_refused_whatever_is_said() {
    let session = session(vec![idea(&["r.rs-a", "r.rs+b"]), idea(&["r.rs-a", "r.rs+c"])]);
    let again = said(&session, 0, &idea(&["r.rs+b", "r.rs-a"]), "unlike experiment 1").unwrap();
    assert!(again.contains("experiment 1 (tried)") && again.contains("discard"), "{again}");
    assert_eq!(
        said(&session, 0, &idea(&["r.rs-a", "r.rs+d"]), "h"),
        None,
        "another value is another idea"
    );
}

#[test]
fn what_is_nearly_another_must_name_it() {
    let session = session(vec![long(0)]);
    assert_eq!(said(&session, 0, &long(5), "h"), None);
    let near = said(&session, 0, &long(1), "h").unwrap();
    assert!(near.contains("different from experiment 1"), "{near}");
    for (hypothesis, passes) in
        [("Unlike Experiment 1: h", true), ("as #1, but h", true), ("experiment 12, #13", false)]
    {
        assert_eq!(said(&session, 0, &long(1), hypothesis).is_none(), passes, "{hypothesis}");
    }
    // The incumbent is another one now, so it may well pay.
    assert!(said(&session, 7, &long(0), "h").unwrap().contains("nearly"));
    assert_eq!(said(&session, 7, &long(0), "what experiment 1 tried, on the new incumbent"), None);
}

#[test]
fn what_changes_nothing_is_no_idea() {
    let session = session(Vec::new());
    assert!(said(&session, 0, &idea(&[]), "h").unwrap().contains("change nothing"));
}

#[test]
fn a_large_change_is_known_by_a_sample_of_its_lines() {
    let of = |from: usize, to: usize| {
        let lines: BTreeSet<_> = (from..to).map(|n| format!("r.rs+line {n}")).collect();
        Idea::new("", &lines)
    };
    assert_eq!(of(0, 1000).sketch.len(), SKETCH);
    assert_eq!(of(0, 1000).likeness(&of(0, 1000)), 1.0);
    assert!(of(0, 1000).likeness(&of(0, 1100)) > NEAR);
    assert!(of(0, 1000).likeness(&of(500, 1500)) < NEAR);
    assert_eq!(of(0, 10).likeness(&of(10, 20)), 0.0);
}

#[test]
fn themes_are_counted_the_most_tried_first() {
    let of = |theme: &str, verdict| Tried {
        idea: Idea::new(theme, &BTreeSet::new()),
        ..tried(verdict, 0.5, "tried")
    };
    let (keep, crash) = (Verdict::Keep, Verdict::Crash);
    let session =
        history(&[of("", keep), of("Loss", crash), of("optimiser", crash), of("loss", keep)]);
    let told: Vec<_> = themes(&session).iter().map(|t| (t.name, t.tried, t.kept, t.last)).collect();
    assert_eq!(told, [("loss", 2, 1, 3), ("optimiser", 1, 0, 2)]);
}
