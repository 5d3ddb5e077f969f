use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;
use crate::experiment::{Entry, Notes, RunOutcome};
use crate::task::Task;

const TWO_KNOBS: &str = "\
fn recipe() -> Recipe {
    Recipe {
        learning_rate: 1e-3, // knob: 3e-4 | 1e-3 | 3e-3
        batch: 8,            // knob: 8 | 16
    }
}
";

/// A session in which the simulated trainer answers with given scores; `None` is a crash.
struct Session {
    task: Task,
    files: BTreeMap<String, String>,
    history: History,
    playbook: Playbook,
}

impl Session {
    fn new(recipe: &str, seed: u64) -> Self {
        let task = Task::load("video-sample").unwrap();
        let files = BTreeMap::from([
            (task.edit.recipe.clone(), recipe.to_owned()),
            ("trainer/lab/src/lib.rs".to_owned(), String::new()),
        ]);
        let playbook = Playbook::new(seed);
        let mut session = Self { task, files, history: History::default(), playbook };
        session.open();
        session.close("baseline", Some(0.5));
        session
    }

    fn open(&mut self) {
        let parent = self.history.incumbent().map_or("base", |row| &row.commit).to_owned();
        self.record(&Entry::Opened { parent, proposer: "playbook".to_owned() });
    }

    fn record(&mut self, entry: &Entry) {
        let n = self.history.in_hand.as_ref().map_or(self.history.opened, |c| c.experiment);
        self.history.apply(n, entry, 0).unwrap();
    }

    fn ask(&mut self) -> Result<String, ProposerError> {
        let context = Context {
            task: &self.task,
            program: "",
            state: "",
            history: &self.history,
            files: &self.files,
            budget_s: 20,
            repair: None,
        };
        self.playbook.answer(&context).map(|reply| reply.text)
    }

    fn close(&mut self, description: &str, score: Option<f64>) {
        let best = self.history.incumbent().map(|row| row.metrics["sn34_score"]);
        let judgement = crate::experiment::judge("sn34_score", score.ok_or("oom".to_owned()), best);
        let commit = format!("commit{}", self.history.opened);
        let run = RunOutcome::Finished;
        for entry in [
            Entry::Proposed {
                hypothesis: String::new(),
                description: description.to_owned(),
                notes: Notes::default(),
                usage: Usage::default(),
            },
            Entry::Committed { commit },
            Entry::Built,
            Entry::Ran { run: run.clone() },
            Entry::Predicted { run },
        ] {
            self.record(&entry);
        }
        if let Some(score) = score {
            let metrics = BTreeMap::from([("sn34_score".to_owned(), score)]);
            self.record(&Entry::Scored { metrics, peak_vram_mb: 0.0 });
        }
        self.record(&Entry::Decided { verdict: judgement.verdict, reason: judgement.reason });
        self.record(&Entry::Settled { phase_seconds: BTreeMap::new() });
    }

    /// One experiment; the description of what was tried.
    fn experiment(&mut self, score: Option<f64>) -> Answer {
        self.open();
        let answer = read(&self.ask().unwrap());
        let recipe = &self.files[&self.task.edit.recipe];
        let changed = answer.apply(&self.task.edit.recipe, recipe);
        assert_ne!(&changed, recipe);
        self.close(&answer.description, score);
        if self.history.rows.last().unwrap().verdict == Verdict::Keep {
            self.files.insert(self.task.edit.recipe.clone(), changed);
        }
        answer
    }

    fn setting(&self) -> String {
        let knobs = knobs::parse(&self.files[&self.task.edit.recipe]);
        knobs.iter().map(|knob| format!("{}={} ", knob.name, knob.current)).collect()
    }
}

#[derive(Debug)]
struct Answer {
    hypothesis: String,
    description: String,
    notes: Vec<String>,
    /// Path, old text, new text.
    blocks: Vec<[String; 3]>,
}

impl Answer {
    fn apply(&self, path: &str, text: &str) -> String {
        self.blocks.iter().fold(text.to_owned(), |text, [edited, old, new]| {
            assert_eq!(edited, path);
            assert_eq!(text.matches(old.as_str()).count(), 1);
            text.replacen(old.as_str(), new, 1)
        })
    }
}

/// Reads the answer's form strictly.
fn read(text: &str) -> Answer {
    let (head, body) = text.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let mut field = |name: &str| lines.next().unwrap().strip_prefix(name).unwrap().to_owned();
    let (hypothesis, description) = (field("HYPOTHESIS: "), field("DESCRIPTION: "));
    let notes: Vec<_> = lines.map(str::to_owned).collect();
    assert!(
        notes.iter().all(|n| ["WORKED: ", "FAILED: ", "NEXT: "].iter().any(|l| n.starts_with(l)))
    );
    let block = |block: &str| {
        let (path, rest) = block.split_once("\n<<<<<<< SEARCH\n").unwrap();
        let (old, new) = rest.split_once("\n=======\n").unwrap();
        [path.trim(), old, new].map(str::to_owned)
    };
    let blocks = body.split_terminator("\n>>>>>>> REPLACE\n").map(block).collect();
    Answer { hypothesis, description, notes, blocks }
}

#[test]
fn near_values_first_then_pairs_and_then_again() {
    let mut session = Session::new(TWO_KNOBS, 1);
    let singles: Vec<_> = (0..3).map(|_| session.experiment(Some(0.4)).description).collect();
    assert_eq!(
        singles,
        ["learning_rate 1e-3 -> 3e-4", "learning_rate 1e-3 -> 3e-3", "batch 8 -> 16"]
    );
    let pairs: BTreeSet<_> = (0..2).map(|_| session.experiment(Some(0.4)).description).collect();
    let expected = ["3e-3", "3e-4"].map(|v| format!("learning_rate 1e-3 -> {v}; batch 8 -> 16"));
    assert_eq!(pairs, BTreeSet::from(expected));
    let again = session.experiment(Some(0.4));
    assert!(
        singles.contains(&again.description) && again.hypothesis.contains("again"),
        "{again:?}"
    );
}

