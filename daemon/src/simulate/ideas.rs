//! Where the ideas of a simulated night come from, and what each truly does.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::landscape::Landscape;
use super::terrain::Terrain;
use crate::context::{Context, Now};
use crate::experiment::History;
use crate::patch::{self, Scope};
use crate::prompt::Size;
use crate::proposer::{Playbook, Proposer as _};
use crate::task::Task;

/// Who turns the knobs of a numeric landscape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposer {
    /// One knob after the other.
    Playbook,
    /// By a model of the scores.
    Optimiser,
    /// Some at random.
    Random,
}

/// Where ideas come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Drawn, with effects as this landscape has them.
    Drawn(Landscape),
    /// A proposer of the daemon's own on a recipe of fourteen knobs that depend on each other.
    Knobs(Proposer),
}

impl Source {
    pub(super) fn ideas(self, base: &str, seed: u64) -> Box<dyn Ideas> {
        match self {
            Self::Drawn(landscape) => Box::new(Drawn::new(landscape, seed)),
            Self::Knobs(proposer) => Box::new(Turned::new(proposer, base, seed)),
        }
    }

    /// The landscape's name.
    pub fn landscape(self) -> &'static str {
        match self {
            Self::Drawn(landscape) => landscape.as_str(),
            Self::Knobs(_) => "knobs",
        }
    }

    /// Who proposes.
    pub fn proposer(self) -> &'static str {
        match self {
            Self::Drawn(_) => "drawn",
            Self::Knobs(proposer) => proposer.as_str(),
        }
    }
}

impl Proposer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Playbook, Self::Optimiser, Self::Random];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Playbook => "playbook",
            Self::Optimiser => "optimiser",
            Self::Random => "random",
        }
    }

    fn with(self, seed: u64) -> Playbook {
        match self {
            Self::Playbook => Playbook::new(seed),
            Self::Optimiser => Playbook::optimiser(seed),
            Self::Random => Playbook::random(seed),
        }
    }
}

/// An idea on top of a commit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Idea {
    /// What it says of itself.
    pub(super) description: String,
    /// By how much its true score is above the first commit's.
    pub(super) gain: f64,
}

/// A source of ideas whose truth is known.
pub(super) trait Ideas {
    /// The next one, on top of a commit with this gain.
    fn next(&mut self, history: &History, parent: (&str, f64)) -> Idea;

    /// The last one is this commit now.
    fn made(&mut self, _commit: &str) {}
}

/// Ideas whose effects are drawn.
struct Drawn {
    landscape: Landscape,
    rng: ChaCha8Rng,
}

impl Drawn {
    fn new(landscape: Landscape, seed: u64) -> Self {
        Self { landscape, rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Ideas for Drawn {
    fn next(&mut self, _history: &History, (_, gained): (&str, f64)) -> Idea {
        let gain = gained + self.landscape.draw(gained, &mut self.rng);
        Idea { description: String::new(), gain }
    }
}

/// A real proposer on a recipe whose knobs have a known truth.
struct Turned {
    terrain: Terrain,
    playbook: Playbook,
    task: Task,
    scope: Scope,
    recipes: BTreeMap<String, String>,
    newest: String,
}

impl Turned {
    /// Begins at this commit.
    fn new(proposer: Proposer, base: &str, seed: u64) -> Self {
        let terrain = Terrain::new(seed);
        let task = Task::load("video-sample").expect("a task that is built in");
        let scope = Scope::new(&task.edit.paths).expect("its patterns are well-formed");
        let recipes = BTreeMap::from([(base.to_owned(), terrain.recipe.clone())]);
        let playbook = proposer.with(seed);
        Self { terrain, playbook, task, scope, recipes, newest: String::new() }
    }
}

impl Ideas for Turned {
    fn next(&mut self, history: &History, (parent, _): (&str, f64)) -> Idea {
        let path = self.task.edit.recipe.clone();
        let files = BTreeMap::from([(path.clone(), self.recipes[parent].clone())]);
        let (program, state, budget_s, repair) = ("", "", 600, None);
        let task = &self.task;
        let context = Context {
            task,
            program,
            state,
            history,
            files: &files,
            budget_s,
            now: &Now::default(),
            looks: &[],
            repair,
        };
        let reply = self.playbook.propose(&context, Size::Whole).now_or_never();
        let reply = reply.expect("it waits for nothing").expect("a recipe with knobs");
        let proposal = patch::parse(&reply.text).expect("an answer of the playbook");
        let mut patch = patch::apply(&proposal, &files, &self.scope).expect("it applies");
        self.newest = patch.files.remove(&path).flatten().expect("it changes the recipe");
        Idea { description: proposal.description, gain: self.terrain.gain(&self.newest) }
    }

    fn made(&mut self, commit: &str) {
        self.recipes.insert(commit.to_owned(), std::mem::take(&mut self.newest));
    }
}
