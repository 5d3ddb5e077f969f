use std::collections::{BTreeMap, BTreeSet, HashSet};

use proptest::prelude::*;

use super::*;
use crate::experiment::Verdict;
use crate::experiment::{Entry, Idea, Notes, Purpose, RunOutcome};
use crate::patch::{self, Proposal, Scope};
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
    scope: Scope,
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
        let scope = Scope::new(&task.edit.paths).unwrap();
        let mut session = Self { task, scope, files, history: History::default(), playbook };
        session.open();
        session.close("baseline", Some(0.5));
        session
    }

    fn open(&mut self) {
        let parent = self.history.incumbent().map_or("base", |row| &row.commit).to_owned();
        self.record(&Entry::Opened {
            parent,
            proposer: "playbook".to_owned(),
            purpose: Purpose::Candidate,
        });
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
            now: &crate::context::Now::default(),
            looks: &[],
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
                idea: Idea::default(),
                usage: Usage::default(),
            },
            Entry::Committed { commit },
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
        ] {
            self.record(&entry);
        }
        if let Some(score) = score {
            let metrics = BTreeMap::from([("sn34_score".to_owned(), score)]);
            self.record(&Entry::Scored {
                metrics,
                peak_vram_mb: 0.0,
                records: 0,
                sources: BTreeMap::new(),
                tampered: None,
            });
        }
        self.record(&Entry::Decided {
            verdict: judgement.verdict,
            reason: judgement.reason,
            evidence: None,
        });
        self.record(&Entry::Settled { phase_seconds: BTreeMap::new() });
    }

    /// One experiment; what was said.
    fn experiment(&mut self, score: Option<f64>) -> Proposal {
        self.open();
        let proposal = patch::parse(&self.ask().unwrap()).unwrap();
        let changed = self.patched(&proposal);
        self.close(&proposal.description, score);
        if self.history.rows.last().unwrap().verdict == Verdict::Keep {
            self.files.insert(self.task.edit.recipe.clone(), changed);
        }
        proposal
    }

    /// The recipe after a proposal, which changes nothing else.
    fn patched(&self, proposal: &Proposal) -> String {
        let mut patch = patch::apply(proposal, &self.files, &self.scope).unwrap();
        let recipe = patch.files.remove(&self.task.edit.recipe).unwrap().unwrap();
        assert!(patch.files.is_empty());
        recipe
    }
}

fn setting(recipe: &str) -> String {
    knobs::parse(recipe).iter().map(|knob| format!("{}={} ", knob.name, knob.current)).collect()
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
    let broken = patch::parse(&session.ask().unwrap()).unwrap().description;
    let second = patch::parse(&session.ask().unwrap()).unwrap().description;
    assert_ne!(broken, second);
    session.close(&second, Some(0.4));
    for _ in 0..3 {
        assert_ne!(session.experiment(Some(0.4)).description, broken);
    }
}

#[test]
fn it_notes_what_comes_next_and_repeats_no_result() {
    let mut session = Session::new(TWO_KNOBS, 1);
    let first = session.experiment(Some(0.6));
    let next = ["learning_rate 1e-3 -> 3e-3", "batch 8 -> 16"].map(str::to_owned).to_vec();
    assert_eq!(first.notes, Notes { next, ..Notes::default() });
    let second = session.experiment(None);
    // In steps of what the part that decides can tell apart.
    assert!(second.hypothesis.contains("above 0.60;"), "{second:?}");
    assert!(second.notes.worked.is_empty() && second.notes.failed.is_empty(), "{second:?}");
}

#[test]
fn every_knob_of_the_built_in_recipes_turns() {
    for (name, _) in dfr_contract::tasks::BUILT_IN {
        let path = Task::load(name).unwrap().edit.recipe;
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&path);
        let recipe = std::fs::read_to_string(file).unwrap();
        let mut session = Session::new(&recipe, 1);
        session.files = BTreeMap::from([(session.task.edit.recipe.clone(), recipe.clone())]);
        let singles = knobs::parse(&recipe).iter().map(|k| k.alternatives().count()).sum();
        assert!(singles > 10, "{path}: {singles}");
        let tried: BTreeSet<_> =
            (0..singles).map(|_| session.experiment(Some(0.4)).description).collect();
        assert_eq!(tried.len(), singles);
        assert!(tried.iter().all(|description| !description.contains("; ")), "{tried:?}");
        assert!(session.experiment(Some(0.4)).description.contains("; "));
    }
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
        let mut seen = HashSet::from([setting(&recipe)]);
        for score in scores {
            let before = session.files.clone();
            let proposal = session.experiment(score);
            let after = std::mem::replace(&mut session.files, before);
            let tried = session.patched(&proposal);
            session.files = after;
            prop_assert!(
                seen.insert(setting(&tried)) || seen.len() == settings,
                "{}",
                proposal.description
            );
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