#[test]
fn an_improvement_is_followed_up_and_never_undone() {
    let mut session = Session::new("x: 2, // knob: 1 | 2 | 3 | 4\ny: 1, // knob: 1 | 2\n", 1);
    let scores = [Some(0.4), Some(0.6), Some(0.55), Some(0.5)];
    let tried: Vec<_> = scores.map(|score| session.experiment(score).description).into();
    assert_eq!(tried, ["x 2 -> 1", "x 2 -> 3", "x 3 -> 4", "y 1 -> 2"]);
}

#[test]
fn the_knob_that_came_nearest_goes_on_first() {
    let mut session = Session::new("x: 1, // knob: 1 | 2 | 3\ny: 1, // knob: 1 | 2 | 3\n", 1);
    session.experiment(Some(0.2));
    session.experiment(Some(0.49));
    assert_eq!(session.experiment(Some(0.4)).description, "y 1 -> 3");
    assert_eq!(session.experiment(Some(0.4)).description, "x 1 -> 3");
}

#[test]
fn a_value_that_crashed_comes_later_for_the_next_incumbent() {
    let mut session = Session::new("batch: 1, // knob: 1 | 2\ny: 1, // knob: 1 | 2 | 3\n", 1);
    session.experiment(None);
    assert_eq!(session.experiment(Some(0.6)).description, "y 1 -> 2");
    assert_eq!(session.experiment(Some(0.5)).description, "y 2 -> 3");
    assert_eq!(session.experiment(Some(0.5)).description, "batch 1 -> 2");
}

#[test]
fn a_repair_turn_brings_another_idea_and_the_broken_one_does_not_return() {
    let mut session = Session::new(TWO_KNOBS, 1);
    session.open();
    let broken = read(&session.ask().unwrap()).description;
    let second = read(&session.ask().unwrap()).description;
    assert_ne!(broken, second);
    session.close(&second, Some(0.4));
    for _ in 0..3 {
        assert_ne!(session.experiment(Some(0.4)).description, broken);
    }
}

#[test]
fn notes_are_facts_of_the_history() {
    let mut session = Session::new(TWO_KNOBS, 1);
    let first = session.experiment(Some(0.6));
    assert_eq!(first.notes, ["NEXT: learning_rate 1e-3 -> 3e-3", "NEXT: batch 8 -> 16"]);
    let second = session.experiment(None);
    assert_eq!(
        second.notes[0],
        "WORKED: learning_rate 1e-3 -> 3e-4: sn34_score 0.600000 (+0.100000)"
    );
    assert!(second.hypothesis.contains("above 0.600000"), "{second:?}");
    let third = session.experiment(Some(0.55));
    assert_eq!(third.notes[0], format!("FAILED: {}: crash", second.description));
    let fourth = session.experiment(Some(0.55));
    let fact = format!("FAILED: {}: sn34_score 0.550000 (-0.050000)", third.description);
    assert_eq!(fourth.notes[0], fact);
}

#[test]
fn a_recipe_without_knobs_is_named_with_the_form() {
    let message = Session::new("x: 1,\n", 1).ask().unwrap_err().to_string();
    assert!(message.contains("video_r3d_tiny.rs") && message.contains("// knob: "), "{message}");
}

#[test]
fn rows_of_another_proposer_do_not_disturb() {
    let mut session = Session::new(TWO_KNOBS, 1);
    session.open();
    session.close("a new loss; see the paper -> page 3", Some(0.45));
    assert_eq!(session.experiment(Some(0.4)).description, "learning_rate 1e-3 -> 3e-4");
}

fn recipe() -> impl Strategy<Value = String> {
    let knob = (2usize..4, 0usize..4);
    prop::collection::vec(knob, 1..4).prop_map(|knobs| {
        let line = |(at, (count, current)): (usize, (usize, usize))| {
            let values: Vec<_> = (0..count).map(|v| v.to_string()).collect();
            format!("    k{at}: {}, // knob: {}\n", current % count, values.join(" | "))
        };
        knobs.into_iter().enumerate().map(line).collect()
    })
}

proptest! {
    #[test]
    fn no_setting_is_measured_twice_until_all_are_used_up(
        recipe in recipe(),
        seed in any::<u64>(),
        scores in prop::collection::vec(prop::option::weighted(0.9, 0.0f64..1.0), 1..40),
    ) {
        let mut session = Session::new(&recipe, seed);
        let settings: usize = knobs::parse(&recipe).iter().map(|knob| knob.values.len()).product();
        let mut seen = HashSet::from([session.setting()]);
        for score in scores {
            let recipe = session.files[&session.task.edit.recipe].clone();
            let answer = session.experiment(score);
            let path = &session.task.edit.recipe;
            let tried = knobs::parse(&answer.apply(path, &recipe));
            let tried = tried.iter().map(|k| format!("{}={} ", k.name, k.current)).collect();
            prop_assert!(seen.insert(tried) || seen.len() == settings, "{}", answer.description);
        }
    }

    #[test]
    fn a_fresh_playbook_goes_on_as_the_running_one(
        recipe in recipe(),
        seed in any::<u64>(),
        scores in prop::collection::vec(prop::option::weighted(0.9, 0.0f64..1.0), 0..20),
    ) {
        let mut session = Session::new(&recipe, seed);
        for score in scores {
            session.experiment(score);
        }
        session.open();
        let running = session.ask().unwrap();
        session.playbook = Playbook::new(seed);
        prop_assert_eq!(session.ask().unwrap(), running);
    }
}
